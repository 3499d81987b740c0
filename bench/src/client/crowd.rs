//! The watchers: opens them, a hundred at a time, and reads what they are sent.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::connection::{Connection, Origin, Read, read};
use super::tally::Tally;
use super::{Drained, Open, Opened, Settle, Watched};
use crate::frames::opcode;
use crate::poller::{EventFlags, Poller};
use crate::socket::{frame, text_frame};

/// Connections being opened at once: fewer than any server's queue holds.
const OPENING: usize = 100;
/// No server takes longer to let everybody in.
const OPENING_DEADLINE: Duration = Duration::from_secs(90);
/// Nobody has received anything for so long: the tick is over.
const QUIET: Duration = Duration::from_millis(150);
/// No server takes longer until everybody has had something and a pause comes.
const SETTLING_DEADLINE: Duration = Duration::from_secs(60);
/// How long a stalled connection's end is waited for once it reads again.
const DRAINING: Duration = Duration::from_secs(3);
/// How much is read at once.
const BUFFER: usize = 512 * 1024;
/// The close code of psiod for who does not read.
const TRY_AGAIN_LATER: u16 = 1013;

/// All connections of a scenario.
pub struct Crowd {
    port: u16,
    greeting: Vec<u8>,
    readers: usize,
    members: Vec<Member>,
    tally: Tally,
    poller: Poller,
    buffer: Vec<u8>,
    interval: Duration,
}

struct Member {
    is_stalled: bool,
    state: State,
}

enum State {
    Connecting(Connection),
    Asked(Connection),
    Open(Connection),
    /// Gone, with the code that the server gave.
    Closed(Option<u16>),
}

impl Crowd {
    /// Opens everybody and has them say what they are to say.
    pub fn open(open: &Open) -> Result<(Self, Opened)> {
        let total = open.readers + open.stalled;
        let greeting = open.messages.iter().flat_map(|message| text_frame(message)).collect();
        let mut crowd = Self {
            port: open.port,
            greeting,
            readers: open.readers,
            members: Vec::with_capacity(total),
            tally: Tally::new(total, open.streams, open.tells_seq)?,
            poller: Poller::new()?,
            buffer: vec![0; BUFFER],
            interval: Duration::ZERO,
        };
        let (start, mut ready, mut opened) = (Instant::now(), Vec::new(), 0);
        while opened < total {
            while crowd.members.len() < total && crowd.members.len() - opened < OPENING {
                crowd.begin_one(open, total)?;
            }
            ensure!(start.elapsed() < OPENING_DEADLINE, "only {opened} of {total} connections could be opened");
            crowd.poller.wait(&mut ready, Instant::now() + Duration::from_secs(1))?;
            for &(number, _) in &ready {
                let was_opening = !matches!(crowd.members[number].state, State::Open(_));
                crowd.serve(number)?;
                match crowd.members[number].state {
                    State::Open(_) if was_opening => opened += 1,
                    State::Closed(_) => bail!("connection {number} was closed while {opened} of {total} were open"),
                    _ => {}
                }
            }
        }
        Ok((crowd, Opened { took_ms: start.elapsed().as_secs_f64() * 1e3 }))
    }

    /// Waits until everybody has had a message of each stream and the current tick is over.
    ///
    /// What follows is counted, so it returns well before the next tick.
    pub fn settle(&mut self, settle: &Settle) -> Result<()> {
        self.interval = Duration::from_millis(settle.interval_ms);
        let (start, mut ready) = (Instant::now(), Vec::new());
        let (mut burst, mut last) = (Instant::now(), Instant::now());
        loop {
            self.poller.wait(&mut ready, (last + QUIET).max(Instant::now() + Duration::from_millis(20)))?;
            let now = Instant::now();
            if ready.is_empty() {
                let everybody_has_begun = self.tally.begun() + self.tally.dropped() as usize >= self.readers;
                let is_early = now.duration_since(burst) < self.interval.mul_f64(0.7);
                if everybody_has_begun && is_early && now.duration_since(last) >= QUIET {
                    return Ok(());
                }
            } else {
                if now.duration_since(last) > QUIET / 2 {
                    burst = now;
                }
                last = now;
            }
            for &(number, _) in &ready {
                self.serve(number)?;
            }
            ensure!(
                start.elapsed() < SETTLING_DEADLINE,
                "{} of {} readers have had something within {} s, and no pause came",
                self.tally.begun(),
                self.readers,
                SETTLING_DEADLINE.as_secs()
            );
        }
    }

    /// Counts so many ticks; gives up two ticks later than that takes.
    pub fn watch(&mut self, ticks: u32) -> Result<Watched> {
        ensure!(!self.interval.is_zero(), "the crowd has not settled");
        // Who is gone already is not waited for.
        let readers = self.readers - self.tally.dropped() as usize;
        self.tally.start(ticks);
        let until = Instant::now() + self.interval * (ticks + 3);
        let mut ready = Vec::new();
        while !self.tally.is_finished(readers) && Instant::now() < until {
            self.poller.wait(&mut ready, until)?;
            for &(number, _) in &ready {
                self.serve(number)?;
            }
        }
        Ok(self.tally.result())
    }

    /// Has the stalled ones read to the end, and tells what end it was.
    pub fn drain(&mut self) -> Result<Drained> {
        for (number, member) in self.members.iter().enumerate() {
            if let (true, State::Open(connection)) = (member.is_stalled, &member.state) {
                self.poller.add(&connection.descriptor, number, EventFlags::IN)?;
            }
        }
        let (until, mut ready) = (Instant::now() + DRAINING, Vec::new());
        let is_open = |member: &&Member| member.is_stalled && matches!(member.state, State::Open(_));
        while Instant::now() < until && self.members.iter().any(|member| is_open(&member)) {
            self.poller.wait(&mut ready, until)?;
            for &(number, _) in &ready {
                self.serve(number)?;
            }
        }
        let mut drained = Drained::default();
        for member in self.members.iter().filter(|member| member.is_stalled) {
            match member.state {
                State::Closed(Some(TRY_AGAIN_LATER)) => drained.told_1013 += 1,
                State::Closed(Some(_)) => drained.told_other += 1,
                State::Closed(None) => drained.cut_off += 1,
                _ => drained.still_open += 1,
            }
        }
        Ok(drained)
    }

    /// The stalled ones are spread evenly among the others.
    fn begin_one(&mut self, open: &Open, total: usize) -> Result<()> {
        let number = self.members.len();
        let is_stalled = (number + 1) * open.stalled / total > number * open.stalled / total;
        let origin = Origin { address: None, is_narrow: is_stalled };
        let connection =
            Connection::begin(open.port, origin).with_context(|| format!("cannot open connection {number}"))?;
        self.poller.add(&connection.descriptor, number, EventFlags::OUT)?;
        self.members.push(Member { is_stalled, state: State::Connecting(connection) });
        Ok(())
    }

    /// Does what a connection is ready for.
    fn serve(&mut self, number: usize) -> Result<()> {
        let member = &mut self.members[number];
        match std::mem::replace(&mut member.state, State::Closed(None)) {
            State::Connecting(connection) => {
                connection.ask(self.port)?;
                self.poller.modify(&connection.descriptor, number, EventFlags::IN)?;
                self.members[number].state = State::Asked(connection);
                Ok(())
            }
            State::Asked(connection) => self.shake_hands(number, connection),
            State::Open(connection) => self.receive(number, connection),
            closed @ State::Closed(_) => {
                member.state = closed;
                Ok(())
            }
        }
    }

    fn shake_hands(&mut self, number: usize, mut connection: Connection) -> Result<()> {
        let came = match read(&connection.descriptor, &mut self.buffer) {
            Read::Bytes(came) => came,
            Read::Nothing => 0,
            Read::Gone => return Ok(()),
        };
        let rest = connection.take_handshake(&self.buffer[..came])?.map(<[u8]>::len);
        let Some(rest) = rest else {
            self.members[number].state = State::Asked(connection);
            return Ok(());
        };
        ensure!(rest == 0, "the server spoke before it was asked");
        connection.say(&self.greeting)?;
        if self.members[number].is_stalled {
            self.poller.remove(&connection.descriptor)?;
        }
        self.members[number].state = State::Open(connection);
        Ok(())
    }

    fn receive(&mut self, number: usize, mut connection: Connection) -> Result<()> {
        let is_stalled = self.members[number].is_stalled;
        let came = match read(&connection.descriptor, &mut self.buffer) {
            Read::Bytes(came) => came,
            Read::Nothing => 0,
            Read::Gone => {
                self.leave(number, None);
                return Ok(());
            }
        };
        let now = Instant::now();
        let tally = &mut self.tally;
        let (mut outcome, mut control) = (Ok(()), Vec::new());
        connection.reader.feed(&self.buffer[..came], |frame| {
            if !frame.is_message() {
                control.push((frame.opcode, frame.text()));
            } else if !is_stalled && outcome.is_ok() {
                outcome = tally.add_message(number, &frame, now);
            }
        });
        outcome?;
        if !is_stalled {
            tally.add_bytes(came);
            if !connection.reader.is_at_boundary() {
                tally.note_partial(number, now);
            }
        }
        for (kind, payload) in control {
            match kind {
                opcode::PING => connection.say(&frame(opcode::PONG, &payload))?,
                opcode::PONG => {}
                opcode::CLOSE => {
                    // It may have left already; then nobody needs an answer.
                    connection.say(&frame(opcode::CLOSE, payload.get(..2).unwrap_or_default())).ok();
                    self.leave(number, payload.first_chunk().map(|code| u16::from_be_bytes(*code)));
                    return Ok(());
                }
                other => bail!("unexpected frame, opcode {other}"),
            }
        }
        self.members[number].state = State::Open(connection);
        Ok(())
    }

    /// A connection has ended; its descriptor is closed with it.
    fn leave(&mut self, number: usize, code: Option<u16>) {
        self.members[number].state = State::Closed(code);
        if !self.members[number].is_stalled {
            self.tally.lose(number);
        }
    }
}

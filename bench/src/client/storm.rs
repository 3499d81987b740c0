//! Connections that come and go in every way there is, wave after wave, each wave from an address of its own so that
//! the ports of the machine suffice.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::net::{Shutdown, shutdown};

use super::connection::{Connection, Origin, Read, read};
use super::{Storm, Stormed};
use crate::frames::opcode;
use crate::poller::{EventFlags, Poller};
use crate::socket::{frame, handshake, text_frame};

/// No wave takes longer.
const WAVE: Duration = Duration::from_secs(20);
const BUFFER: usize = 256 * 1024;

/// How a connection leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// After an answer, by a close frame that is answered.
    Politely,
    /// After an answer, by a reset.
    Reset,
    /// After an answer, by a FIN and nothing else.
    Fin,
    /// Right after its messages, by a reset, so that answers meet a closed door.
    Unheard,
    /// In the middle of a frame.
    MidFrame,
    /// In the middle of the handshake, by a FIN.
    MidHandshake,
    /// In the middle of the handshake, by a reset.
    MidHandshakeReset,
    /// Without a byte.
    Silently,
}

const LEAVINGS: [Leaving; 8] = [
    Leaving::Politely,
    Leaving::Reset,
    Leaving::Fin,
    Leaving::Unheard,
    Leaving::MidFrame,
    Leaving::MidHandshake,
    Leaving::MidHandshakeReset,
    Leaving::Silently,
];

impl Leaving {
    fn waits_for_an_answer(self) -> bool {
        matches!(self, Self::Politely | Self::Reset | Self::Fin)
    }
}

struct Visitor {
    leaving: Leaving,
    state: State,
}

enum State {
    Connecting(Connection),
    Asked(Connection),
    Waiting(Connection),
    /// It has said that it leaves, and waits for the server to close.
    Closing(Connection),
    Gone,
}

/// Runs it; returns when the last one has gone.
pub fn run(storm: &Storm) -> Result<Stormed> {
    let (start, mut met) = (Instant::now(), Stormed::default());
    let greeting: Vec<u8> = storm.messages.iter().flat_map(|message| text_frame(message)).collect();
    let mut gone = 0;
    for number in 0.. {
        let size = storm.wave.min(storm.connections - gone);
        if size == 0 {
            break;
        }
        // 127.0.0.2 and on; all of 127.0.0.0/8 is this machine.
        let address = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + 1 + number % 200);
        Wave::begin(storm.port, &greeting, size, address)?.run(&mut met)?;
        gone += size;
    }
    met.took_ms = start.elapsed().as_secs_f64() * 1e3;
    Ok(met)
}

struct Wave<'a> {
    port: u16,
    greeting: &'a [u8],
    visitors: Vec<Visitor>,
    poller: Poller,
    buffer: Vec<u8>,
}

impl<'a> Wave<'a> {
    fn begin(port: u16, greeting: &'a [u8], size: usize, address: Ipv4Addr) -> Result<Self> {
        let mut wave = Self {
            port,
            greeting,
            visitors: Vec::with_capacity(size),
            poller: Poller::new()?,
            buffer: vec![0; BUFFER],
        };
        for number in 0..size {
            let leaving = LEAVINGS[number % LEAVINGS.len()];
            let connection = Connection::begin(port, Origin { address: Some(address), is_narrow: false })
                .with_context(|| format!("cannot connect from {address}"))?;
            wave.poller.add(&connection.descriptor, number, EventFlags::OUT)?;
            wave.visitors.push(Visitor { leaving, state: State::Connecting(connection) });
        }
        Ok(wave)
    }

    fn run(mut self, met: &mut Stormed) -> Result<()> {
        met.asked += self.visitors.iter().filter(|visitor| visitor.leaving.waits_for_an_answer()).count() as u32;
        let (until, mut ready, mut present) = (Instant::now() + WAVE, Vec::new(), self.visitors.len());
        while present > 0 && Instant::now() < until {
            self.poller.wait(&mut ready, until)?;
            for &(number, _) in &ready {
                let state = std::mem::replace(&mut self.visitors[number].state, State::Gone);
                let next = self.step(number, state, met).unwrap_or_else(|_| {
                    met.failed += 1;
                    State::Gone
                });
                present -= usize::from(matches!(next, State::Gone));
                self.visitors[number].state = next;
            }
        }
        ensure!(
            present == 0,
            "{present} of {} visitors could not leave within {} s",
            self.visitors.len(),
            WAVE.as_secs()
        );
        Ok(())
    }

    /// What becomes of a visitor that can go on; an error when the server was not as it should be.
    fn step(&mut self, number: usize, state: State, met: &mut Stormed) -> Result<State> {
        let leaving = self.visitors[number].leaving;
        match state {
            State::Connecting(connection) => self.connected(number, connection, leaving),
            State::Asked(mut connection) => {
                let Some(came) = self.read(&connection)? else { return Ok(State::Asked(connection)) };
                if connection.take_handshake(&self.buffer[..came])?.is_none() {
                    return Ok(State::Asked(connection));
                }
                connection.say(self.greeting)?;
                match leaving {
                    Leaving::Unheard => connection.reset()?,
                    Leaving::MidFrame => connection.say(&self.greeting[..self.greeting.len() / 2])?,
                    _ => return Ok(State::Waiting(connection)),
                }
                Ok(State::Gone)
            }
            State::Waiting(mut connection) => {
                let Some(came) = self.read(&connection)? else { return Ok(State::Waiting(connection)) };
                let mut answers = 0;
                connection.reader.feed(&self.buffer[..came], |frame| answers += u32::from(frame.is_message()));
                if answers == 0 {
                    return Ok(State::Waiting(connection));
                }
                met.answered += 1;
                match leaving {
                    Leaving::Politely => {
                        connection.say(&frame(opcode::CLOSE, &1000_u16.to_be_bytes()))?;
                        return Ok(State::Closing(connection));
                    }
                    Leaving::Fin => {
                        shutdown(&connection.descriptor, Shutdown::Write)?;
                        return Ok(State::Closing(connection));
                    }
                    _ => connection.reset()?,
                }
                Ok(State::Gone)
            }
            State::Closing(connection) => match read(&connection.descriptor, &mut self.buffer) {
                Read::Gone => Ok(State::Gone),
                _ => Ok(State::Closing(connection)),
            },
            State::Gone => Ok(State::Gone),
        }
    }

    fn connected(&mut self, number: usize, connection: Connection, leaving: Leaving) -> Result<State> {
        let half = handshake(self.port).len() / 2;
        match leaving {
            Leaving::Silently => {}
            Leaving::MidHandshake => connection.say(&handshake(self.port).as_bytes()[..half])?,
            Leaving::MidHandshakeReset => {
                connection.say(&handshake(self.port).as_bytes()[..half])?;
                connection.reset()?;
            }
            _ => {
                connection.ask(self.port)?;
                self.poller.modify(&connection.descriptor, number, EventFlags::IN)?;
                return Ok(State::Asked(connection));
            }
        }
        Ok(State::Gone)
    }

    /// How much came, if anything did; an error when the server left.
    fn read(&mut self, connection: &Connection) -> Result<Option<usize>> {
        match read(&connection.descriptor, &mut self.buffer) {
            Read::Bytes(came) => Ok(Some(came)),
            Read::Nothing => Ok(None),
            Read::Gone => bail!("the server hung up"),
        }
    }
}

//! Clients that never wait: as many requests are sent as answers have come, so the same number is always on the way.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::connection::{Connection, Origin, Read, read};
use super::{OpenPipeline, Piped};
use crate::frames::opcode;
use crate::poller::{EventFlags, Poller};
use crate::socket::{frame, text_frame};

const BUFFER: usize = 256 * 1024;
/// No answer takes longer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The connections, all open, nothing on the way between runs.
pub struct Pipeline {
    connections: Vec<Connection>,
    depth: usize,
    request_length: usize,
    /// As many requests as are ever sent at once.
    requests: Vec<u8>,
    poller: Poller,
    buffer: Vec<u8>,
    answers: u64,
    bytes: u64,
}

impl Pipeline {
    /// Opens them one after the other; they are few.
    pub fn open(open: &OpenPipeline) -> Result<Self> {
        let request = text_frame(&open.request);
        let mut pipeline = Self {
            connections: Vec::new(),
            depth: open.depth,
            request_length: request.len(),
            requests: request.repeat(open.depth),
            poller: Poller::new()?,
            buffer: vec![0; BUFFER],
            answers: 0,
            bytes: 0,
        };
        for number in 0..open.connections {
            let connection = pipeline.open_one(open.port)?;
            if let Some(greeting) = &open.greeting {
                connection.say(&text_frame(greeting))?;
            }
            pipeline.poller.add(&connection.descriptor, number, EventFlags::IN)?;
            pipeline.connections.push(connection);
        }
        Ok(pipeline)
    }

    /// Asks for as long as the window lasts, then waits for what is still on the way.
    pub fn run(&mut self, window: Duration) -> Result<Piped> {
        (self.answers, self.bytes) = (0, 0);
        for connection in &self.connections {
            connection.say(&self.requests)?;
        }
        let start = Instant::now();
        let mut outstanding = self.depth * self.connections.len();
        let (mut ready, mut counted) = (Vec::new(), None);
        while outstanding > 0 {
            let until = Instant::now() + DEADLINE;
            self.poller.wait(&mut ready, until)?;
            ensure!(!ready.is_empty(), "{outstanding} answers are missing after {} s", DEADLINE.as_secs());
            let elapsed = start.elapsed();
            if elapsed >= window && counted.is_none() {
                counted = Some((self.answers, elapsed));
            }
            for &(number, _) in &ready {
                let came = self.receive(number)?;
                outstanding -= came;
                if counted.is_none() && came > 0 {
                    self.connections[number].say(&self.requests[..came * self.request_length])?;
                    outstanding += came;
                }
            }
        }
        let (answers, elapsed) = counted.unwrap_or((self.answers, start.elapsed()));
        Ok(Piped {
            per_second: answers as f64 / elapsed.as_secs_f64(),
            mean_length: self.bytes as f64 / self.answers as f64,
        })
    }

    fn open_one(&mut self, port: u16) -> Result<Connection> {
        let mut connection = Connection::begin(port, Origin::default())?;
        let (mut poller, mut ready) = (Poller::new()?, Vec::new());
        poller.add(&connection.descriptor, 0, EventFlags::OUT)?;
        poller.wait(&mut ready, Instant::now() + DEADLINE)?;
        ensure!(!ready.is_empty(), "cannot connect within {} s", DEADLINE.as_secs());
        connection.ask(port)?;
        poller.modify(&connection.descriptor, 0, EventFlags::IN)?;
        loop {
            poller.wait(&mut ready, Instant::now() + DEADLINE)?;
            ensure!(!ready.is_empty(), "no upgrade within {} s", DEADLINE.as_secs());
            match read(&connection.descriptor, &mut self.buffer) {
                Read::Bytes(came) if connection.take_handshake(&self.buffer[..came])?.is_some() => {
                    return Ok(connection);
                }
                Read::Gone => bail!("the server hung up"),
                _ => {}
            }
        }
    }

    /// Reads once; how many answers that completed.
    fn receive(&mut self, number: usize) -> Result<usize> {
        let connection = &mut self.connections[number];
        let came = match read(&connection.descriptor, &mut self.buffer) {
            Read::Bytes(came) => came,
            Read::Nothing => return Ok(0),
            Read::Gone => bail!("the server closed connection {number}"),
        };
        let (mut answers, mut bytes, mut control) = (0, 0, None);
        connection.reader.feed(&self.buffer[..came], |frame| {
            if frame.is_message() {
                answers += 1;
                bytes += frame.length as u64;
            } else {
                control = Some((frame.opcode, frame.text()));
            }
        });
        match control {
            Some((opcode::PING, payload)) => connection.say(&frame(opcode::PONG, &payload))?,
            Some((kind, _)) => bail!("unexpected frame, opcode {kind}"),
            None => {}
        }
        self.answers += answers as u64;
        self.bytes += bytes;
        Ok(answers)
    }
}

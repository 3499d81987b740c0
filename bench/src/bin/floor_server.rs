//! The least that a server of many WebSockets can do: one thread, epoll, and for each connection and tick one write of
//! bytes that were framed before.
//!
//! The first message of a connection says what it gets: `{"frames":[350,200]}`, frames of these lengths at every
//! tick, or `{"reply":350}`, such a frame for every message that follows. `floor_server PORT [INTERVAL_MS]`.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use psio_bench::frames::{Frame, FrameReader, opcode, server_frame};
use psio_bench::poller::{EventFlags, Poller};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrV4, SocketFlags, SocketType, sockopt};
use serde::Deserialize;

const LISTENER: usize = usize::MAX;
const BACKLOG: i32 = 4096;
/// The answer to the handshake of the only client there is, whose key is always the same.
const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: xeaK4zSrCfg1mni5etP96lUo+18=\r\n\r\n";
/// Replies framed in one piece: no client has more requests on the way.
const REPLIES: usize = 1024;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().context("usage: floor_server PORT [INTERVAL_MS]")?.parse()?;
    let interval = Duration::from_millis(arguments.next().map_or(Ok(1000), |word| word.parse())?);
    psio_floor::sys::raise_open_files()?;
    Ok(Floor::listen(port)?.run(interval)?)
}

struct Floor {
    listener: OwnedFd,
    poller: Poller,
    connections: Vec<Option<Connection>>,
    /// Numbers of connections that have gone.
    free: Vec<usize>,
    /// What is written, by what was asked for.
    framed: HashMap<Wish, Rc<[u8]>>,
    buffer: Vec<u8>,
}

struct Connection {
    descriptor: OwnedFd,
    is_open: bool,
    reader: FrameReader,
    gets: Gets,
    /// How much of the last tick the kernel has not taken yet.
    rest: usize,
}

#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wish {
    Frames(Vec<usize>),
    Reply(usize),
}

enum Gets {
    Nothing,
    Ticks(Rc<[u8]>),
    /// So long a reply, many of them side by side.
    Replies(usize, Rc<[u8]>),
}

impl Floor {
    fn listen(port: u16) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        rustix::net::bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
        rustix::net::listen(&listener, BACKLOG)?;
        let poller = Poller::new()?;
        poller.add(&listener, LISTENER, EventFlags::IN)?;
        Ok(Self {
            listener,
            poller,
            connections: Vec::new(),
            free: Vec::new(),
            framed: HashMap::new(),
            buffer: vec![0; 256 * 1024],
        })
    }

    fn run(mut self, interval: Duration) -> io::Result<()> {
        let (mut next, mut ready) = (Instant::now() + interval, Vec::new());
        loop {
            self.poller.wait(&mut ready, next)?;
            for &(number, flags) in &ready {
                if number == LISTENER {
                    self.accept()?;
                } else if self.serve(number, flags).is_err() {
                    self.connections[number] = None;
                    self.free.push(number);
                }
            }
            if Instant::now() >= next {
                self.tick();
                next += interval;
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let descriptor = match rustix::net::accept_with(&self.listener, flags) {
                Ok(descriptor) => descriptor,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            sockopt::set_tcp_nodelay(&descriptor, true)?;
            let number = self.free.pop().unwrap_or(self.connections.len());
            self.poller.add(&descriptor, number, EventFlags::IN)?;
            let connection =
                Connection { descriptor, is_open: false, reader: FrameReader::default(), gets: Gets::Nothing, rest: 0 };
            if number == self.connections.len() {
                self.connections.push(None);
            }
            self.connections[number] = Some(connection);
        }
    }

    /// One write each; who has not taken the last tick yet does not get this one.
    fn tick(&mut self) {
        for (number, slot) in self.connections.iter_mut().enumerate() {
            if let Some(connection) = slot
                && let Gets::Ticks(framed) = &connection.gets
                && connection.rest == 0
            {
                match rustix::io::write(&connection.descriptor, framed) {
                    Ok(written) if written == framed.len() => {}
                    Ok(written) => {
                        connection.rest = framed.len() - written;
                        let both = EventFlags::IN | EventFlags::OUT;
                        self.poller.modify(&connection.descriptor, number, both).ok();
                    }
                    // It is full, or gone, which a read will tell.
                    Err(_) => {}
                }
            }
        }
    }

    /// An error means that the connection has ended.
    fn serve(&mut self, number: usize, flags: EventFlags) -> Result<()> {
        let connection = self.connections[number].as_mut().context("no such connection")?;
        if flags.contains(EventFlags::OUT)
            && let Gets::Ticks(framed) = &connection.gets
        {
            connection.rest -= rustix::io::write(&connection.descriptor, &framed[framed.len() - connection.rest..])?;
            if connection.rest == 0 {
                self.poller.modify(&connection.descriptor, number, EventFlags::IN)?;
            }
        }
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return Ok(());
        }
        let came = rustix::io::read(&connection.descriptor, &mut self.buffer)?;
        anyhow::ensure!(came > 0, "the client has left");
        if !connection.is_open {
            // The client sends its request in one piece and waits for the answer.
            anyhow::ensure!(self.buffer[..came].ends_with(b"\r\n\r\n"), "half a handshake");
            connection.is_open = true;
            rustix::io::write(&connection.descriptor, UPGRADE)?;
            return Ok(());
        }
        let (mut messages, mut wish) = (0, None);
        let framed = &mut self.framed;
        let has_wish = !matches!(connection.gets, Gets::Nothing);
        let mut is_closed = false;
        connection.reader.feed(&self.buffer[..came], |frame| {
            is_closed |= frame.opcode == opcode::CLOSE;
            if has_wish || wish.is_some() {
                messages += usize::from(frame.opcode == opcode::TEXT);
            } else {
                wish = read_wish(&frame);
            }
        });
        anyhow::ensure!(!is_closed, "the client says goodbye");
        if let Some(wish) = wish {
            connection.gets = grant(&wish, framed);
        }
        if let Gets::Replies(length, framed) = &connection.gets {
            let wanted = length * messages;
            let written = rustix::io::write(&connection.descriptor, &framed[..wanted.min(framed.len())])?;
            anyhow::ensure!(written == wanted, "the client does not read");
        }
        Ok(())
    }
}

fn read_wish(frame: &Frame<'_>) -> Option<Wish> {
    serde_json::from_slice(&frame.text()).ok()
}

/// Frames what is wished for, once for all that wish the same.
fn grant(wish: &Wish, framed: &mut HashMap<Wish, Rc<[u8]>>) -> Gets {
    let bytes = Rc::clone(framed.entry(wish.clone()).or_insert_with(|| match wish {
        Wish::Frames(lengths) => lengths.iter().flat_map(|&length| server_frame(length)).collect(),
        Wish::Reply(length) => server_frame(*length).repeat(REPLIES).into(),
    }));
    match wish {
        Wish::Frames(_) => Gets::Ticks(bytes),
        Wish::Reply(_) => Gets::Replies(bytes.len() / REPLIES, bytes),
    }
}

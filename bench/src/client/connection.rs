//! One of thousands of connections: a socket that never blocks, and how far it has come.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use crate::frames::FrameReader;
use crate::socket;

/// What a connection that shall stall soon offers the server to send into, instead of megabytes.
const SMALL_WINDOW: usize = 4096;
const SMALL_SEGMENT: u32 = 536;

/// The most that a server may say in its answer to the handshake.
const MAX_HEAD: usize = 4096;

/// Where it comes from and how much it takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// The address it comes from, when not 127.0.0.1.
    pub address: Option<Ipv4Addr>,
    /// Whether as little as possible fits between the server and it.
    pub is_narrow: bool,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    pub descriptor: OwnedFd,
    /// The server's answer to the handshake, as long as it is not whole; then nothing.
    head: Vec<u8>,
    pub reader: FrameReader,
}

impl Connection {
    /// Begins to connect; the descriptor becomes writable when that is done.
    pub fn begin(port: u16, origin: Origin) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let descriptor = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&descriptor, true)?;
        if origin.is_narrow {
            sockopt::set_socket_recv_buffer_size(&descriptor, SMALL_WINDOW)?;
            psio_floor::sys::set_max_segment(&descriptor, SMALL_SEGMENT)?;
        }
        if let Some(address) = origin.address {
            bind(&descriptor, &SocketAddrV4::new(address, 0))?;
        }
        match connect(&descriptor, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { descriptor, head: Vec::new(), reader: FrameReader::default() })
    }

    /// Asks for a WebSocket, once connected.
    pub fn ask(&self, port: u16) -> Result<()> {
        sockopt::socket_error(&self.descriptor)?.context("cannot connect")?;
        self.say(socket::handshake(port).as_bytes())
    }

    /// Sends something so short that it always fits.
    pub fn say(&self, bytes: &[u8]) -> Result<()> {
        let written = rustix::io::write(&self.descriptor, bytes).context("cannot send")?;
        ensure!(written == bytes.len(), "only {written} of {} bytes could be sent", bytes.len());
        Ok(())
    }

    /// Takes bytes that belong to the handshake; returns what follows it, once it is over.
    pub fn take_handshake<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>> {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
            ensure!(self.head.len() < MAX_HEAD, "endless handshake");
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&self.head[..end]);
        ensure!(text.starts_with("HTTP/1.1 101"), "no upgrade: {text}");
        self.head = Vec::new();
        Ok(Some(&bytes[end + 4 - before..]))
    }

    /// Leaves by a reset: the server learns that nobody will read what it has sent.
    pub fn reset(self) -> io::Result<()> {
        Ok(sockopt::set_socket_linger(&self.descriptor, Some(Duration::ZERO))?)
    }
}

/// What became of a read.
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// Nothing at the moment.
    Nothing,
    /// The server has left, politely or not.
    Gone,
}

/// Reads once.
pub fn read(descriptor: &OwnedFd, buffer: &mut [u8]) -> Read {
    match rustix::io::read(descriptor, buffer) {
        Ok(0) => Read::Gone,
        Ok(n) => Read::Bytes(n),
        Err(Errno::AGAIN | Errno::INTR) => Read::Nothing,
        Err(_) => Read::Gone,
    }
}

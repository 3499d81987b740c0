//! The harness's own WebSocket client: blocking, one buffer, as little work as RFC 6455 allows, so that
//! what is measured is the server, and every server is measured alike.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::frames::opcode::{CLOSE, PING, PONG, TEXT};

/// No answer takes longer, or the run ends with an error.
const DEADLINE: Duration = Duration::from_secs(30);
/// Any mask is a valid one; a client that fears no proxies need not draw it by lot.
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
/// Always the same, so that the floor need not compute its answer.
const HANDSHAKE_KEY: &str = "cHNpby1iZW5jaC1jbGllbg==";

/// A connection after its handshake.
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What has been received and not yet been looked at is `buffer[start..end]`.
    start: usize,
    end: usize,
}

impl Socket {
    /// Connects to a WebSocket at `/` on the loopback, trying again until `patience` is over.
    pub fn connect(port: u16, patience: Duration) -> Result<Self> {
        let until = Instant::now() + patience;
        loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => return Self::shake_hands(stream, port),
                Err(_) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => return Err(error).context("the daemon does not listen"),
            }
        }
    }

    fn shake_hands(mut stream: TcpStream, port: u16) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.write_all(handshake(port).as_bytes())?;
        let mut socket = Self { stream, buffer: vec![0; 16 * 1024], start: 0, end: 0 };
        loop {
            let received = &socket.buffer[..socket.end];
            if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&received[..at]);
                ensure!(head.starts_with("HTTP/1.1 101"), "no upgrade: {head}");
                socket.start = at + 4;
                return Ok(socket);
            }
            ensure!(socket.end < socket.buffer.len(), "endless handshake");
            socket.fill()?;
        }
    }

    /// Sends bytes that are frames already, one or many.
    pub fn send(&mut self, frames: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frames)?)
    }

    /// The payload of the next text message, waited for.
    pub fn receive(&mut self) -> Result<&[u8]> {
        loop {
            if let Some(payload) = self.take_message()? {
                return Ok(&self.buffer[payload]);
            }
            self.fill()?;
        }
    }

    /// Takes off all messages that have arrived, waiting for the first; returns how many.
    pub fn receive_many(&mut self) -> Result<usize> {
        let mut count = 0;
        loop {
            while self.take_message()?.is_some() {
                count += 1;
            }
            if count > 0 {
                return Ok(count);
            }
            self.fill()?;
        }
    }

    /// Where the next message lies if all of it is here; answers pings on the way.
    fn take_message(&mut self) -> Result<Option<Range<usize>>> {
        loop {
            let Some((first_byte, payload)) = self.peek_frame() else {
                return Ok(None);
            };
            if payload.end > self.end {
                self.make_room(payload.end - self.start);
                return Ok(None);
            }
            self.start = payload.end;
            match (first_byte & 0x0F, first_byte & 0x80 != 0) {
                (TEXT, true) => return Ok(Some(payload)),
                (PING, true) => self.send(&frame(PONG, &self.buffer[payload]))?,
                (PONG, true) => {}
                (CLOSE, _) => bail!("the daemon closed the connection"),
                // None of the daemons sends a message in pieces, nor a binary one.
                (opcode, _) => bail!("unexpected frame, opcode {opcode}"),
            }
        }
    }

    /// The first byte of the next frame and where its payload lies, once its head is here.
    fn peek_frame(&self) -> Option<(u8, Range<usize>)> {
        let bytes = &self.buffer[self.start..self.end];
        let (head, length) = match bytes.get(1)? & 0x7F {
            126 => (4, u16::from_be_bytes(array_at(bytes, 2)?).into()),
            127 => (10, u64::from_be_bytes(array_at(bytes, 2)?).try_into().ok()?),
            short => (2, usize::from(short)),
        };
        let payload = self.start + head;
        Some((bytes[0], payload..payload + length))
    }

    /// Receives more, at least a byte.
    fn fill(&mut self) -> Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.make_room(self.end - self.start + 1);
        }
        let n = self.stream.read(&mut self.buffer[self.end..]).context("no answer")?;
        ensure!(n > 0, "the daemon hung up");
        self.end += n;
        Ok(())
    }

    /// Makes the buffer large enough for `length` bytes from `start`.
    fn make_room(&mut self, length: usize) {
        if self.start + length > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if length > self.buffer.len() {
                self.buffer.resize(length, 0);
            }
        }
    }
}

/// The request that makes a connection a WebSocket.
pub fn handshake(port: u16) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {HANDSHAKE_KEY}\r\n\r\n"
    )
}

/// A masked text frame, as a client sends it.
pub fn text_frame(text: &str) -> Vec<u8> {
    frame(TEXT, text.as_bytes())
}

/// A masked frame, as a client sends it.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        medium @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend((medium as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that accepts one client, sends `bytes` piece by piece and leaves.
    fn connect_to(bytes: Vec<u8>, piece: usize) -> Socket {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").unwrap();
            for piece in bytes.chunks(piece) {
                stream.write_all(piece).unwrap();
            }
            // To close while the client still answers a ping would reset the connection.
            std::io::copy(&mut stream, &mut std::io::sink()).ok();
        });
        Socket::connect(port, Duration::from_secs(1)).unwrap()
    }

    fn unmasked(length: usize) -> Vec<u8> {
        let mut bytes = vec![0x81, 127];
        bytes.extend((length as u64).to_be_bytes());
        bytes.extend(vec![b'x'; length]);
        bytes
    }

    #[test]
    fn a_message_larger_than_the_buffer_arrives_whole() {
        let mut socket = connect_to([unmasked(5), unmasked(100_000)].concat(), 7_000);
        assert_eq!(socket.receive().unwrap(), b"xxxxx");
        assert_eq!(socket.receive().unwrap().len(), 100_000);
    }

    #[test]
    fn a_ping_is_not_a_message() {
        let mut socket = connect_to(vec![0x89, 0, 0x81, 2, b'o', b'k'], 1);
        assert_eq!(socket.receive().unwrap(), b"ok");
    }

    #[test]
    fn a_closed_connection_is_an_error() {
        let mut socket = connect_to(vec![0x88, 0], 1);
        assert!(socket.receive().is_err());
    }

    #[test]
    fn text_is_masked() {
        let frame = text_frame("a");
        assert_eq!(frame, [0x81, 0x81, 0x12, 0x34, 0x56, 0x78, b'a' ^ 0x12]);
    }
}

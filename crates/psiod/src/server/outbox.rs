//! What waits to be written to one connection, arranged so that one system call takes as much as it can.
//!
//! Small pieces (headers, ids, short replies) are copied side by side; large ones stay shared and are
//! referred to. A batch of short replies is thus one slice, and a large shared reply is never copied.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::deflate::Window;
use super::outgoing::{Outgoing, frame_len, put_close, put_ping, put_pong};

/// Up to here copying a piece is cheaper than a slice of its own in the vectored write.
const COPY_LIMIT: usize = 1024;

/// How many slices one write offers the kernel.
const MAX_SLICES: usize = 64;

/// What is left of a begun frame is copied up to this size, to let go of the buffer it lies in.
const RESCUE_LIMIT: usize = 16 * COPY_LIMIT;

/// The bytes to write, oldest first: `pieces`, then `tail`.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
    /// How much of the frame in front is left, if some of it has been written.
    begun: usize,
    window: Option<Window>,
}

impl Outbox {
    /// An outbox whose messages are compressed in this window, if any was agreed.
    pub fn new(window: Option<Window>) -> Self {
        Self { window, ..Self::default() }
    }

    /// How many bytes wait, shared ones counted in full.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Queues one message.
    pub fn push(&mut self, message: Outgoing) {
        if self.window.is_none()
            && let Some((header, head, body)) = message.plain_parts()
        {
            self.copy(header.as_bytes());
            self.copy(head);
            return self.share(body);
        }
        let frame = message.frame(self.window);
        self.copy(frame.header.as_bytes());
        frame.parts.iter().for_each(|part| self.share(part));
    }

    fn copy(&mut self, bytes: &[u8]) {
        if self.tail.capacity() == 0 {
            self.tail.reserve(COPY_LIMIT);
        }
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    fn share(&mut self, part: &Bytes) {
        if part.len() <= COPY_LIMIT {
            return self.copy(part);
        }
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.pieces.push_back(part.clone());
        self.len += part.len();
    }

    /// Queues the answer to a ping.
    pub fn push_pong(&mut self, payload: &[u8]) {
        let before = self.tail.len();
        put_pong(&mut self.tail, payload);
        self.len += self.tail.len() - before;
    }

    /// Queues a ping.
    pub fn push_ping(&mut self) {
        let before = self.tail.len();
        put_ping(&mut self.tail);
        self.len += self.tail.len() - before;
    }

    /// Queues a close frame, the last one of a connection.
    pub fn push_close(&mut self, code: Option<u16>, reason: &str) {
        let before = self.tail.len();
        put_close(&mut self.tail, code, reason);
        self.len += self.tail.len() - before;
    }

    /// Drops every frame of which nothing has been written.
    pub fn drop_unbegun(&mut self) {
        let mut left = self.begun;
        let mut kept = Self { len: left, begun: left, ..Self::new(self.window) };
        let tail = std::mem::take(&mut self.tail).freeze();
        for piece in self.pieces.drain(..).chain([tail]) {
            let piece = piece.slice(..piece.len().min(left));
            left -= piece.len();
            if !piece.is_empty() {
                let small = piece.len() <= RESCUE_LIMIT;
                kept.pieces.push_back(if small { Bytes::copy_from_slice(&piece) } else { piece });
            }
        }
        *self = kept;
    }

    /// Offers everything to `stream` in one write; how many bytes it took.
    pub fn poll_write<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>>
    where
        S: AsyncWrite + Unpin,
    {
        let stream = Pin::new(stream);
        let written = if self.pieces.is_empty() {
            ready!(stream.poll_write(cx, &self.tail))?
        } else {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let waiting = self.pieces.iter().map(|piece| &piece[..]).chain([&self.tail[..]]);
            let mut used = 0;
            for (slice, piece) in slices.iter_mut().zip(waiting) {
                *slice = IoSlice::new(piece);
                used += 1;
            }
            ready!(stream.poll_write_vectored(cx, &slices[..used]))?
        };
        if written == 0 && self.len > 0 {
            return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(written))
    }

    /// Gives buffers back while the connection rests.
    pub fn release(&mut self) {
        if self.is_empty() {
            *self = Self::new(self.window);
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.begun = if written == self.len { 0 } else { self.end_of_frame(written) - written };
        self.len -= written;
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                piece.advance(written);
                return;
            }
            written -= piece.len();
            self.pieces.pop_front();
        }
        self.tail.advance(written);
    }

    /// Where the frame ends that has `position` in it, or before it. A frame's header is never cut by a piece's end.
    fn end_of_frame(&self, position: usize) -> usize {
        let (mut end, mut start) = (self.begun, 0);
        for piece in self.pieces.iter().map(|piece| &piece[..]).chain([&self.tail[..]]) {
            while end < position
                && let Some(size) = piece.get(end - start..).and_then(frame_len)
            {
                end += size;
            }
            if end >= position {
                break;
            }
            start += piece.len();
        }
        end
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;

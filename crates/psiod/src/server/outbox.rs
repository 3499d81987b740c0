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

use super::outgoing::{Outgoing, put_close, put_pong};

/// Up to here copying a piece is cheaper than a slice of its own in the vectored write.
const COPY_LIMIT: usize = 1024;

/// How many slices one write offers the kernel.
const MAX_SLICES: usize = 64;

/// The bytes to write, oldest first: `pieces`, then `tail`.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Outbox {
    /// How many bytes wait, shared ones counted in full.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Queues one message.
    pub fn push(&mut self, message: Outgoing) {
        self.len += message.frame_len();
        self.tail.extend_from_slice(message.header());
        for part in message.into_parts() {
            if part.len() <= COPY_LIMIT {
                self.tail.extend_from_slice(&part);
                continue;
            }
            if !self.tail.is_empty() {
                self.pieces.push_back(self.tail.split().freeze());
            }
            self.pieces.push_back(part);
        }
    }

    /// Queues the answer to a ping.
    pub fn push_pong(&mut self, payload: &[u8]) {
        let before = self.tail.len();
        put_pong(&mut self.tail, payload);
        self.len += self.tail.len() - before;
    }

    /// Queues a close frame, the last one of a connection.
    pub fn push_close(&mut self, code: Option<u16>, reason: &str) {
        let before = self.tail.len();
        put_close(&mut self.tail, code, reason);
        self.len += self.tail.len() - before;
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
            *self = Self::default();
        }
    }

    fn advance(&mut self, mut written: usize) {
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
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes at most `limit` bytes per write.
    struct Sink {
        limit: usize,
        taken: Vec<u8>,
        writes: usize,
    }

    impl AsyncWrite for Sink {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
            let size = bytes.len().min(self.limit);
            self.taken.extend_from_slice(&bytes[..size]);
            self.writes += 1;
            Poll::Ready(Ok(size))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<std::io::Result<usize>> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(self.limit).collect();
            self.taken.extend_from_slice(&all);
            self.writes += 1;
            Poll::Ready(Ok(all.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn drain(outbox: &mut Outbox, limit: usize) -> Sink {
        let mut sink = Sink { limit, taken: Vec::new(), writes: 0 };
        let mut cx = Context::from_waker(Waker::noop());
        while !outbox.is_empty() {
            assert!(matches!(outbox.poll_write(&mut sink, &mut cx), Poll::Ready(Ok(_))));
        }
        sink
    }

    fn messages() -> Vec<Outgoing> {
        let large = Bytes::from(vec![b'x'; 5000]);
        (0..40)
            .map(|n| match n % 3 {
                0 => Outgoing::text([Bytes::from(format!("small {n}"))]),
                1 => Outgoing::text([Bytes::from("{"), large.clone(), Bytes::from("}")]),
                _ => Outgoing::preframed(Outgoing::text([large.clone()]).into_frame()),
            })
            .collect()
    }

    #[test]
    fn bytes_leave_in_order_however_the_socket_cuts_them() {
        let expected: Vec<u8> = messages().into_iter().flat_map(Outgoing::into_frame).collect();
        for limit in [1, 7, 1000, 4999, 5001, usize::MAX] {
            let mut outbox = Outbox::default();
            messages().into_iter().for_each(|message| outbox.push(message));
            assert_eq!(outbox.len(), expected.len());
            assert_eq!(drain(&mut outbox, limit).taken, expected, "limit {limit}");
        }
    }

    #[test]
    fn a_batch_of_small_replies_is_one_write() {
        let mut outbox = Outbox::default();
        (0..1000).for_each(|_| outbox.push(Outgoing::text([Bytes::from("{}"), Bytes::from("[]")])));
        outbox.push_pong(b"ping");
        outbox.push_close(Some(1000), "");
        assert_eq!(drain(&mut outbox, usize::MAX).writes, 1);
    }

    #[test]
    fn large_parts_are_not_copied() {
        let large = Bytes::from(vec![0; 100_000]);
        let mut outbox = Outbox::default();
        outbox.push(Outgoing::text([large.clone()]));
        assert_eq!(outbox.pieces[1].as_ptr(), large.as_ptr());
        assert_eq!(outbox.len(), 100_010);
    }
}

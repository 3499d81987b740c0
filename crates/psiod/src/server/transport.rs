//! One WebSocket connection after its upgrade: this module owns the socket and, above all, its write path.
//!
//! A turn reads what is there, hands every whole message to the handler, collects the answers that are
//! ready and writes them all at once, so that a client which pipelines a hundred requests costs two system
//! calls. A client that does not read is not read from either; one that never reads is dropped.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frame::{Event, Reader, close_code};
use super::handler::{Handler, Message};
use super::outbox::Outbox;
use super::pending::Pending;
use super::stopped;

/// Turns of one connection before the other tasks of its thread get theirs.
const TURNS_PER_POLL: usize = 32;

/// What a connection may use, and for how long.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a request's headers, and so a WebSocket handshake, may take to arrive.
    pub header_timeout: Duration,
    /// Bytes of one incoming message; a larger one closes the connection with 1009.
    pub max_message: usize,
    /// Bytes waiting to be written beyond which nothing more is read from the client. One answer may be larger.
    pub max_outbox: usize,
    /// Pending answers beyond which nothing more is read from the client.
    pub max_pending: usize,
    /// A client that takes no byte for so long is dropped.
    pub write_timeout: Duration,
    /// How long the client's part of a close may take.
    pub close_timeout: Duration,
    /// How long connections may take to end when the server stops.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            max_message: 64 * 1024,
            max_outbox: 4 * 1024 * 1024,
            max_pending: 64,
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            shutdown_timeout: Duration::from_secs(3),
        }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// Both sides said what they had to.
    #[error("closed")]
    Closed,
    /// The socket failed, mostly because the client went away.
    #[error("lost: {0}")]
    Lost(#[from] io::Error),
    /// The client took nothing for [`Limits::write_timeout`].
    #[error("dropped: the client does not read")]
    Stalled,
    /// The client did its part of a close too slowly.
    #[error("dropped: the client does not close")]
    Unclosed,
}

/// How far a connection is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Messages are read and answered.
    Open,
    /// The client says no more; what it is owed is delivered, then a close frame if it sent one.
    Finishing { close: Option<CloseReply> },
    /// Our close frame is queued; only the client's is awaited.
    Leaving,
    /// Everything is queued; it is written, then our direction of the socket is shut.
    Flushing,
    /// All is written. What the client still sends is discarded until it shuts its side too: to
    /// close before would reset the connection and could destroy what is on its way to the client.
    Lingering,
}

/// The close frame that answers the client's: the same code, or none if it gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CloseReply {
    code: Option<u16>,
}

/// Serves the WebSocket connection on `stream`, of which `read_ahead` has been read already, until it ends.
///
/// When `shutdown` becomes true (or loses its sender) the client is told with close code 1001.
pub async fn serve(
    stream: TcpStream,
    read_ahead: Bytes,
    handler: Box<dyn Handler>,
    limits: &Limits,
    mut shutdown: watch::Receiver<bool>,
) -> End {
    let mut connection = Connection::new(stream, handler, limits);
    connection.reader.room().extend_from_slice(&read_ahead);
    drop(read_ahead);
    tokio::select! {
        biased;
        end = std::future::poll_fn(|cx| connection.poll(cx)) => return end,
        () = stopped(&mut shutdown) => connection.leave(),
    }
    std::future::poll_fn(|cx| connection.poll(cx)).await
}

struct Connection<'a> {
    stream: TcpStream,
    handler: Box<dyn Handler>,
    limits: &'a Limits,
    reader: Reader,
    outbox: Outbox,
    pending: Pending,
    phase: Phase,
    timer: Option<Timer>,
}

/// What the client has a limited time for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    Reading,
    Closing,
}

/// A deadline, armed only while the client owes something, so that a quiet connection has none.
struct Timer {
    owed: Owed,
    sleep: Pin<Box<Sleep>>,
}

impl<'a> Connection<'a> {
    fn new(stream: TcpStream, handler: Box<dyn Handler>, limits: &'a Limits) -> Self {
        Self {
            stream,
            handler,
            limits,
            reader: Reader::new(limits.max_message),
            outbox: Outbox::default(),
            pending: Pending::default(),
            phase: Phase::Open,
            timer: None,
        }
    }

    /// Turns until nothing moves. `Ready` when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..TURNS_PER_POLL {
            match self.turn(cx) {
                Ok(true) => {}
                Ok(false) => return self.rest(cx),
                Err(end) => return Poll::Ready(end),
            }
        }
        cx.waker().wake_by_ref();
        self.rest(cx)
    }

    /// Reads, answers and writes once; whether anything moved.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = match self.phase {
            Phase::Open | Phase::Leaving => {
                self.decode();
                self.receive(cx)?
            }
            Phase::Finishing { .. } | Phase::Flushing => false,
            Phase::Lingering => self.drain(cx)?,
        };
        moved |= self.pending.poll_into(cx, &mut self.outbox, self.limits.max_outbox);
        moved |= self.push(cx);
        moved |= self.write(cx)?;
        moved |= self.progress(cx)?;
        Ok(moved)
    }

    /// Collects what the handler sends unasked, unless the client has not taken what it was sent before.
    fn push(&mut self, cx: &mut Context<'_>) -> bool {
        if self.phase != Phase::Open || !self.outbox.is_empty() {
            return false;
        }
        let outbox = &mut self.outbox;
        self.handler.poll_push(cx, &mut |message| outbox.push(message));
        !outbox.is_empty()
    }

    /// Whether the client owes us reading before we read from it.
    fn is_congested(&self) -> bool {
        self.outbox.len() > self.limits.max_outbox || self.pending.len() >= self.limits.max_pending
    }

    /// Reads once and decodes it, unless the client is behind or has left.
    fn receive(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.is_congested() || !matches!(self.phase, Phase::Open | Phase::Leaving) {
            return Ok(false);
        }
        match pin!(self.stream.read_buf(self.reader.room())).poll(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Err(error)) => Err(End::Lost(error)),
            Poll::Ready(Ok(0)) => {
                self.enter(match self.phase {
                    Phase::Leaving => Phase::Flushing,
                    _ => Phase::Finishing { close: None },
                });
                Ok(true)
            }
            Poll::Ready(Ok(_)) => {
                self.decode();
                Ok(true)
            }
        }
    }

    /// Hands the buffered messages to the handler, as many as the limits allow.
    fn decode(&mut self) {
        while !self.is_congested() {
            let message = match self.reader.next() {
                Ok(None) => return,
                Ok(Some(Event::Text(text))) => Message::Text(text),
                Ok(Some(Event::Binary(bytes))) => Message::Binary(bytes),
                Ok(Some(Event::Pong(_))) => continue,
                Ok(Some(Event::Ping(payload))) => {
                    if self.phase == Phase::Open {
                        self.outbox.push_pong(payload);
                    }
                    continue;
                }
                Ok(Some(Event::Close(reason))) => {
                    let reply = CloseReply { code: reason.map(|reason| reason.code) };
                    self.enter(match self.phase {
                        Phase::Leaving => Phase::Flushing,
                        _ => Phase::Finishing { close: Some(reply) },
                    });
                    return;
                }
                Err(violation) => {
                    if self.phase == Phase::Open {
                        tracing::debug!(%violation, "closing a connection");
                        self.pending = Pending::default();
                        self.outbox.push_close(Some(violation.code), violation.reason);
                    }
                    self.enter(Phase::Flushing);
                    return;
                }
            };
            if self.phase == Phase::Open {
                let answer = self.handler.message(message);
                self.pending.accept(answer, &mut self.outbox);
            }
        }
    }

    /// Reads and forgets, until the client has shut its side.
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        self.reader.discard();
        match pin!(self.stream.read_buf(self.reader.room())).poll(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0) | Err(_)) => Err(End::Closed),
            Poll::Ready(Ok(_)) => Ok(true),
        }
    }

    /// Writes what there is, in one call; whether the socket took any of it.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.outbox.is_empty() {
            return Ok(false);
        }
        match self.outbox.poll_write(&mut self.stream, cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Err(error)) => Err(End::Lost(error)),
            Poll::Ready(Ok(_)) => {
                self.timer = None;
                Ok(true)
            }
        }
    }

    /// Goes to the next phase when this one has nothing left to do.
    fn progress(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        match self.phase {
            Phase::Finishing { close } if self.pending.is_empty() => {
                if let Some(reply) = close {
                    self.outbox.push_close(reply.code, "");
                }
                self.enter(Phase::Flushing);
                Ok(true)
            }
            Phase::Flushing if self.outbox.is_empty() => match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Pending => Ok(false),
                Poll::Ready(Err(error)) => Err(End::Lost(error)),
                Poll::Ready(Ok(())) => {
                    self.enter(Phase::Lingering);
                    Ok(true)
                }
            },
            _ => Ok(false),
        }
    }

    /// The daemon stops: says so, and drops the answers that are not there yet.
    fn leave(&mut self) {
        if matches!(self.phase, Phase::Open | Phase::Finishing { .. }) {
            self.pending = Pending::default();
            self.outbox.push_close(Some(close_code::GOING_AWAY), "psiod is stopping");
            self.enter(if self.phase == Phase::Open { Phase::Leaving } else { Phase::Flushing });
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.timer = None;
    }

    /// Gives buffers back and sees that what the client owes has a deadline.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.reader.release();
        self.outbox.release();
        let (owed, timeout) = if !self.outbox.is_empty() {
            (Owed::Reading, self.limits.write_timeout)
        } else if self.phase != Phase::Open {
            (Owed::Closing, self.limits.close_timeout)
        } else {
            self.timer = None;
            return Poll::Pending;
        };
        self.timer.take_if(|timer| timer.owed != owed);
        let timer =
            self.timer.get_or_insert_with(|| Timer { owed, sleep: Box::pin(sleep_until(Instant::now() + timeout)) });
        timer.sleep.as_mut().poll(cx).map(|()| match owed {
            Owed::Reading => End::Stalled,
            Owed::Closing => End::Unclosed,
        })
    }
}

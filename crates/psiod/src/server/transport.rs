//! One WebSocket connection after its upgrade: this module owns the socket and, above all, its write path.
//!
//! A turn reads what is there, hands every whole message to the handler, collects the answers that are
//! ready and writes them all at once, so that a client which pipelines a hundred requests costs two system
//! calls. A client that does not read is not read from either; one that never reads is told so with 1013, and
//! dropped when it does not read that. One that is silent is asked with pings whether it is still there.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use psio_probe::coarse_now;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use super::frame::{Event, Reader, close_code};
use super::handler::{Handler, Message};
use super::limits::Limits;
use super::outbox::Outbox;
use super::patience::{Owed, Patience};
use super::pending::Pending;
use super::websocket::Socket;

/// Turns of one connection before the other tasks of its thread get theirs.
const TURNS_PER_POLL: usize = 32;

/// The same in time. Giving way wakes another network thread too, which sees to timers and sockets: without it a
/// connection that has much computed stops everybody's clock.
const TIME_PER_POLL: Duration = Duration::from_millis(2);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// Both sides said what they had to.
    #[error("closed")]
    Closed,
    /// The socket failed, mostly because the client went away.
    #[error("lost: {0}")]
    Lost(#[from] io::Error),
    /// The client took nothing for [`Limits::write_timeout`], nor in [`Limits::collect_timeout`] what was left for it.
    #[error("dropped: the client does not read")]
    Stalled,
    /// The client did its part of a close too slowly.
    #[error("dropped: the client does not close")]
    Unclosed,
    /// The client said nothing for [`Limits::gone_after`], though it was asked.
    #[error("dropped: the client is gone")]
    Gone,
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
    /// The same for a client that did not read: it has a fixed time to take the frame it was in and our close.
    Collecting,
    /// All is written. What the client still sends is discarded until it shuts its side too: to
    /// close before would reset the connection and could destroy what is on its way to the client.
    Lingering,
}

/// The close frame that answers the client's: the same code, or none if it gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CloseReply {
    code: Option<u16>,
}

/// Everything that belongs to one connection.
pub(super) struct Connection {
    stream: TcpStream,
    /// Let go of when nothing is asked of it any more, which may be long before the connection ends.
    handler: Option<Box<dyn Handler>>,
    limits: Arc<Limits>,
    reader: Reader,
    outbox: Outbox,
    pending: Pending,
    phase: Phase,
    patience: Patience,
}

impl Connection {
    pub fn new(socket: Socket, handler: Box<dyn Handler>, limits: Arc<Limits>) -> Self {
        let mut reader = Reader::new(limits.max_message).with_deflate(socket.deflate.is_some());
        reader.room().extend_from_slice(&socket.read_ahead);
        Self {
            stream: socket.stream,
            handler: Some(handler),
            limits,
            reader,
            outbox: Outbox::new(socket.deflate),
            pending: Pending::default(),
            phase: Phase::Open,
            patience: Patience::new(),
        }
    }

    /// Turns until nothing moves. `Ready` when the connection is over.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let began = Instant::now();
        for _ in 0..TURNS_PER_POLL {
            match self.turn(cx).and_then(|moved| if moved { Ok(true) } else { self.rest(cx) }) {
                Ok(true) if began.elapsed() > TIME_PER_POLL => break,
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(end) => return Poll::Ready(end),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads, answers and writes once; whether anything moved.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let is_asked = self.push(cx);
        let mut moved = match self.phase {
            Phase::Open | Phase::Leaving => self.decode() | self.receive(cx)?,
            Phase::Finishing { .. } | Phase::Flushing | Phase::Collecting => false,
            Phase::Lingering => self.drain(cx)?,
        };
        moved |= self.pending.poll_into(cx, &mut self.outbox, self.limits.max_outbox);
        let is_congested = self.is_congested();
        if self.write(cx)? {
            // With everything written, what was held back by it may move now: else nothing is left to do.
            moved |= !self.outbox.is_empty() || !is_asked || is_congested;
        }
        moved |= self.progress(cx)?;
        Ok(moved)
    }

    /// Collects what the handler sends unasked, unless the client has not taken what it was sent before. First of all
    /// in a turn: a client that never stops asking would else never be told anything unasked. Whether the handler was
    /// asked.
    fn push(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.outbox.is_empty() {
            return false;
        }
        let outbox = &mut self.outbox;
        if let Some(handler) = &mut self.handler {
            handler.poll_push(cx, &mut |message| outbox.push(message));
        }
        true
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
        if self.stream.poll_read_ready(cx).is_pending() {
            // Before there is room: most who watch never send anything.
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
                self.patience.heard();
                self.decode();
                Ok(true)
            }
        }
    }

    /// Hands the buffered messages to the handler, as many as the limits allow; whether there was any.
    fn decode(&mut self) -> bool {
        let mut any = false;
        let began = coarse_now();
        while !self.is_congested() && coarse_now() - began <= TIME_PER_POLL {
            let message = match self.reader.next() {
                Ok(None) => break,
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
                    return true;
                }
                Err(violation) => {
                    if self.phase == Phase::Open {
                        tracing::debug!(%violation, "closing a connection");
                        self.pending = Pending::default();
                        self.outbox.push_close(Some(violation.code), violation.reason);
                    }
                    self.enter(Phase::Flushing);
                    return true;
                }
            };
            if let Some(handler) = &mut self.handler {
                let answer = handler.message(message);
                self.pending.accept(answer, &mut self.outbox);
                any = true;
            }
        }
        any
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
                self.patience.wrote();
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
            Phase::Flushing | Phase::Collecting if self.outbox.is_empty() => {
                match Pin::new(&mut self.stream).poll_shutdown(cx) {
                    Poll::Pending => Ok(false),
                    Poll::Ready(Err(error)) => Err(End::Lost(error)),
                    Poll::Ready(Ok(())) => {
                        self.enter(Phase::Lingering);
                        Ok(true)
                    }
                }
            }
            _ => Ok(false),
        }
    }

    /// The daemon stops: says so, and drops the answers that are not there yet.
    pub fn leave(&mut self) {
        if matches!(self.phase, Phase::Open | Phase::Finishing { .. }) {
            self.pending = Pending::default();
            self.outbox.push_close(Some(close_code::GOING_AWAY), "psiod is stopping");
            self.enter(if self.phase == Phase::Open { Phase::Leaving } else { Phase::Flushing });
        }
    }

    /// The client does not read: it gets no more than the frame it is in and the reason.
    fn dismiss(&mut self) {
        tracing::debug!("closing a connection: the client does not read");
        self.pending = Pending::default();
        self.outbox.drop_unbegun();
        self.outbox.push_close(Some(close_code::TRY_AGAIN_LATER), "does not read");
        self.reader.discard();
        self.enter(Phase::Collecting);
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.handler = None;
        self.patience.begin_anew();
    }

    /// Gives buffers back and sees that what the client owes has a deadline; whether there is something to do because
    /// one has passed.
    fn rest(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        self.reader.release();
        self.outbox.release();
        let owed = match self.phase {
            Phase::Collecting => Owed::Collecting,
            _ if !self.outbox.is_empty() => Owed::Reading,
            Phase::Open => Owed::SignOfLife,
            _ => Owed::Closing,
        };
        if self.patience.poll(cx, owed, &self.limits).is_pending() {
            return Ok(false);
        }
        match owed {
            Owed::Reading if self.phase == Phase::Open => self.dismiss(),
            Owed::Reading | Owed::Collecting => return Err(End::Stalled),
            Owed::Closing => return Err(End::Unclosed),
            // While it is not read from it cannot be heard.
            Owed::SignOfLife if self.is_congested() => self.patience.heard(),
            Owed::SignOfLife if self.patience.is_pinged() => return Err(End::Gone),
            Owed::SignOfLife => {
                self.outbox.push_ping();
                self.patience.pinged();
            }
        }
        Ok(true)
    }
}

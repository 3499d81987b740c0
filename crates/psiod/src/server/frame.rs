//! Reads WebSocket frames as a server must (RFC 6455): bytes in, events out, no I/O.
//!
//! A small message that lies whole in the input is unmasked in place and lent to the caller, so it is
//! never copied. A fragmented or still arriving message is assembled apart; its text is checked as it
//! arrives, so that bad UTF-8 is refused at its first wrong byte, and its size before it is buffered. A
//! compressed message is inflated when it is whole.

use bytes::{Buf, BytesMut};

use super::deflate::inflate;
use super::head::{Head, Kind, Opcode, protocol_error, unmask};

/// What one read asks the kernel for; also what a connection's input buffer holds at most, unless a
/// message is larger.
const READ_SIZE: usize = 4 * 1024;

/// The most a single read asks for while a large message arrives.
const LARGE_READ_SIZE: usize = 64 * 1024;

/// Close codes that psiod sends of its own accord (RFC 6455 §7.4.1).
pub mod close_code {
    /// The daemon is going away.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer broke the framing rules.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// A text message or close reason was not UTF-8.
    pub const INVALID_DATA: u16 = 1007;
    /// A message was larger than the limit.
    pub const TOO_LARGE: u16 = 1009;
    /// The client did not read what it was sent.
    pub const TRY_AGAIN_LATER: u16 = 1013;
}

/// What a peer sent, borrowed until the next call of [`Reader::next`].
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered with a pong of the same payload.
    Ping(&'a [u8]),
    /// A pong; nothing follows from it.
    Pong(&'a [u8]),
    /// The peer closes; nothing it sends after this is read.
    Close(Option<CloseReason<'a>>),
}

/// Why the peer closes, if it said so.
#[derive(Debug, PartialEq, Eq)]
pub struct CloseReason<'a> {
    /// The close code, already checked to be one that a peer may send.
    pub code: u16,
    /// Human-readable text, often empty.
    pub text: &'a str,
}

/// The peer broke the protocol: the connection is to be closed with this code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (close code {code})")]
pub struct Violation {
    /// 1002, 1007 or 1009, see [`close_code`].
    pub code: u16,
    /// One short sentence, fit for a close frame.
    pub reason: &'static str,
}

const NOT_UTF8: Violation = Violation { code: close_code::INVALID_DATA, reason: "text is not valid UTF-8" };
pub(super) const TOO_LARGE: Violation =
    Violation { code: close_code::TOO_LARGE, reason: "message is larger than this server accepts" };

/// The rest of a data frame whose payload has not all arrived; the key is turned to the next byte.
#[derive(Debug)]
struct Arriving {
    fin: bool,
    key: [u8; 4],
    remaining: usize,
}

/// Where the event that was found lies.
enum Found {
    InInput(Opcode, std::ops::Range<usize>),
    Assembled(Kind),
}

/// The receiving half of one connection's framing.
#[derive(Debug)]
pub struct Reader {
    max_message: usize,
    deflate: bool,
    input: BytesMut,
    /// How much of `input` the last event borrowed.
    lent: usize,
    /// The message being assembled from fragments or from a frame that arrives in pieces, unmasked; while it does,
    /// still compressed if it is.
    message: Vec<u8>,
    /// Whether the message between its first frame and its last is compressed.
    compressed: bool,
    /// How far `message` is known to be UTF-8.
    checked: usize,
    /// The kind of the message between its first frame and its last.
    kind: Option<Kind>,
    arriving: Option<Arriving>,
    finished: bool,
}

impl Reader {
    /// A reader that refuses messages of more than `max_message` bytes with 1009.
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message,
            deflate: false,
            input: BytesMut::new(),
            lent: 0,
            message: Vec::new(),
            compressed: false,
            checked: 0,
            kind: None,
            arriving: None,
            finished: false,
        }
    }

    /// Reads compressed messages too if permessage-deflate was agreed; the limit holds for what they inflate to.
    #[must_use]
    pub fn with_deflate(self, deflate: bool) -> Self {
        Self { deflate, ..self }
    }

    /// The buffer to append received bytes to, with room for one read.
    pub fn room(&mut self) -> &mut BytesMut {
        self.settle();
        let expected = self.arriving.as_ref().map_or(0, |frame| frame.remaining);
        let size = expected.clamp(READ_SIZE, LARGE_READ_SIZE);
        // Only ever short of one header or control frame here, or still full because of back-pressure.
        self.input.reserve(size.saturating_sub(self.input.len()).max(1));
        &mut self.input
    }

    /// Gives buffers back while the connection rests.
    pub fn release(&mut self) {
        self.settle();
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.message.is_empty() {
            self.message = Vec::new();
        }
    }

    /// Forgets unread input; after a close or a violation nothing of it matters.
    pub fn discard(&mut self) {
        self.lent = 0;
        self.finished = true;
        self.input.clear();
    }

    /// The next event, or `None` until more bytes have been appended to [`Reader::room`].
    ///
    /// # Errors
    /// The peer broke the protocol. From then on, as after a close, there are no more events.
    #[expect(clippy::should_implement_trait, reason = "it lends: an iterator cannot")]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, Violation> {
        self.settle();
        if self.finished {
            return Ok(None);
        }
        let event = match self.find() {
            Ok(None) => return Ok(None),
            Ok(Some(Found::Assembled(Kind::Text))) => text(&self.message),
            Ok(Some(Found::Assembled(Kind::Binary))) => Ok(Event::Binary(&self.message)),
            Ok(Some(Found::InInput(opcode, range))) => {
                let payload = &self.input[range];
                match opcode {
                    Opcode::Data(Kind::Text) => text(payload),
                    Opcode::Data(Kind::Binary) | Opcode::Continuation => Ok(Event::Binary(payload)),
                    Opcode::Ping => Ok(Event::Ping(payload)),
                    Opcode::Pong => Ok(Event::Pong(payload)),
                    Opcode::Close => {
                        self.finished = true;
                        close(payload)
                    }
                }
            }
            Err(violation) => Err(violation),
        };
        self.finished |= event.is_err();
        event.map(Some)
    }

    /// Drops what the last event borrowed.
    fn settle(&mut self) {
        if self.lent > 0 {
            self.input.advance(self.lent);
            self.lent = 0;
        }
        if self.kind.is_none() && !self.message.is_empty() {
            self.checked = 0;
            if self.message.capacity() > READ_SIZE {
                self.message = Vec::new();
            } else {
                self.message.clear();
            }
        }
    }

    fn find(&mut self) -> Result<Option<Found>, Violation> {
        loop {
            if self.arriving.is_some() {
                let Some(fin) = self.take_payload()? else {
                    return Ok(None);
                };
                if fin && let Some(kind) = self.kind.take() {
                    if self.compressed {
                        let packed = std::mem::take(&mut self.message);
                        inflate(&packed, self.max_message, &mut self.message)?;
                    } else if kind == Kind::Text && self.checked < self.message.len() {
                        return Err(NOT_UTF8);
                    }
                    return Ok(Some(Found::Assembled(kind)));
                }
                continue;
            }
            let Some(head) = Head::parse(&self.input, self.deflate)? else {
                return Ok(None);
            };
            let kind = match (head.opcode, self.kind) {
                (Opcode::Data(_), Some(_)) => {
                    return Err(protocol_error("new message inside a fragmented one"));
                }
                (Opcode::Continuation, None) => {
                    return Err(protocol_error("continuation of no message"));
                }
                (Opcode::Data(kind), None) | (Opcode::Continuation, Some(kind)) => kind,
                (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                    return Ok(self.whole_frame(&head, head.payload as usize));
                }
            };
            if self.kind.is_none() {
                self.compressed = head.compressed;
            }
            let allowed = self.max_payload().saturating_sub(self.message.len());
            let payload = usize::try_from(head.payload).ok().filter(|&size| size <= allowed).ok_or(TOO_LARGE)?;
            if head.fin
                && self.kind.is_none()
                && let Some(found) = self.whole_frame(&head, payload)
            {
                return self.inflated(found).map(Some);
            }
            self.kind = Some(kind);
            self.input.advance(head.size);
            self.arriving = Some(Arriving { fin: head.fin, key: head.key, remaining: payload });
        }
    }

    /// The most that the frames of a message may hold: what does not compress becomes a little larger.
    fn max_payload(&self) -> usize {
        let growth = if self.compressed { self.max_message / 16 + 16 } else { 0 };
        self.max_message.saturating_add(growth)
    }

    /// The message in a whole frame, inflated if it is compressed.
    fn inflated(&mut self, found: Found) -> Result<Found, Violation> {
        match found {
            Found::InInput(Opcode::Data(kind), range) if self.compressed => {
                inflate(&self.input[range], self.max_message, &mut self.message)?;
                Ok(Found::Assembled(kind))
            }
            found => Ok(found),
        }
    }

    /// Unmasks a frame in place if all of it is there.
    fn whole_frame(&mut self, head: &Head, payload: usize) -> Option<Found> {
        let end = head.size + payload;
        let bytes = self.input.get_mut(head.size..end)?;
        unmask(bytes, head.key);
        self.lent = end;
        Some(Found::InInput(head.opcode, head.size..end))
    }

    /// Moves what has arrived of the current data frame into `message`; `Some(fin)` at its end.
    fn take_payload(&mut self) -> Result<Option<bool>, Violation> {
        let Some(frame) = &mut self.arriving else {
            return Ok(None);
        };
        let size = frame.remaining.min(self.input.len());
        let start = self.message.len();
        self.message.extend_from_slice(&self.input[..size]);
        unmask(&mut self.message[start..], frame.key);
        frame.key.rotate_left(size % 4);
        frame.remaining -= size;
        self.input.advance(size);
        let end = (frame.remaining == 0).then_some(frame.fin);
        if end.is_some() {
            self.arriving = None;
        }
        if self.kind == Some(Kind::Text) && !self.compressed {
            self.check_text()?;
        }
        Ok(end)
    }

    /// Checks the new part of `message`; a character cut at its end is left for the next part.
    fn check_text(&mut self) -> Result<(), Violation> {
        match std::str::from_utf8(&self.message[self.checked..]) {
            Ok(_) => self.checked = self.message.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(NOT_UTF8),
        }
        Ok(())
    }
}

fn text(payload: &[u8]) -> Result<Event<'_>, Violation> {
    std::str::from_utf8(payload).map(Event::Text).map_err(|_| NOT_UTF8)
}

fn close(payload: &[u8]) -> Result<Event<'_>, Violation> {
    let (code, text) = match payload {
        [] => return Ok(Event::Close(None)),
        [_] => return Err(protocol_error("close frame with half a code")),
        [high, low, text @ ..] => (u16::from_be_bytes([*high, *low]), text),
    };
    if !may_be_sent(code) {
        return Err(protocol_error("close code that must not be sent"));
    }
    let text = std::str::from_utf8(text).map_err(|_| NOT_UTF8)?;
    Ok(Event::Close(Some(CloseReason { code, text })))
}

/// RFC 6455 §7.4 and IANA's registry: 1004 is reserved, 1005, 1006 and 1015 never travel.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;

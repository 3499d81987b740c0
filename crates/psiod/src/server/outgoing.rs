//! Frames as a server sends them (RFC 6455 §5): unmasked, so that one framed message serves everybody.

use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::deflate::{MIN_SIZE, Window, compress, stored_header};
use super::head::MAX_CONTROL_PAYLOAD;

const FIN: u8 = 0x80;
/// RSV1 of a message's first frame: its payload is compressed (RFC 7692 §6).
const COMPRESSED: u8 = 0x40;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// The parts of a message: usually an opening with the id, a shared payload and a closing brace.
const PARTS: usize = 3;

/// What goes before the parts of a message: a frame header of 2, 4 or 10 bytes; if it is compressed around a stored
/// head, that block's header too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Header {
    bytes: [u8; 15],
    len: u8,
}

impl Header {
    fn new(first: u8, payload: usize) -> Self {
        let mut header = Self::default();
        header.put(&[FIN | first]);
        match payload {
            0..126 => header.put(&[payload as u8]),
            126..=0xffff => {
                header.put(&[126]);
                header.put(&(payload as u16).to_be_bytes());
            }
            _ => {
                header.put(&[127]);
                header.put(&(payload as u64).to_be_bytes());
            }
        }
        header
    }

    fn put(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// How many bytes the frame that begins here takes, its header included. Only for what we framed: nothing is checked.
pub(super) fn frame_len(frame: &[u8]) -> Option<usize> {
    Some(match frame.get(1)? {
        126 => 4 + usize::from(u16::from_be_bytes(*frame[2..].first_chunk()?)),
        127 => 10 + u64::from_be_bytes(*frame[2..].first_chunk()?) as usize,
        short => 2 + usize::from(*short),
    })
}

/// How a message's payload is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Anything.
    Binary,
}

impl Kind {
    const fn opcode(self) -> u8 {
        match self {
            Self::Text => TEXT,
            Self::Binary => BINARY,
        }
    }
}

/// The part of a payload that is the same for every connection it is sent to. Its compressed forms are made when
/// the first connection that agreed to compression is sent it, then kept.
#[derive(Debug)]
pub struct Shared {
    plain: Bytes,
    full: OnceLock<Bytes>,
    small: OnceLock<Bytes>,
}

impl Shared {
    /// Bytes to be shared.
    pub fn new(plain: impl Into<Bytes>) -> Self {
        Self { plain: plain.into(), full: OnceLock::new(), small: OnceLock::new() }
    }

    /// The bytes.
    pub fn plain(&self) -> &Bytes {
        &self.plain
    }

    fn compressed(&self, window: Window) -> &Bytes {
        let kept = match window {
            Window::Full => &self.full,
            Window::Small => &self.small,
        };
        kept.get_or_init(|| compress(&[&self.plain], window))
    }
}

/// The part of a payload that is for one connection: an opening with an id and a number, mostly short.
pub type Head = SmallVec<[u8; 64]>;

/// One message to send. Cloning it shares its payload.
#[derive(Debug, Clone)]
pub struct Outgoing(Content);

#[derive(Debug, Clone)]
enum Content {
    Framed(Bytes),
    Parts(Kind, [Bytes; PARTS]),
    Shared(Kind, Head, Arc<Shared>),
}

/// A message as it goes to one connection: a header, which may be empty, and the parts that follow it.
pub(super) struct Frame {
    pub header: Header,
    pub parts: [Bytes; PARTS],
}

impl Outgoing {
    /// A text message whose payload is `parts` one after the other, at most three.
    pub fn text<const N: usize>(parts: [Bytes; N]) -> Self {
        Self::new(Kind::Text, parts)
    }

    /// A binary message whose payload is `parts` one after the other, at most three.
    pub fn binary<const N: usize>(parts: [Bytes; N]) -> Self {
        Self::new(Kind::Binary, parts)
    }

    /// A message of which `head` is for one connection and `body` for all that are sent the same.
    pub fn shared(kind: Kind, head: Head, body: &Arc<Shared>) -> Self {
        Self(Content::Shared(kind, head, Arc::clone(body)))
    }

    /// A message framed before (by [`Outgoing::into_frame`]), to be sent as it is to any number of connections.
    pub fn preframed(frame: Bytes) -> Self {
        Self(Content::Framed(frame))
    }

    fn new<const N: usize>(kind: Kind, given: [Bytes; N]) -> Self {
        const { assert!(N <= PARTS, "a message has at most three parts") }
        let mut parts = [const { Bytes::new() }; PARTS];
        for (part, given) in parts.iter_mut().zip(given) {
            *part = given;
        }
        Self(Content::Parts(kind, parts))
    }

    /// What of it can be copied as it is, for a connection without compression: header, head and body.
    pub(super) fn plain_parts(&self) -> Option<(Header, &[u8], &Bytes)> {
        match &self.0 {
            Content::Framed(frame) => Some((Header::default(), &[], frame)),
            Content::Shared(kind, head, body) => {
                Some((Header::new(kind.opcode(), head.len() + body.plain.len()), head, &body.plain))
            }
            Content::Parts(..) => None,
        }
    }

    /// Header and payload in one piece, for [`Outgoing::preframed`].
    pub fn into_frame(self) -> Bytes {
        if let Content::Framed(frame) = self.0 {
            return frame;
        }
        let frame = self.frame(None);
        let mut bytes = BytesMut::with_capacity(frame.len());
        bytes.extend_from_slice(frame.header.as_bytes());
        frame.parts.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes.freeze()
    }

    /// The message for a connection that agreed to compress in this window, if in any: compressed where that is
    /// worth it. A framed message goes as it is, which is always allowed.
    pub(super) fn frame(self, window: Option<Window>) -> Frame {
        match self.0 {
            Content::Framed(frame) => Frame { header: Header::default(), parts: [frame, Bytes::new(), Bytes::new()] },
            Content::Parts(kind, parts) => {
                let size = parts.iter().map(Bytes::len).sum();
                if let Some(window) = window
                    && size >= MIN_SIZE
                    && let packed = compress(&[&parts[0], &parts[1], &parts[2]], window)
                    && packed.len() < size
                {
                    let header = Header::new(COMPRESSED | kind.opcode(), packed.len());
                    return Frame { header, parts: [packed, Bytes::new(), Bytes::new()] };
                }
                Frame { header: Header::new(kind.opcode(), size), parts }
            }
            Content::Shared(kind, head, body) => {
                let size = head.len() + body.plain.len();
                if let Some(window) = window
                    && size >= MIN_SIZE
                    && let Some(frame) = compressed(kind, &head, &body, window)
                {
                    return frame;
                }
                let header = Header::new(kind.opcode(), size);
                Frame { header, parts: [Bytes::copy_from_slice(&head), body.plain.clone(), Bytes::new()] }
            }
        }
    }
}

/// A stored head and the shared compressed body; `None` where that saves nothing.
fn compressed(kind: Kind, head: &[u8], body: &Shared, window: Window) -> Option<Frame> {
    let size = u16::try_from(head.len()).ok()?;
    let packed = body.compressed(window);
    let block = stored_header(size);
    if block.len() + packed.len() >= body.plain.len() {
        return None;
    }
    let mut header = Header::new(COMPRESSED | kind.opcode(), block.len() + head.len() + packed.len());
    header.put(&block);
    Some(Frame { header, parts: [Bytes::copy_from_slice(head), packed.clone(), Bytes::new()] })
}

impl Frame {
    /// How many bytes it takes on the wire.
    pub fn len(&self) -> usize {
        self.header.as_bytes().len() + self.parts.iter().map(Bytes::len).sum::<usize>()
    }
}

/// Appends a ping without payload.
pub(super) fn put_ping(buffer: &mut BytesMut) {
    buffer.put_slice(Header::new(PING, 0).as_bytes());
}

/// Appends a pong; its payload came in a ping, so it is short enough.
pub(super) fn put_pong(buffer: &mut BytesMut, payload: &[u8]) {
    buffer.put_slice(Header::new(PONG, payload.len()).as_bytes());
    buffer.put_slice(payload);
}

/// Appends a close frame; a reason too long for it is cut, and without a code it is empty.
pub(super) fn put_close(buffer: &mut BytesMut, code: Option<u16>, reason: &str) {
    let Some(code) = code else {
        buffer.put_slice(Header::new(CLOSE, 0).as_bytes());
        return;
    };
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL_PAYLOAD - 2)];
    buffer.put_slice(Header::new(CLOSE, 2 + reason.len()).as_bytes());
    buffer.put_u16(code);
    buffer.put_slice(reason.as_bytes());
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;

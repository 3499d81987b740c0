//! Frames as a server sends them (RFC 6455 §5): unmasked, so that one framed message serves everybody.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::head::MAX_CONTROL_PAYLOAD;

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PONG: u8 = 0xa;

/// The parts of a message: usually an opening with the id, a shared payload and a closing brace.
const PARTS: usize = 3;

/// A frame header: 2, 4 or 10 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    bytes: [u8; 10],
    len: u8,
}

impl Header {
    fn new(opcode: u8, payload: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = FIN | opcode;
        let len = match payload {
            0..126 => {
                bytes[1] = payload as u8;
                2
            }
            126..=0xffff => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..].copy_from_slice(&(payload as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, len }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// How a message's payload is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Anything.
    Binary,
}

/// The part of a payload that is the same for every connection it is sent to.
#[derive(Debug)]
pub struct Shared {
    plain: Bytes,
}

impl Shared {
    /// Bytes to be shared.
    pub fn new(plain: impl Into<Bytes>) -> Self {
        Self { plain: plain.into() }
    }

    /// The bytes.
    pub fn plain(&self) -> &Bytes {
        &self.plain
    }
}

/// One message to send. Cloning it shares its payload.
#[derive(Debug, Clone)]
pub struct Outgoing {
    header: Option<Header>,
    parts: [Bytes; PARTS],
}

impl Outgoing {
    /// A text message whose payload is `parts` one after the other, at most three.
    pub fn text<const N: usize>(parts: [Bytes; N]) -> Self {
        Self::new(TEXT, parts)
    }

    /// A binary message whose payload is `parts` one after the other, at most three.
    pub fn binary<const N: usize>(parts: [Bytes; N]) -> Self {
        Self::new(BINARY, parts)
    }

    /// A message of which `head` is for one connection and `body` for all that are sent the same.
    pub fn shared(kind: Kind, head: Bytes, body: &Arc<Shared>) -> Self {
        let opcode = match kind {
            Kind::Text => TEXT,
            Kind::Binary => BINARY,
        };
        Self::new(opcode, [head, body.plain().clone()])
    }

    /// A message framed before (by [`Outgoing::into_frame`]), to be sent as it is to any number of connections.
    pub fn preframed(frame: Bytes) -> Self {
        Self { header: None, parts: [frame, Bytes::new(), Bytes::new()] }
    }

    fn new<const N: usize>(opcode: u8, given: [Bytes; N]) -> Self {
        const { assert!(N <= PARTS, "a message has at most three parts") }
        let payload = given.iter().map(Bytes::len).sum();
        let mut parts = [const { Bytes::new() }; PARTS];
        for (part, given) in parts.iter_mut().zip(given) {
            *part = given;
        }
        Self { header: Some(Header::new(opcode, payload)), parts }
    }

    /// Header and payload in one piece, for [`Outgoing::preframed`].
    pub fn into_frame(self) -> Bytes {
        let [first, second, third] = &self.parts;
        if self.header.is_none() && second.is_empty() && third.is_empty() {
            return first.clone();
        }
        let mut frame = BytesMut::with_capacity(self.frame_len());
        frame.extend_from_slice(self.header());
        self.parts.iter().for_each(|part| frame.extend_from_slice(part));
        frame.freeze()
    }

    /// How many bytes it takes on the wire.
    pub fn frame_len(&self) -> usize {
        self.header().len() + self.parts.iter().map(Bytes::len).sum::<usize>()
    }

    /// The frame header; empty when the first part carries it.
    pub(super) fn header(&self) -> &[u8] {
        self.header.as_ref().map_or(&[], Header::as_bytes)
    }

    /// The payload's parts in order; some may be empty.
    pub(super) fn into_parts(self) -> [Bytes; PARTS] {
        self.parts
    }
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
mod tests {
    use super::*;

    #[test]
    fn the_header_is_in_its_shortest_form() {
        assert_eq!(Header::new(TEXT, 0).as_bytes(), b"\x81\x00");
        assert_eq!(Header::new(TEXT, 125).as_bytes(), b"\x81\x7d");
        assert_eq!(Header::new(TEXT, 126).as_bytes(), b"\x81\x7e\x00\x7e");
        assert_eq!(Header::new(TEXT, 65_535).as_bytes(), b"\x81\x7e\xff\xff");
        assert_eq!(Header::new(TEXT, 65_536).as_bytes(), b"\x81\x7f\0\0\0\0\0\x01\0\0");
    }

    #[test]
    fn parts_are_one_payload() {
        let message = Outgoing::text([Bytes::from("{"), Bytes::from("1"), Bytes::from("}")]);
        assert_eq!(message.frame_len(), 5);
        assert_eq!(&message.into_frame()[..], b"\x81\x03{1}");
        assert_eq!(&Outgoing::binary([]).into_frame()[..], b"\x82\x00");
    }

    #[test]
    fn a_preframed_message_is_shared_not_copied() {
        let frame = Outgoing::text([Bytes::from("shared")]).into_frame();
        let again = Outgoing::preframed(frame.clone()).into_frame();
        assert_eq!(again.as_ptr(), frame.as_ptr());
    }

    #[test]
    fn a_long_close_reason_is_cut_between_characters() {
        let mut frame = BytesMut::new();
        put_close(&mut frame, Some(1002), &"é".repeat(100));
        assert_eq!(frame.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

    #[test]
    fn a_close_without_a_code_is_empty() {
        let mut frame = BytesMut::new();
        put_close(&mut frame, None, "ignored");
        assert_eq!(&frame[..], b"\x88\x00");
    }
}

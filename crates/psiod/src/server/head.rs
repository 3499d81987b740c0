//! The header of one frame as a client sends it (RFC 6455 §5.2), and its mask.

use super::frame::{Violation, close_code};

/// The largest payload of a ping, pong or close frame (RFC 6455 §5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Data(Kind),
    Close,
    Ping,
    Pong,
}

/// The header of one frame.
#[derive(Debug)]
pub(super) struct Head {
    pub fin: bool,
    /// RSV1: the message that begins here is compressed.
    pub compressed: bool,
    pub opcode: Opcode,
    pub key: [u8; 4],
    pub size: usize,
    pub payload: u64,
}

impl Head {
    /// `None` while the header is incomplete; what is wrong in its first two bytes is refused at once.
    /// RSV1 is allowed where permessage-deflate was agreed, on the first frame of a message.
    pub fn parse(input: &[u8], deflate: bool) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = input else {
            return Ok(None);
        };
        let compressed = first & 0x40 != 0;
        if first & 0x30 != 0 || (compressed && !deflate) {
            return Err(protocol_error("reserved bits are set and no extension was agreed"));
        }
        let fin = first & 0x80 != 0;
        let opcode = match first & 0x0f {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Data(Kind::Text),
            0x2 => Opcode::Data(Kind::Binary),
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return Err(protocol_error("reserved opcode")),
        };
        if compressed && !matches!(opcode, Opcode::Data(_)) {
            return Err(protocol_error("only the first frame of a message may say that it is compressed"));
        }
        let short = second & 0x7f;
        if first & 0x08 != 0 {
            if !fin {
                return Err(protocol_error("fragmented control frame"));
            }
            if usize::from(short) > MAX_CONTROL_PAYLOAD {
                return Err(protocol_error("control frame of more than 125 bytes"));
            }
        }
        if second & 0x80 == 0 {
            return Err(protocol_error("frames from a client must be masked"));
        }
        let (payload, length_size) = match short {
            126 => {
                let Some(length) = rest.first_chunk() else {
                    return Ok(None);
                };
                (u64::from(u16::from_be_bytes(*length)), 2)
            }
            127 => {
                let Some(length) = rest.first_chunk() else {
                    return Ok(None);
                };
                (u64::from_be_bytes(*length), 8)
            }
            short => (u64::from(short), 0),
        };
        if payload >> 63 != 0 {
            return Err(protocol_error("highest bit of the length is set"));
        }
        if (length_size == 2 && payload < 126) || (length_size == 8 && payload <= 0xffff) {
            return Err(protocol_error("length is not in its shortest form"));
        }
        let Some(&key) = rest[length_size..].first_chunk() else {
            return Ok(None);
        };
        Ok(Some(Self { fin, compressed, opcode, key, size: 2 + length_size + 4, payload }))
    }
}

pub(super) const fn protocol_error(reason: &'static str) -> Violation {
    Violation { code: close_code::PROTOCOL_ERROR, reason }
}

/// Eight bytes at a time; `as_chunks_mut` lets the compiler make vector instructions of it.
pub(super) fn unmask(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

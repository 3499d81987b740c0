//! permessage-deflate (RFC 7692), made so that compression is paid once however many watch.
//!
//! No context is taken over, in either direction: every message stands for itself, what is compressed once serves
//! every connection, and none keeps a compressor or a window. A message is a head of its own and a shared body: the head
//! goes as a *stored* block, which needs no compression and ends on a byte, and the body's blocks follow it.

use std::cell::RefCell;
use std::net::IpAddr;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::frame::{TOO_LARGE, Violation, close_code};

/// With whom compression is agreed when they offer it. It costs more than it saves where bytes are cheap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deflate {
    /// With nobody.
    Never,
    /// With clients on other machines.
    #[default]
    Remote,
    /// With everybody.
    Always,
}

impl Deflate {
    /// Whether an offer from `peer` may be accepted.
    pub(super) fn is_for(self, peer: IpAddr) -> bool {
        match self {
            Self::Never => false,
            Self::Remote => !peer.to_canonical().is_loopback(),
            Self::Always => true,
        }
    }
}

/// How far back what we compress refers. Clients that ask for less than the full window all get the smallest, so
/// that at most two compressed forms of a body are ever made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Full,
    Small,
}

impl Window {
    /// The base-2 logarithm of its size.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Full => 15,
            Self::Small => 9,
        }
    }
}

/// Smaller messages are not worth compressing.
pub(super) const MIN_SIZE: usize = 256;

/// Level 1: 350 µs for a list of 112 kB, where level 6 takes 1.6 ms for a third fewer bytes.
const LEVEL: Compression = Compression::fast();

/// What ends a sync flush; it does not travel (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Room that a call of the compressor always finds, so that it never splits what ends a flush.
const SPARE: usize = 64;

/// What the first piece of an inflated message takes.
const FIRST_PIECE: usize = 1024;

const INVALID: Violation =
    Violation { code: close_code::INVALID_DATA, reason: "compressed message is not valid deflate data" };

thread_local! {
    // Some 300 kB each, so one for each thread that compresses rather than for each connection.
    static FULL: RefCell<Option<Compress>> = const { RefCell::new(None) };
    static SMALL: RefCell<Option<Compress>> = const { RefCell::new(None) };
    static INFLATER: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

/// The header of a stored block of `size` bytes that is not the last (RFC 1951 §3.2.4).
pub(super) fn stored_header(size: u16) -> [u8; 5] {
    let [low, high] = size.to_le_bytes();
    [0, low, high, !low, !high]
}

/// Compresses `parts` as one payload: blocks that refer to nothing before them, without the flush's tail.
pub(super) fn compress(parts: &[&[u8]], window: Window) -> Bytes {
    let compressor = match window {
        Window::Full => &FULL,
        Window::Small => &SMALL,
    };
    compressor.with_borrow_mut(|compressor| {
        let compressor = compressor.get_or_insert_with(|| Compress::new_with_window_bits(LEVEL, false, window.bits()));
        compressor.reset();
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let mut output = Vec::with_capacity(size / 2 + 2 * SPARE);
        for part in parts {
            let mut input = *part;
            while !input.is_empty() {
                let before = compressor.total_in();
                compress_some(compressor, input, &mut output, FlushCompress::None);
                input = &input[(compressor.total_in() - before) as usize..];
            }
        }
        // A flush that filled the buffer to its end may not be over.
        while {
            compress_some(compressor, &[], &mut output, FlushCompress::Sync);
            output.len() == output.capacity()
        } {}
        debug_assert!(output.ends_with(&TAIL), "a sync flush ends with an empty stored block");
        output.truncate(output.len() - TAIL.len());
        Bytes::copy_from_slice(&output)
    })
}

fn compress_some(compressor: &mut Compress, input: &[u8], output: &mut Vec<u8>, flush: FlushCompress) {
    if output.capacity() - output.len() < SPARE {
        output.reserve(input.len() / 2 + 2 * SPARE);
    }
    compressor.compress_vec(input, output, flush).expect("invariant: a fresh compressor takes any bytes");
}

/// Appends what `packed` inflates to. Nothing beyond `max` bytes is ever made or made room for.
///
/// # Errors
/// It is not deflate data, or more than `max` bytes.
pub(super) fn inflate(packed: &[u8], max: usize, output: &mut Vec<u8>) -> Result<(), Violation> {
    INFLATER.with_borrow_mut(|inflater| {
        let inflater = inflater.get_or_insert_with(|| Decompress::new(false));
        inflater.reset(false);
        inflate_part(inflater, packed, max, output)?;
        inflate_part(inflater, &TAIL, max, output)
    })
}

fn inflate_part(
    inflater: &mut Decompress,
    mut input: &[u8],
    max: usize,
    output: &mut Vec<u8>,
) -> Result<(), Violation> {
    // One byte more than allowed tells too much from just enough.
    let room = max.saturating_add(1);
    loop {
        if output.len() == output.capacity() {
            output.reserve_exact(output.len().max(FIRST_PIECE).min(room - output.len()));
        }
        let before = inflater.total_in();
        let status = inflater.decompress_vec(input, output, FlushDecompress::None).map_err(|_| INVALID)?;
        input = &input[(inflater.total_in() - before) as usize..];
        if output.len() > max {
            return Err(TOO_LARGE);
        }
        if status == Status::StreamEnd {
            // A last block may end the data, or others may follow (RFC 7692 §7.2.3.4).
            inflater.reset(false);
            if input.is_empty() {
                return Ok(());
            }
        } else if output.len() < output.capacity() {
            return Ok(());
        }
    }
}

#[cfg(test)]
#[path = "deflate_tests.rs"]
mod tests;

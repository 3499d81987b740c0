//! Counts the frames of a WebSocket as their bytes arrive, keeping no more of a message than its beginning:
//! what a client of thousands of connections can afford.

/// How much of a message is kept to tell what it is.
pub const PREFIX: usize = 160;

/// Opcodes of RFC 6455 §5.2.
pub mod opcode {
    /// A text message.
    pub const TEXT: u8 = 0x1;
    /// The end of the connection.
    pub const CLOSE: u8 = 0x8;
    /// To be answered by a pong.
    pub const PING: u8 = 0x9;
    /// The answer to a ping.
    pub const PONG: u8 = 0xA;
}

/// A whole frame that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is; see [`opcode`].
    pub opcode: u8,
    /// Whether it ends its message.
    pub is_last: bool,
    /// Bytes of its payload.
    pub length: usize,
    /// The first bytes of its payload as they came over the wire, at most [`PREFIX`].
    pub prefix: &'a [u8],
    mask: Option<[u8; 4]>,
}

impl Frame<'_> {
    /// The first bytes of its payload, unmasked.
    pub fn text(&self) -> Vec<u8> {
        let mask = self.mask.unwrap_or_default();
        self.prefix.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }

    /// Whether it is a whole message of data.
    pub fn is_message(&self) -> bool {
        self.is_last && self.opcode == opcode::TEXT
    }
}

#[derive(Clone, Copy, Debug)]
struct Head {
    first_byte: u8,
    length: usize,
    mask: Option<[u8; 4]>,
}

impl Head {
    /// The head at the start of `bytes` and its size, once all of it is there.
    fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&first_byte, &second_byte) = (bytes.first()?, bytes.get(1)?);
        let (mut size, length) = match second_byte & 0x7F {
            126 => (4, u16::from_be_bytes(array_at(bytes, 2)?).into()),
            127 => (10, u64::from_be_bytes(array_at(bytes, 2)?) as usize),
            short => (2, usize::from(short)),
        };
        let mut mask = None;
        if second_byte & 0x80 != 0 {
            mask = Some(array_at(bytes, size)?);
            size += 4;
        }
        Some((Self { first_byte, length, mask }, size))
    }

    fn frame(self, prefix: &[u8]) -> Frame<'_> {
        Frame {
            opcode: self.first_byte & 0x0F,
            is_last: self.first_byte & 0x80 != 0,
            length: self.length,
            prefix,
            mask: self.mask,
        }
    }
}

/// Where in the stream of one connection we are.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// The beginning of a head whose rest has not come yet.
    started: Vec<u8>,
    /// The frame whose payload is arriving, and how much of it is still to come.
    current: Option<(Head, usize)>,
    prefix: Vec<u8>,
}

impl FrameReader {
    /// Whether nothing has begun that has not ended.
    pub fn is_at_boundary(&self) -> bool {
        self.current.is_none() && self.started.is_empty()
    }

    /// Takes the bytes that came next; `each` sees every frame that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
        loop {
            let (head, left) = match self.current.take() {
                Some(current) => current,
                None => {
                    let Some((head, rest)) = self.take_head(bytes) else { return };
                    bytes = rest;
                    if head.length <= bytes.len() {
                        let (payload, rest) = bytes.split_at(head.length);
                        each(head.frame(&payload[..payload.len().min(PREFIX)]));
                        bytes = rest;
                        continue;
                    }
                    self.prefix.clear();
                    (head, head.length)
                }
            };
            let (part, rest) = bytes.split_at(left.min(bytes.len()));
            let wanted = PREFIX - self.prefix.len();
            self.prefix.extend_from_slice(&part[..part.len().min(wanted)]);
            bytes = rest;
            if part.len() < left {
                self.current = Some((head, left - part.len()));
                return;
            }
            each(head.frame(&self.prefix));
        }
    }

    /// The next head and what follows it; what is there of an unfinished one is put by.
    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Option<(Head, &'a [u8])> {
        if self.started.is_empty()
            && let Some((head, size)) = Head::parse(bytes)
        {
            return Some((head, &bytes[size..]));
        }
        for (at, &byte) in bytes.iter().enumerate() {
            self.started.push(byte);
            if let Some((head, _)) = Head::parse(&self.started) {
                self.started.clear();
                return Some((head, &bytes[at + 1..]));
            }
        }
        None
    }
}

/// What psiod says in a message, as far as counting needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A tick of a subscription.
    Event {
        /// The subscription.
        id: u32,
        /// Which of its ticks.
        seq: u32,
    },
    /// The answer to a request.
    Response,
    /// A refusal, or the end of a subscription, or anything else that nobody asked for.
    Other,
}

/// Tells what a message is by its beginning.
pub fn told_by(prefix: &[u8]) -> Said {
    let Some(rest) = prefix.strip_prefix(br#"{"type":""#) else {
        return Said::Other;
    };
    if rest.starts_with(b"response\"") {
        return Said::Response;
    }
    let Some(rest) = rest.strip_prefix(b"event\"") else {
        return Said::Other;
    };
    match (number_after(rest, b"\"id\":"), number_after(rest, b"\"seq\":")) {
        (Some(id), Some(seq)) => Said::Event { id, seq },
        _ => Said::Other,
    }
}

fn number_after(text: &[u8], key: &[u8]) -> Option<u32> {
    let at = text.windows(key.len()).position(|window| window == key)? + key.len();
    let digits: &[u8] = text[at..].split(|byte| !byte.is_ascii_digit()).next()?;
    // A number that the prefix cuts off would be a wrong one.
    if at + digits.len() == text.len() {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// An unmasked text frame of `length` bytes, as a server would write it.
pub fn server_frame(length: usize) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode::TEXT];
    match length {
        short @ 0..=125 => frame.push(short as u8),
        medium @ 126..=0xFFFF => {
            frame.push(126);
            frame.extend((medium as u16).to_be_bytes());
        }
        long => {
            frame.push(127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.resize(frame.len() + length, b'x');
    frame
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::text_frame;

    /// Opcode, length and unmasked beginning of every frame, the bytes coming `piece` at a time.
    fn read(bytes: &[u8], piece: usize) -> Vec<(u8, usize, Vec<u8>)> {
        let mut reader = FrameReader::default();
        let mut frames = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.feed(piece, |frame| frames.push((frame.opcode, frame.length, frame.text())));
        }
        assert!(reader.is_at_boundary());
        frames
    }

    #[test]
    fn frames_are_the_same_however_their_bytes_arrive() {
        let lengths = [0, 1, 125, 126, 400, 65_535, 65_536, 100_000, 0];
        let mut bytes: Vec<u8> = lengths.iter().flat_map(|&length| server_frame(length)).collect();
        bytes.extend([0x89, 2, b'h', b'i']);
        bytes.extend(text_frame("masked"));
        let whole = read(&bytes, bytes.len());
        let seen: Vec<usize> = whole.iter().map(|frame| frame.1).collect();
        assert_eq!(seen, [&lengths[..], &[2, 6]].concat());
        assert_eq!(whole[9], (opcode::PING, 2, b"hi".to_vec()));
        assert_eq!(whole[10], (opcode::TEXT, 6, b"masked".to_vec()));
        assert_eq!(whole[4].2.len(), PREFIX);
        for piece in [1, 2, 3, 7, 1000, 65_537] {
            assert_eq!(read(&bytes, piece), whole, "{piece} at a time");
        }
    }

    #[test]
    fn a_begun_frame_is_no_boundary() {
        let mut reader = FrameReader::default();
        reader.feed(&[0x81], |_| panic!("no frame yet"));
        assert!(!reader.is_at_boundary());
        reader.feed(&[2, b'o'], |_| panic!("no frame yet"));
        assert!(!reader.is_at_boundary());
        reader.feed(b"k", |frame| assert_eq!(frame.prefix, b"ok"));
        assert!(reader.is_at_boundary());
    }

    #[test]
    fn an_event_is_told_by_its_beginning() {
        let event = br#"{"type":"event","id":2,"seq":417,"time":1763815137000,"data":[{"id":9,"seq":1}]}"#;
        assert_eq!(told_by(event), Said::Event { id: 2, seq: 417 });
        assert_eq!(told_by(br#"{"type":"response","id":2,"data":null}"#), Said::Response);
        assert_eq!(told_by(br#"{"type":"end","id":2,"data":{}}"#), Said::Other);
        assert_eq!(told_by(br#"{"type":"error","id":2,"data":{}}"#), Said::Other);
    }

    #[test]
    fn a_number_that_is_cut_off_is_none() {
        assert_eq!(told_by(br#"{"type":"event","id":2,"seq":41"#), Said::Other);
        assert_eq!(told_by(br#"{"type":"event","id":"two","seq":41,"#), Said::Other);
    }
}

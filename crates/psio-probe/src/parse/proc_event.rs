//! What the process events connector sends: a netlink message that holds a connector message that holds an event; see
//! `linux/netlink.h`, `linux/connector.h` and `linux/cn_proc.h`. Numbers are in the machine's own byte order.

use super::ParseError;

/// `NLMSG_DONE`: the only type that the connector uses.
const NETLINK_DONE: u16 = 3;
/// `struct nlmsghdr`
const NETLINK_HEADER_BYTES: usize = 16;
/// `struct cn_msg` without its data.
const CONNECTOR_HEADER_BYTES: usize = 20;
/// `CN_IDX_PROC` and `CN_VAL_PROC`
const CONNECTOR_ID: (u32, u32) = (1, 1);
/// `enum proc_cn_mcast_op`
const LISTEN: u32 = 1;

/// One message of the connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Counts the messages of one CPU; wraps around.
    pub seq: u32,
    /// In an answer: one more than what was asked with.
    pub ack: u32,
    /// The CPU it was sent on; `None` where the kernel says none.
    pub cpu: Option<u32>,
    /// Nanoseconds on `CLOCK_MONOTONIC`.
    pub timestamp_ns: u64,
    /// What happened.
    pub event: Event,
}

/// What happened. A `tgid` is what everybody else calls a pid; `tid` names one thread of it, the main thread by the same
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The answer to a request to listen, with an errno or 0.
    Answer {
        /// `EPERM` and the like.
        errno: u32,
    },
    /// A thread, or with `tid == tgid` a process, was created.
    Fork {
        /// The process that did.
        parent_tgid: u32,
        /// The new thread.
        tid: u32,
        /// Its process.
        tgid: u32,
    },
    /// A process runs another program.
    Exec {
        /// The process.
        tgid: u32,
    },
    /// The real or effective user of a thread changed.
    User {
        /// The thread.
        tid: u32,
        /// Its process.
        tgid: u32,
        /// Real user id now.
        real: u32,
    },
    /// A thread ended.
    Exit {
        /// The thread.
        tid: u32,
        /// Its process.
        tgid: u32,
        /// As of wait(2).
        status: u32,
        /// The parent of the process; `None` where the kernel does not say.
        parent_tgid: Option<u32>,
    },
    /// Of no interest here: groups, sessions, tracing, names, core dumps.
    Other,
}

/// How a process ended, out of what wait(2) gives: its exit code, or the signal that ended it.
pub fn exit_code_or_signal(status: u32) -> (Option<u8>, Option<i32>) {
    const SIGNAL_BITS: u32 = 0x7f;
    match status & SIGNAL_BITS {
        0 => (Some((status >> 8) as u8), None),
        signal => (None, Some(signal as i32)),
    }
}

/// Reads one datagram.
pub fn parse(datagram: &[u8]) -> Result<Message, ParseError> {
    let length = u32_at(datagram, 0).ok_or(ParseError("a netlink header"))? as usize;
    let message = datagram.get(..length).ok_or(ParseError("as many bytes as the netlink header says"))?;
    let kind = u16_at(message, 4).ok_or(ParseError("a netlink header"))?;
    if kind != NETLINK_DONE {
        return Err(ParseError("a netlink message of type NLMSG_DONE"));
    }
    let connector = message.get(NETLINK_HEADER_BYTES..).ok_or(ParseError("a connector message"))?;
    let word = |index: usize| u32_at(connector, index * 4).ok_or(ParseError("a connector message"));
    if (word(0)?, word(1)?) != CONNECTOR_ID {
        return Err(ParseError("a message of the process events connector"));
    }
    let (seq, ack) = (word(2)?, word(3)?);
    let data_bytes = usize::from(u16_at(connector, 16).ok_or(ParseError("a connector message"))?);
    let data = connector
        .get(CONNECTOR_HEADER_BYTES..)
        .and_then(|data| data.get(..data_bytes))
        .ok_or(ParseError("as many bytes as the connector message says"))?;
    event(seq, ack, data)
}

fn event(seq: u32, ack: u32, data: &[u8]) -> Result<Message, ParseError> {
    const NO_CPU: u32 = u32::MAX;
    const CUT: ParseError = ParseError("a whole process event");
    let kind = u32_at(data, 0).ok_or(CUT)?;
    let cpu = Some(u32_at(data, 4).ok_or(CUT)?).filter(|&cpu| cpu != NO_CPU);
    let timestamp_ns = u64_at(data, 8).ok_or(CUT)?;
    let word = |index: usize| u32_at(data, 16 + index * 4).ok_or(CUT);
    // `enum proc_cn_event`
    let event = match kind {
        0 => Event::Answer { errno: word(0)? },
        0x0000_0001 => Event::Fork { parent_tgid: word(1)?, tid: word(2)?, tgid: word(3)? },
        0x0000_0002 => Event::Exec { tgid: word(1)? },
        0x0000_0004 => Event::User { tid: word(0)?, tgid: word(1)?, real: word(2)? },
        0x8000_0000 => Event::Exit {
            tid: word(0)?,
            tgid: word(1)?,
            status: word(2)?,
            // Not told before Linux 4.18, nor where the parent has taken note already.
            parent_tgid: word(5).ok().filter(|&parent| parent != 0),
        },
        _ => Event::Other,
    };
    Ok(Message { seq, ack, cpu, timestamp_ns, event })
}

/// A request to be told of events, answered with `ack + 1`.
pub fn listen(ack: u32) -> Vec<u8> {
    const DATA_BYTES: u16 = 4;
    let length = (NETLINK_HEADER_BYTES + CONNECTOR_HEADER_BYTES) as u32 + u32::from(DATA_BYTES);
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(NETLINK_DONE.to_ne_bytes());
    // Flags, sequence number and port of the netlink message, which the connector does not look at.
    bytes.extend([0; 10]);
    for word in [CONNECTOR_ID.0, CONNECTOR_ID.1, 0, ack] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(DATA_BYTES.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(LISTEN.to_ne_bytes());
    bytes
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

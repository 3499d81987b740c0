//! The process events connector: a netlink socket on which the kernel tells of every thread that is created, executes
//! or ends.
//!
//! That a socket can be opened and bound proves nothing: requests from containers are accepted and ignored. So the
//! kernel is asked to confirm, which it does by the same path as it sends events. It counts its listeners in a
//! way that can go wrong: a failed delivery or another listener's goodbye may silence it for all. Hence a new socket
//! after an overflow, and a question after a long silence; and no goodbye from us, since a closed socket is
//! noticed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto, socket_with};

use crate::lifecycle::LifecycleUnavailable;
use crate::parse::proc_event::{self, Event, Message};

/// The kernel answers before the request returns.
pub const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);
/// The first socket may find a count of listeners that others left one too low, and sets it right for the second.
const ATTEMPTS: u32 = 2;
/// `CN_IDX_PROC`, the multicast group.
const GROUP: u32 = 1;
/// The kernel: everybody else on a netlink socket has a port of its own.
const KERNEL: SocketAddrNetlink = SocketAddrNetlink::new(0, 0);
/// The kernel doubles it, and a message takes up some 800 bytes of that: room for about 10,000.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
const MESSAGE_BYTES: usize = 1024;

/// What a look at the socket brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message, and how many are missing before it.
    Message(Message, u64),
    /// Nothing for now.
    Nothing,
    /// More came than fits the buffer, so that some were lost; the connector must be opened anew.
    Overflow,
}

/// A socket on which the kernel has confirmed that it sends.
pub struct ProcConnector {
    socket: OwnedFd,
    sequences: Sequences,
}

impl ProcConnector {
    /// Opens one and waits for the confirmation.
    pub fn open() -> Result<Self, LifecycleUnavailable> {
        for _ in 0..ATTEMPTS {
            let mut connector = Self::connect()?;
            let ack = connector.ask()?;
            if connector.is_answered(ack)? {
                return Ok(connector);
            }
            if let Some(name) = other_namespace() {
                return Err(LifecycleUnavailable::Namespace(name));
            }
        }
        Err(LifecycleUnavailable::NoAnswer(ANSWER_TIMEOUT * ATTEMPTS))
    }

    /// Asks for an answer, which shows that the kernel still sends; returns the `ack` that it will have.
    pub fn ask(&self) -> Result<u32, LifecycleUnavailable> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Everybody hears the answers to everybody: so that ours is told from others'.
        let ack = std::process::id().rotate_left(16) ^ COUNT.fetch_add(1, Ordering::Relaxed);
        const DOING: &str = "sending a request";
        match sendto(&self.socket, &proc_event::listen(ack), SendFlags::empty(), &KERNEL) {
            Ok(_) => Ok(ack.wrapping_add(1)),
            Err(errno) => Err(refused(DOING, errno)),
        }
    }

    /// Waits until there is something to receive; false when the time has passed.
    pub fn wait(&self, timeout: Duration) -> Result<bool, LifecycleUnavailable> {
        let timeout = Timespec::try_from(timeout).ok();
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(refused("waiting for events", errno)),
        }
    }

    /// Takes one message, without waiting.
    pub fn receive(&mut self) -> Result<Received, LifecycleUnavailable> {
        let mut buffer = [0; MESSAGE_BYTES];
        loop {
            let (length, from) = match recvfrom(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((length, _, from)) => (length, from),
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                Err(Errno::INTR) => continue,
                Err(Errno::NOBUFS) => return Ok(Received::Overflow),
                Err(errno) => return Err(refused("receiving events", errno)),
            };
            let from_kernel = from
                .and_then(|from| SocketAddrNetlink::try_from(from).ok())
                .is_some_and(|from| from.pid() == KERNEL.pid());
            // What is not understood leaves a gap in the sequence, where it was of that sequence at all.
            if let (true, Ok(message)) = (from_kernel, proc_event::parse(&buffer[..length])) {
                return Ok(Received::Message(message, self.sequences.missing_before(&message)));
            }
        }
    }

    fn connect() -> Result<Self, LifecycleUnavailable> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::CONNECTOR))
            .map_err(|errno| refused("opening a netlink socket", errno))?;
        // Beyond the limit `net.core.rmem_max` where we may, else as far as it goes; a small buffer overflows sooner.
        let _ = set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER_BYTES)
            .or_else(|_| set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES));
        bind(&socket, &SocketAddrNetlink::new(0, GROUP)).map_err(|errno| refused("joining the group", errno))?;
        Ok(Self { socket, sequences: Sequences::default() })
    }

    fn is_answered(&mut self, ack: u32) -> Result<bool, LifecycleUnavailable> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            match self.receive()? {
                Received::Message(Message { event: Event::Answer { errno }, ack: answered, .. }, _)
                    if answered == ack =>
                {
                    return match i32::try_from(errno) {
                        Ok(0) => Ok(true),
                        errno => Err(refused("asking for events", Errno::from_raw_os_error(errno.unwrap_or(1)))),
                    };
                }
                Received::Message(..) | Received::Overflow => {}
                Received::Nothing => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(false);
                    }
                    self.wait(left)?;
                }
            }
        }
    }
}

fn refused(doing: &'static str, errno: Errno) -> LifecycleUnavailable {
    let source = errno.into();
    match errno {
        Errno::PERM | Errno::ACCESS => LifecycleUnavailable::Denied { doing, source },
        // CONNREFUSED: no kernel at the other end, as in other network namespaces.
        Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::CONNREFUSED => {
            LifecycleUnavailable::Unsupported { doing, source }
        }
        _ => LifecycleUnavailable::Failed { doing, source },
    }
}

/// Which of our namespaces is not the initial one: requests from there are ignored. Those two have had fixed numbers since
/// Linux 3.8 (`PROC_PID_INIT_INO`, `PROC_USER_INIT_INO`).
fn other_namespace() -> Option<&'static str> {
    const INITIAL: [(&str, &str); 2] = [("pid", "pid:[4026531836]"), ("user", "user:[4026531837]")];
    let is_other = |(name, initial): &(&str, &str)| {
        std::fs::read_link(format!("/proc/self/ns/{name}")).is_ok_and(|target| target.as_os_str() != *initial)
    };
    INITIAL.iter().find(|entry| is_other(entry)).map(|(name, _)| *name)
}

/// The number that each CPU's next message should have.
#[derive(Debug, Default)]
struct Sequences {
    next: HashMap<u32, u32>,
}

impl Sequences {
    /// How many messages of its CPU are missing before this one. Older kernels may send two of them in the wrong order:
    /// that counts as one missing, and the late one as none.
    fn missing_before(&mut self, message: &Message) -> u64 {
        let Some(cpu) = message.cpu else { return 0 };
        let expected = self.next.entry(cpu).or_insert(message.seq);
        let ahead = message.seq.wrapping_sub(*expected);
        if ahead > u32::MAX / 2 {
            return 0;
        }
        *expected = message.seq.wrapping_add(1);
        u64::from(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(seqs: &[(u32, u32)]) -> Vec<u64> {
        let mut sequences = Sequences::default();
        let message =
            |cpu, seq| Message { seq, ack: 0, cpu: Some(cpu), timestamp_ns: 0, event: Event::Exec { tgid: 1 } };
        seqs.iter().map(|&(cpu, seq)| sequences.missing_before(&message(cpu, seq))).collect()
    }

    #[test]
    fn each_cpu_counts_for_itself_from_where_it_is() {
        assert_eq!(missing(&[(0, 7), (1, 100), (0, 8), (1, 101)]), [0, 0, 0, 0]);
    }

    #[test]
    fn a_gap_is_as_long_as_what_is_missing() {
        assert_eq!(missing(&[(0, 7), (1, 1), (0, 10), (0, 11)]), [0, 0, 2, 0]);
    }

    #[test]
    fn the_sequence_wraps_around() {
        assert_eq!(missing(&[(0, u32::MAX), (0, 0), (0, 2)]), [0, 0, 1]);
    }

    #[test]
    fn a_late_message_is_not_a_gap_of_four_thousand_million() {
        assert_eq!(missing(&[(0, 7), (0, 9), (0, 8), (0, 10)]), [0, 1, 0, 0]);
    }
}

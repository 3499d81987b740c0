//! epoll, as little of it as the crowd client and the floor server need: descriptors by number, level-triggered.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData};
use rustix::io::Errno;
use rustix::time::Timespec;

pub use rustix::event::epoll::EventFlags;

/// How many descriptors one wait reports at most.
const AT_ONCE: usize = 1024;

/// Waits for many descriptors at once.
pub struct Poller {
    epoll: OwnedFd,
    ready: Vec<Event>,
}

impl Poller {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// When the kernel has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, ready: Vec::with_capacity(AT_ONCE) })
    }

    /// Waits for `interest` of a descriptor from now on, and reports it by `number`.
    ///
    /// # Errors
    /// When it is waited for already.
    pub fn add(&self, descriptor: impl AsFd, number: usize, interest: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, descriptor, EventData::new_u64(number as u64), interest)?)
    }

    /// Waits for another `interest` of a descriptor.
    ///
    /// # Errors
    /// When it is not waited for.
    pub fn modify(&self, descriptor: impl AsFd, number: usize, interest: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, descriptor, EventData::new_u64(number as u64), interest)?)
    }

    /// No longer waits for a descriptor.
    ///
    /// # Errors
    /// When it is not waited for.
    pub fn remove(&self, descriptor: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, descriptor)?)
    }

    /// Waits until something is ready or `until` has come; `ready` is what is then ready.
    ///
    /// # Errors
    /// Only for reasons that end a program.
    pub fn wait(&mut self, ready: &mut Vec<(usize, EventFlags)>, until: Instant) -> io::Result<()> {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).map_err(io::Error::other)?;
        self.ready.clear();
        ready.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&left)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        ready.extend(self.ready.iter().map(|event| (event.data.u64() as usize, event.flags)));
        Ok(())
    }
}

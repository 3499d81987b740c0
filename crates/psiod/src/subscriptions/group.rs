//! Everybody who is told the same at the same moments.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slab::Slab;

use super::queue::Queue;
use super::slot::Slot;
use super::subscriber::Subscriber;
use crate::answers::Question;

/// What makes subscriptions the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    /// What is told.
    pub question: Question,
    /// How often.
    pub interval_ms: u32,
}

impl GroupKey {
    /// From one tick to the next.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.into())
    }
}

/// The subscriptions that are the same.
pub struct Group {
    pub key: GroupKey,
    pub told: Told,
    members: Mutex<Slab<Arc<Subscriber>>>,
    /// The tick that came last, counted from the hub's start; those missed count too.
    number: AtomicU64,
}

/// How a group is told.
#[derive(Clone)]
pub enum Told {
    /// What a command answers: the newest is all that counts.
    Slot(Arc<Slot>),
    /// What happens: all of it counts.
    Queue(Arc<Queue>),
}

impl Group {
    /// A group whose members have just been told something, in the time of tick `number`.
    pub fn new(key: GroupKey, told: Told, number: u64) -> Self {
        Self { key, told, members: Mutex::default(), number: number.into() }
    }

    pub fn interval(&self) -> Duration {
        self.key.interval()
    }

    pub fn members(&self) -> MutexGuard<'_, Slab<Arc<Subscriber>>> {
        // The list is whole between any two statements that change it.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Comes to a later tick: how many were missed in between; `None` where it is not later.
    pub fn advance(&self, number: u64) -> Option<u64> {
        let missed = number.checked_sub(self.number() + 1)?;
        self.number.store(number, Ordering::Relaxed);
        Some(missed)
    }
}

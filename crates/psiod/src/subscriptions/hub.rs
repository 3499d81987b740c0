//! The groups there are, and the clock they share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use psio_api::error::ApiError;
use tokio::sync::Notify;

use super::group::{Group, GroupKey, Mailbox, Told};
use super::slot::{Newest, Slot, Tick};
use crate::stats::Stats;

/// A tick this young serves whoever subscribes.
const YOUNG: Duration = Duration::from_secs(1);

/// Every group. Ticks are at multiples of their interval since the hub was made, so that those of different intervals
/// coincide and share what is sampled for them.
pub struct Hub {
    started: Instant,
    stats: Arc<Stats>,
    groups: Mutex<HashMap<GroupKey, Arc<Group>>>,
    /// Rounds of ticks published so far.
    round: AtomicU64,
    /// Told when the ticker is to look anew: there is a new group, one that was late is ready, or a list is wanted.
    pub(super) changed: Notify,
    /// Held while groups that take long are evaluated, one after the other.
    pub(super) evaluating: tokio::sync::Mutex<()>,
}

/// A place in a group; given up when dropped.
pub(super) struct Membership {
    hub: Arc<Hub>,
    pub group: Arc<Group>,
    place: usize,
}

impl Hub {
    /// A hub without groups.
    pub fn new(stats: Arc<Stats>) -> Self {
        Self {
            started: Instant::now(),
            stats,
            groups: Mutex::default(),
            round: AtomicU64::new(0),
            changed: Notify::new(),
            evaluating: tokio::sync::Mutex::default(),
        }
    }

    /// The tick of this interval that came last.
    pub(super) fn tick_number(&self, interval: Duration) -> u64 {
        (self.started.elapsed().as_nanos() / interval.as_nanos().max(1)) as u64
    }

    /// The tick of this interval that is nearest: what somebody is told now counts as that one, so that the next does
    /// not follow on its heels.
    pub(super) fn nearest_tick(&self, interval: Duration) -> u64 {
        ((self.started.elapsed() + interval / 2).as_nanos() / interval.as_nanos().max(1)) as u64
    }

    /// When that tick is.
    pub(super) fn tick_time(&self, interval: Duration, number: u64) -> Instant {
        self.started + Duration::from_nanos((interval.as_nanos() as u64).saturating_mul(number))
    }

    pub(super) fn groups(&self) -> MutexGuard<'_, HashMap<GroupKey, Arc<Group>>> {
        // The map is whole between any two statements that change it.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest tick of this group and the slot it is in, if it is young enough to begin with.
    pub(super) fn young_tick(&self, key: &GroupKey) -> Option<(Arc<Tick>, Arc<Slot>)> {
        let group = self.groups().get(key).cloned()?;
        let Told::Slot(slot) = &group.told else { return None };
        match slot.newest()? {
            Newest::Tick(tick) if tick.made.elapsed() <= YOUNG => Some((tick, slot.clone())),
            _ => None,
        }
    }

    /// Puts `mailbox` into the group, which is made if there is none. `told` is for its first member, who was told
    /// something in the time of tick `number`.
    pub(super) fn join(
        self: &Arc<Self>,
        key: GroupKey,
        told: impl FnOnce() -> Told,
        number: u64,
        mailbox: Arc<Mailbox>,
    ) -> Membership {
        let mut groups = self.groups();
        let group = groups.entry(key.clone()).or_insert_with(|| {
            self.changed.notify_one();
            Arc::new(Group::new(key, told(), number))
        });
        let group = group.clone();
        let place = group.members().insert(mailbox);
        self.stats.subscriptions.fetch_add(1, Ordering::Relaxed);
        Membership { hub: self.clone(), group, place }
    }

    /// Ends a group: its members are told why, and no others come in.
    pub(super) fn end(&self, group: &Group, slot: &Slot, error: ApiError) {
        self.forget(&mut self.groups(), group);
        slot.publish(Newest::Ended(Arc::new(error)));
    }

    /// Takes the group out, unless another has taken its place.
    fn forget(&self, groups: &mut HashMap<GroupKey, Arc<Group>>, group: &Group) {
        if groups.get(&group.key).is_some_and(|found| std::ptr::eq(&**found, group)) {
            groups.remove(&group.key);
        }
    }

    /// The round whose ticks are being sent.
    pub(super) fn round(&self) -> u64 {
        self.round.load(Ordering::SeqCst)
    }

    /// Wakes the members of groups that have published.
    pub(super) fn wake(&self, groups: &[Arc<Group>]) {
        let round = self.round.fetch_add(1, Ordering::SeqCst) + 1;
        for group in groups {
            for (_, mailbox) in &*group.members() {
                mailbox.notify(round);
            }
        }
    }

    /// Counts ticks that could not be told.
    pub(super) fn dropped(&self, ticks: u64) {
        self.stats.dropped_ticks.fetch_add(ticks, Ordering::Relaxed);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut groups = self.hub.groups();
        let mut members = self.group.members();
        members.remove(self.place);
        if members.is_empty() {
            self.hub.forget(&mut groups, &self.group);
        }
        self.hub.stats.subscriptions.fetch_sub(1, Ordering::Relaxed);
    }
}

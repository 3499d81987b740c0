//! The groups there are, and the clock they share.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use psio_api::error::ApiError;
use smallvec::SmallVec;
use tokio::sync::Notify;

use super::group::{Group, GroupKey, Told};
use super::slot::{Newest, Slot, Tick};
use super::subscriber::Subscriber;
use crate::stats::Stats;

/// A tick this young serves whoever subscribes.
const YOUNG: Duration = Duration::from_secs(1);

/// Connections that are woken together.
const BATCH: usize = 64;

/// What telling a batch takes at most where nothing else is to be done.
const BATCH_TIME: Duration = Duration::from_millis(4);

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

    /// Puts `member` into the group, which is made if there is none. `told` is for its first member, who was told
    /// something in the time of tick `number`.
    pub(super) fn join(
        self: &Arc<Self>,
        key: GroupKey,
        told: impl FnOnce() -> Told,
        number: u64,
        member: Arc<Subscriber>,
    ) -> Membership {
        let mut groups = self.groups();
        let group = groups.entry(key.clone()).or_insert_with(|| {
            self.changed.notify_one();
            Arc::new(Group::new(key, told(), number))
        });
        let group = group.clone();
        let place = group.members().insert(member);
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

    /// Wakes the members of groups that have published, a batch at a time, and lets each batch be told before the next:
    /// what was touched to wake a connection is still in the processor's cache when its turn comes.
    pub(super) async fn wake(&self, groups: &[Arc<Group>]) {
        let round = self.round.fetch_add(1, Ordering::SeqCst) + 1;
        let places = groups.iter().map(|group| group.members().capacity()).max().unwrap_or(0);
        let mut batch = BATCH;
        let mut start = 0;
        while start < places {
            let mut is_anyone_woken = false;
            // Who is in several groups mostly has neighbouring places in them.
            for group in groups {
                let members = group.members();
                let end = members.capacity().min(start + batch);
                let here = (start..end).filter_map(|place| members.get(place));
                // Looked at first and woken then, so that the processor fetches many of them at a time.
                let asleep: SmallVec<[_; BATCH]> = here.filter(|member| !member.has_heard(round)).collect();
                asleep.iter().for_each(|member| member.notify());
                is_anyone_woken |= !asleep.is_empty();
            }
            start += batch;
            if !is_anyone_woken {
                continue;
            }
            let began = Instant::now();
            give_way().await;
            if began.elapsed() > BATCH_TIME {
                // Others have much to do: those who are left are not to wait for them again and again.
                batch = places;
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

/// Goes to the end of the queue of what this thread has to do, behind those who were just woken. (Tokio's own
/// `yield_now` waits in addition until the thread has looked for what happened to its sockets.)
async fn give_way() {
    let mut has_given_way = false;
    poll_fn(|cx| {
        if has_given_way {
            return Poll::Ready(());
        }
        has_given_way = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

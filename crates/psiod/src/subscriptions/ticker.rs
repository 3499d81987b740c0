//! The one task that ticks: has the machine sampled when groups are due, evaluates each once and wakes the members.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use psio_api::data::topics::Topics;
use psio_api::error::{ApiError, ErrorCode};
use tracing::debug;

use super::group::{Group, Told};
use super::hub::Hub;
use super::queue::Queue;
use super::slot::{Newest, Slot, Tick};
use crate::answers::{Answers, Question};
use crate::dispatch::Service;
use crate::ring::MAX_WINDOW;

/// What may be evaluated at a tick. What goes beyond it, the dearest, is told when it is ready.
const IN_TIME: Duration = Duration::from_millis(30);

/// What may be evaluated before those that are ready are told: who asks for little does not wait for who asks for much.
const ROUND: Duration = Duration::from_millis(5);

impl Service {
    /// Ticks for as long as the service lives.
    pub async fn tick(self: Arc<Self>) {
        loop {
            let changed = self.hub.changed.notified();
            let wait = async {
                match self.hub.next_wake() {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = changed => {}
            }
            self.lead().await;
            self.relieve().await;
            let due = self.hub.take_due();
            if !due.is_empty() {
                self.tell(due).await;
            }
        }
    }

    /// Reads what ticks further apart than the longest window will measure their rates from.
    async fn lead(&self) {
        let now = Instant::now();
        let mut topics = Topics::NONE;
        for group in self.hub.groups().values() {
            if let Told::Slot(slot) = &group.told
                && self.hub.lead_time(group, slot).is_some_and(|at| at <= now)
            {
                slot.progress().is_led = true;
                topics = topics | slot.command.needs().with_rates();
            }
        }
        if !topics.is_empty()
            && let Err(error) = self.sampler.counted(topics).await
        {
            debug!("cannot read ahead of a tick: {error}");
        }
    }

    /// Makes the lists that those need who were told too slowly what happens to processes.
    async fn relieve(&self) {
        let wants_relief = |group: &&Arc<Group>| match &group.told {
            Told::Slot(_) => false,
            Told::Queue(queue) => queue.is_relief_wanted(),
        };
        let groups: Vec<_> = self.hub.groups().values().filter(wants_relief).cloned().collect();
        for group in groups {
            let Told::Queue(queue) = &group.told else { continue };
            match queue.relieve(&self.sampler).await {
                Ok(true) => self.hub.wake(std::slice::from_ref(&group)).await,
                Ok(false) => {}
                Err(error) => debug!("cannot list processes for who was told too slowly: {error}"),
            }
        }
    }

    /// Tells the members of groups that are due.
    async fn tell(self: &Arc<Self>, mut due: Vec<Due>) {
        let topics = due.iter().fold(Topics::NONE, |topics, due| topics | due.group.topics());
        let within = due.iter().map(|due| due.group.interval() / 4).min().unwrap_or_default();
        let sampled = self.sampled_for_ticks(topics, within).await;
        due.sort_by_key(|due| due.group.cost());
        let mut spent = Duration::ZERO;
        let late = due.iter().position(|due| {
            spent += due.group.cost();
            spent > IN_TIME
        });
        self.tell_later(due.split_off(late.unwrap_or(due.len())));
        let mut ready = Vec::new();
        let mut round_began = Instant::now();
        for Due { group, number } in due {
            let has_news = match &group.told {
                Told::Slot(slot) => self.fill_or_end(&group, slot, number, &sampled, within).await,
                Told::Queue(queue) => self.lengthen(queue, within).await,
            };
            if !has_news {
                continue;
            }
            ready.push(group);
            if round_began.elapsed() > ROUND {
                self.hub.wake(&ready).await;
                ready.clear();
                tokio::task::yield_now().await;
                round_began = Instant::now();
            }
        }
        self.hub.wake(&ready).await;
    }

    /// Has these topics sampled, those that are dear to read more seldom: however often somebody wants to be told, no
    /// topic keeps the sampler busy for more than a quarter of its time.
    async fn sampled_for_ticks(&self, topics: Topics, within: Duration) -> Result<(), ApiError> {
        let each = Topics::each().filter(|&topic| topics.contains(topic)).map(|topic| {
            let cost = self.sampler.ring().series(topic).cost();
            self.sampler.sampled_within(topic, within.max(cost * 3))
        });
        join_all(each).await.into_iter().collect()
    }

    /// Evaluates what takes long beside the ticks, so that they stay what they are for everybody else.
    fn tell_later(self: &Arc<Self>, late: Vec<Due>) {
        for Due { group, number } in late {
            let service = Arc::clone(self);
            if let Told::Slot(slot) = &group.told {
                slot.progress().is_late = true;
            }
            tokio::spawn(async move {
                let Told::Slot(slot) = &group.told else { return };
                let turn = service.hub.evaluating.lock().await;
                let has_news = service.clone().fill_apart(group.clone(), number).await;
                drop(turn);
                slot.progress().is_late = false;
                service.hub.changed.notify_one();
                if has_news {
                    service.hub.wake(std::slice::from_ref(&group)).await;
                }
            });
        }
    }

    /// Fills a slot on a thread of its own: the network's have others to serve.
    async fn fill_apart(self: Arc<Self>, group: Arc<Group>, number: u64) -> bool {
        let runtime = tokio::runtime::Handle::current();
        let filled = tokio::task::spawn_blocking(move || {
            let Told::Slot(slot) = &group.told else { return false };
            runtime.block_on(self.fill_or_end(&group, slot, number, &Ok(()), Duration::MAX))
        });
        filled.await.unwrap_or(false)
    }

    /// A mistake in one command ends its subscriptions and no others.
    async fn fill_or_end(
        &self,
        group: &Group,
        slot: &Slot,
        number: u64,
        sampled: &Result<(), ApiError>,
        within: Duration,
    ) -> bool {
        let filled = AssertUnwindSafe(self.fill(group, slot, number, sampled, within)).catch_unwind().await;
        filled.unwrap_or_else(|_| {
            let message = "psiod made a mistake while telling it; its log says where";
            self.hub.end(group, slot, ApiError::new(ErrorCode::Internal, message));
            true
        })
    }

    /// Puts what there is to tell into a slot; whether that has changed.
    async fn fill(
        &self,
        group: &Group,
        slot: &Slot,
        number: u64,
        sampled: &Result<(), ApiError>,
        within: Duration,
    ) -> bool {
        let sampled = match sampled {
            Ok(()) => Ok(()),
            // One topic that cannot be read is no reason to keep the others from those who want them.
            Err(_) => self.sampled_for_ticks(slot.command.needs(), within).await,
        };
        let tick = match sampled {
            Ok(()) => self.evaluate(&group.key.question, slot, number).await,
            Err(error) => Err(error),
        };
        match tick {
            Ok(tick) => slot.publish(Newest::Tick(Arc::new(tick))),
            // It may work again at the next tick; the gap in `seq` tells of this one.
            Err(error) if error.code == ErrorCode::Unavailable => {
                self.hub.dropped(1);
                return false;
            }
            Err(error) => self.hub.end(group, slot, error),
        }
        true
    }

    /// Adds what happened to a queue; whether anything did.
    async fn lengthen(&self, queue: &Queue, within: Duration) -> bool {
        let told = queue.tick(&self.sampler, within).await;
        told.unwrap_or_else(|error| {
            // Nothing is missed: the next tick tells of this one too.
            debug!("cannot tell what happened to processes: {error}");
            false
        })
    }

    /// What the slot's command tells now, as tick `number`.
    pub(super) async fn evaluate(&self, question: &Question, slot: &Slot, number: u64) -> Result<Tick, ApiError> {
        let began = Instant::now();
        let command = slot.command.as_ref();
        let (key, view) = {
            let ring = self.sampler.ring();
            let now = ring.newest(command.needs());
            let base = slot.base(&ring, &now);
            self.answers.view_between(&ring, base, now, question.viewer)
        };
        let selected = command.select(&view);
        let tick = if selected.is_empty() {
            slot.evaluate(number, &view, || self.answers.answer(question, key, command, &view))
        } else {
            let view = view.with_details(self.sampler.details(selected).await?);
            slot.evaluate(number, &view, || Answers::fresh(command, &view).map(Arc::new))
        };
        slot.progress().cost = began.elapsed();
        tick
    }
}

/// A group whose tick has come.
pub(super) struct Due {
    group: Arc<Group>,
    number: u64,
}

impl Hub {
    /// When the ticker has something to do next.
    fn next_wake(&self) -> Option<Instant> {
        let groups = self.groups();
        let times = groups.values().filter_map(|group| match &group.told {
            // Whoever is late has a task that will come back.
            Told::Slot(slot) if slot.progress().is_late => None,
            Told::Slot(slot) => Some(self.lead_time(group, slot).unwrap_or_else(|| self.next_tick(group))),
            Told::Queue(_) => Some(self.next_tick(group)),
        });
        times.min()
    }

    fn next_tick(&self, group: &Group) -> Instant {
        self.tick_time(group.interval(), group.number() + 1)
    }

    /// When the machine is to be read ahead of the next tick, if it has to be and has not been.
    fn lead_time(&self, group: &Group, slot: &Slot) -> Option<Instant> {
        let has_rates = !slot.command.needs().with_rates().is_empty();
        let is_long = group.interval() > MAX_WINDOW;
        (has_rates && is_long && !slot.progress().is_led).then(|| self.next_tick(group) - MAX_WINDOW)
    }

    /// The groups whose tick has come. Ticks that went by unnoticed are dropped.
    fn take_due(&self) -> Vec<Due> {
        let groups = self.groups();
        let due = groups.values().filter_map(|group| {
            if let Told::Slot(slot) = &group.told
                && slot.progress().is_late
            {
                return None;
            }
            let number = self.tick_number(group.interval());
            let missed = group.advance(number)?;
            if let Told::Slot(slot) = &group.told {
                slot.progress().is_led = false;
                self.dropped(missed);
            }
            Some(Due { group: group.clone(), number })
        });
        due.collect()
    }
}

impl Group {
    /// What is sampled for a tick.
    fn topics(&self) -> Topics {
        match &self.told {
            Told::Slot(slot) => slot.command.needs(),
            Told::Queue(queue) => queue.topics(),
        }
    }

    /// How long it takes to find out what to tell.
    fn cost(&self) -> Duration {
        match &self.told {
            Told::Slot(slot) => slot.progress().cost,
            Told::Queue(_) => Duration::ZERO,
        }
    }
}

//! The one task that ticks: has the machine sampled when groups are due, evaluates each once and wakes the members.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use psio_api::data::topics::Topics;
use psio_api::error::{ApiError, ErrorCode};
use tracing::debug;

use super::group::{Group, Newest, Tick};
use super::hub::Hub;
use crate::answers::Answers;
use crate::dispatch::Service;
use crate::ring::MAX_WINDOW;

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
            if self.hub.lead_time(group).is_some_and(|at| at <= now) {
                group.progress().is_led = true;
                topics = topics | group.command.needs().with_rates();
            }
        }
        if !topics.is_empty()
            && let Err(error) = self.sampler.sampled(topics).await
        {
            debug!("cannot read ahead of a tick: {error}");
        }
    }

    /// Tells the members of groups that are due.
    async fn tell(&self, mut due: Vec<Due>) {
        let topics = due.iter().fold(Topics::NONE, |topics, due| topics | due.group.command.needs());
        let within = due.iter().map(|due| due.group.interval() / 4).min().unwrap_or_default();
        let sampled = self.sampler.sampled_within(topics, within).await;
        due.sort_by_key(|due| due.group.progress().cost);
        let mut ready = Vec::new();
        let mut round_began = Instant::now();
        for Due { group, number } in due {
            let sampled = match &sampled {
                Ok(()) => Ok(()),
                // One topic that cannot be read is no reason to keep the others from those who want them.
                Err(_) => self.sampler.sampled_within(group.command.needs(), within).await,
            };
            let tick = match sampled {
                Ok(()) => self.evaluate(&group, number).await,
                Err(error) => Err(error),
            };
            match tick {
                Ok(tick) => group.publish(Newest::Tick(Arc::new(tick))),
                // It may work again at the next tick; the gap in `seq` tells of this one.
                Err(error) if error.code == ErrorCode::Unavailable => {
                    self.hub.dropped(1);
                    continue;
                }
                Err(error) => self.hub.end(&group, error),
            }
            ready.push(group);
            if round_began.elapsed() > ROUND {
                self.hub.wake(&ready);
                ready.clear();
                tokio::task::yield_now().await;
                round_began = Instant::now();
            }
        }
        self.hub.wake(&ready);
    }

    async fn evaluate(&self, group: &Group, number: u64) -> Result<Tick, ApiError> {
        let question = &group.key.question;
        let command = group.command.as_ref();
        let (key, view) = {
            let ring = self.sampler.ring();
            let now = ring.newest(command.needs());
            let base = group.base(&ring, &now);
            self.answers.view_between(&ring, base, now, question.viewer)
        };
        let selected = command.select(&view);
        if selected.is_empty() {
            return group.evaluate(number, &view, || self.answers.answer(question, key, command, &view));
        }
        let view = view.with_details(self.sampler.details(selected).await?);
        group.evaluate(number, &view, || Answers::fresh(question, command, &view).map(Arc::new))
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
        let times = groups.values().map(|group| self.lead_time(group).unwrap_or_else(|| self.next_tick(group)));
        times.min()
    }

    fn next_tick(&self, group: &Group) -> Instant {
        self.tick_time(group.interval(), group.progress().number + 1)
    }

    /// When the machine is to be read ahead of the next tick, if it has to be and has not been.
    fn lead_time(&self, group: &Group) -> Option<Instant> {
        let has_rates = !group.command.needs().with_rates().is_empty();
        let is_long = group.interval() > MAX_WINDOW;
        (has_rates && is_long && !group.progress().is_led).then(|| self.next_tick(group) - MAX_WINDOW)
    }

    /// The groups whose tick has come. Ticks that went by unnoticed are dropped.
    fn take_due(&self) -> Vec<Due> {
        let groups = self.groups();
        let due = groups.values().filter_map(|group| {
            let number = self.tick_number(group.interval());
            let mut progress = group.progress();
            let missed = number.checked_sub(progress.number + 1)?;
            progress.number = number;
            progress.is_led = false;
            self.dropped(missed);
            Some(Due { group: group.clone(), number })
        });
        due.collect()
    }
}

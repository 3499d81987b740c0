//! How a subscription begins: with what its group was told last, or with an answer of its own; with the list of
//! processes where it is told what happens to them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use psio_api::command::{GivenParams, Prepared};
use psio_api::data::access::Viewer;
use psio_api::error::ApiError;
use psio_api::request::{Mode, RequestId};

use super::group::{GroupKey, Told};
use super::queue::{Queue, QueueListener};
use super::slot::{First, Newest, Slot, SlotListener};
use super::subscriber::{Listener, Reservation, Said, Seat, Subscriber};
use crate::dispatch::{Asker, Service, Wanted, prepare_subscription};

impl Asker {
    /// Begins a subscription whose id the subscriber has reserved.
    ///
    /// # Errors
    /// Its first answer cannot be given; the id is free again.
    pub async fn subscribe(
        &self,
        subscriber: &Arc<Subscriber>,
        reservation: Reservation,
        key: GroupKey,
        wanted: Wanted,
    ) -> Result<(), ApiError> {
        let listener = match wanted {
            Wanted::Answers(command) => self.hear_answers(subscriber, key, command).await,
            Wanted::Processes => self.hear_of_processes(subscriber, key).await,
        };
        match listener {
            Ok(listener) => subscriber.begin(reservation, listener),
            Err(error) => {
                subscriber.cancel(reservation);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn hear_answers(
        &self,
        subscriber: &Arc<Subscriber>,
        key: GroupKey,
        command: Box<dyn Prepared>,
    ) -> Result<Listener, ApiError> {
        let Service { hub, sampler, .. } = &*self.service;
        let mut young = hub.young_tick(&key);
        if young.is_none() {
            sampler.sampled(command.needs()).await?;
            // Somebody may have been quicker.
            young = hub.young_tick(&key);
        }
        let number = hub.nearest_tick(key.interval());
        let slot = Arc::new(Slot::new(command, key.question.mode));
        let (tick, ticked) = match young {
            Some(young) => young,
            None => {
                self.check_budget()?;
                let tick = Arc::new(self.service.evaluate(&key.question, &slot, number).await?);
                self.charge(slot.progress().computed);
                slot.publish(Newest::Tick(tick.clone()));
                (tick, slot.clone())
            }
        };
        let membership = hub.join(key, || Told::Slot(slot), number, subscriber.clone());
        let Told::Slot(joined) = membership.group.told.clone() else { unreachable!("{SAME_KIND}") };
        // Changes follow only where it is a tick of the very group that was joined.
        let first = if Arc::ptr_eq(&joined, &ticked) { First::Tick(tick) } else { First::Answer(tick) };
        Ok(Listener::Slot(SlotListener::new(joined, membership, first)))
    }

    async fn hear_of_processes(&self, subscriber: &Arc<Subscriber>, key: GroupKey) -> Result<Listener, ApiError> {
        let Service { hub, sampler, lifecycle, .. } = &*self.service;
        let watch = lifecycle.watch(sampler).await?;
        let (first, place) = watch.begin(sampler).await?;
        let number = hub.nearest_tick(key.interval());
        let membership = hub.join(key, || Told::Queue(Arc::new(Queue::new(watch, place))), number, subscriber.clone());
        let Told::Queue(queue) = membership.group.told.clone() else { unreachable!("{SAME_KIND}") };
        Ok(Listener::Queue(Box::new(QueueListener::new(hub.clone(), queue, membership, first, place))))
    }
}

const SAME_KIND: &str = "invariant: a group's key names its command, and a command is always told in the same way";

impl Service {
    /// Subscribes somebody who wants this and nothing else.
    ///
    /// # Errors
    /// As those of the command.
    pub async fn subscribe(
        self: &Arc<Self>,
        name: &str,
        params: GivenParams,
        interval_ms: u32,
        mode: Mode,
        viewer: Viewer,
    ) -> Result<Feed, ApiError> {
        let (question, wanted) = prepare_subscription(name, params, mode, viewer)?;
        let seat = Seat::new(self.hub.clone());
        let reservation = seat.reserve(&RequestId::from(1))?;
        let key = GroupKey { question, interval_ms };
        Asker::over_http(self.clone(), viewer).subscribe(&seat, reservation, key, wanted).await?;
        Ok(Feed { seat, said: VecDeque::new() })
    }
}

/// What a single subscription says, one after the other. An end is the last.
pub struct Feed {
    seat: Seat,
    /// Heard and not yet taken.
    said: VecDeque<Said>,
}

impl Stream for Feed {
    type Item = Said;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Said>> {
        let Self { seat, said } = self.get_mut();
        if said.is_empty() {
            seat.poll(cx, |_, news| said.push_back(news));
        }
        match said.pop_front() {
            Some(news) => Poll::Ready(Some(news)),
            None if seat.is_idle() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

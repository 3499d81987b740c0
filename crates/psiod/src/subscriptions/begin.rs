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
use super::slot::{First, Slot, SlotListener};
use super::subscriber::{Listener, Said, Subscriber};
use crate::dispatch::{Asker, Service, Wanted, prepare_subscription};

impl Asker {
    /// Begins a subscription whose id the subscriber has reserved.
    ///
    /// # Errors
    /// Its first answer cannot be given; the id is free again.
    pub async fn subscribe(
        &self,
        subscriber: &Subscriber,
        id: &RequestId,
        key: GroupKey,
        wanted: Wanted,
    ) -> Result<(), ApiError> {
        let listener = match wanted {
            Wanted::Answers(command) => self.hear_answers(subscriber, key, command).await,
            Wanted::Processes => self.hear_of_processes(subscriber, key).await,
        };
        match listener {
            Ok(listener) => subscriber.begin(id, listener),
            Err(error) => {
                subscriber.release(id);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn hear_answers(
        &self,
        subscriber: &Subscriber,
        key: GroupKey,
        command: Box<dyn Prepared>,
    ) -> Result<Box<dyn Listener>, ApiError> {
        let hub = &self.service.hub;
        let number = hub.nearest_tick(key.interval());
        let first = match hub.young_tick(&key) {
            Some(tick) => First::Tick(tick),
            None => First::Answer(self.sample_and_answer(&key.question, command.as_ref()).await?, number),
        };
        let told = self.service.sampler.ring().newest(command.needs());
        let mode = key.question.mode;
        let slot = || Told::Slot(Arc::new(Slot::new(command, mode, told)));
        let membership = hub.join(key, slot, number, subscriber.mailbox());
        let Told::Slot(slot) = membership.group.told.clone() else { unreachable!("{SAME_KIND}") };
        Ok(Box::new(SlotListener::new(slot, membership, first)))
    }

    async fn hear_of_processes(&self, subscriber: &Subscriber, key: GroupKey) -> Result<Box<dyn Listener>, ApiError> {
        let Service { hub, sampler, lifecycle, .. } = &*self.service;
        let watch = lifecycle.watch(sampler).await?;
        let (first, place) = watch.begin(sampler).await?;
        let number = hub.nearest_tick(key.interval());
        let membership =
            hub.join(key, || Told::Queue(Arc::new(Queue::new(watch, place))), number, subscriber.mailbox());
        let Told::Queue(queue) = membership.group.told.clone() else { unreachable!("{SAME_KIND}") };
        Ok(Box::new(QueueListener::new(hub.clone(), queue, membership, first, place)))
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
        let subscriber = Subscriber::new(self.hub.clone());
        let id = RequestId::from(1);
        subscriber.reserve(&id)?;
        let key = GroupKey { question, interval_ms };
        Asker::new(self.clone(), viewer).subscribe(&subscriber, &id, key, wanted).await?;
        Ok(Feed { subscriber, said: VecDeque::new() })
    }
}

/// What a single subscription says, one after the other. An end is the last.
pub struct Feed {
    subscriber: Subscriber,
    /// Heard and not yet taken.
    said: VecDeque<Said>,
}

impl Stream for Feed {
    type Item = Said;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Said>> {
        let Self { subscriber, said } = self.get_mut();
        if said.is_empty() {
            subscriber.poll(cx, |_, news| said.push_back(news));
        }
        match said.pop_front() {
            Some(news) => Poll::Ready(Some(news)),
            None if subscriber.is_idle() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

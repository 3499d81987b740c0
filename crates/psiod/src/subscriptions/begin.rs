//! How a subscription begins: with what its group was told last, or with an answer of its own.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use psio_api::command::{GivenParams, Prepared};
use psio_api::data::access::Viewer;
use psio_api::error::ApiError;
use psio_api::request::{Mode, RequestId};

use super::group::GroupKey;
use super::subscriber::{First, Said, Subscriber};
use crate::dispatch::{Asker, Service, prepare};

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
        command: Box<dyn Prepared>,
    ) -> Result<(), ApiError> {
        let hub = &self.service.hub;
        let number = hub.nearest_tick(key.interval());
        let first = match hub.young_tick(&key) {
            Some(tick) => First::Tick(tick),
            None => match self.sample_and_answer(&key.question, command.as_ref()).await {
                Ok(answer) => First::Answer(answer, number),
                Err(error) => {
                    subscriber.release(id);
                    return Err(error);
                }
            },
        };
        let told = self.service.sampler.ring().newest(command.needs());
        let membership = hub.join(key, command, &told, number, subscriber.mailbox());
        subscriber.begin(id, first, membership);
        Ok(())
    }
}

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
        let (question, command) = prepare(name, params, mode, viewer)?;
        let subscriber = Subscriber::new(self.hub.clone());
        let id = RequestId::from(1);
        subscriber.reserve(&id)?;
        let key = GroupKey { question, interval_ms };
        Asker::new(self.clone(), viewer).subscribe(&subscriber, &id, key, command).await?;
        Ok(Feed { subscriber, said: VecDeque::new() })
    }
}

/// What a single subscription says, one after the other. An end is the last.
pub struct Feed {
    subscriber: Subscriber,
    /// Heard and not yet taken: two at most.
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

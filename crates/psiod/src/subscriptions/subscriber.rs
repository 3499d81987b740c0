//! The subscriptions of one connection: begun, told, ended.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use psio_api::error::{ApiError, ErrorCode};
use psio_api::request::RequestId;
use serde_json::json;

use super::MAX_SUBSCRIPTIONS;
use super::group::{Mailbox, Newest, Tick};
use super::hub::{Hub, Membership};
use crate::shared_answer::SharedAnswer;

/// What a subscription says.
pub enum Said {
    /// A tick: its number among those of this subscription, and what it tells.
    Event(u64, Arc<SharedAnswer>),
    /// There will be no more.
    End(Arc<ApiError>),
}

/// Somebody who may have subscriptions.
pub struct Subscriber {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
    subscriptions: Mutex<Vec<Subscription>>,
}

struct Subscription {
    id: RequestId,
    /// `None` until its first answer is there.
    live: Option<Live>,
}

struct Live {
    membership: Membership,
    /// What it is told first; until then nothing else is.
    first: Option<Arc<SharedAnswer>>,
    /// The tick that counts as number one.
    begun: u64,
    /// The tick it was told of last; in delta mode, changes since then may follow.
    told: Told,
}

/// What a subscription was told last.
#[derive(Clone, Copy)]
enum Told {
    /// This tick.
    Tick(u64),
    /// An answer of its own, in the time of this tick.
    Answer(u64),
}

impl Told {
    fn number(self) -> u64 {
        match self {
            Self::Tick(number) | Self::Answer(number) => number,
        }
    }

    fn tick(self) -> Option<u64> {
        match self {
            Self::Tick(number) => Some(number),
            Self::Answer(_) => None,
        }
    }
}

/// What a subscription is told first.
pub enum First {
    /// What the others were told at their last tick.
    Tick(Arc<Tick>),
    /// An answer of its own, in the time of this tick.
    Answer(Arc<SharedAnswer>, u64),
}

impl Subscriber {
    /// Somebody without subscriptions.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, mailbox: Arc::default(), subscriptions: Mutex::default() }
    }

    fn subscriptions(&self) -> MutexGuard<'_, Vec<Subscription>> {
        // The list is whole between any two statements that change it.
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the id for a subscription that is going to be.
    pub fn reserve(&self, id: &RequestId) -> Result<(), ApiError> {
        let mut subscriptions = self.subscriptions();
        if subscriptions.iter().any(|subscription| subscription.id == *id) {
            let message = format!("a subscription with the id {} exists already on this connection", id.as_json());
            return Err(ApiError::new(ErrorCode::Conflict, message));
        }
        if subscriptions.len() >= MAX_SUBSCRIPTIONS {
            let message =
                format!("this connection has {MAX_SUBSCRIPTIONS} subscriptions, which is as many as it may have");
            return Err(ApiError::new(ErrorCode::TooMany, message).with(json!({"limit": MAX_SUBSCRIPTIONS})));
        }
        subscriptions.push(Subscription { id: id.clone(), live: None });
        Ok(())
    }

    /// Ends the subscription with this id, or gives the id back; whether there was one.
    pub fn release(&self, id: &RequestId) -> bool {
        let mut subscriptions = self.subscriptions();
        let before = subscriptions.len();
        subscriptions.retain(|subscription| subscription.id != *id);
        subscriptions.len() < before
    }

    /// Whether there is nothing it subscribes to.
    pub fn is_idle(&self) -> bool {
        self.subscriptions().is_empty()
    }

    /// How the group's ticks reach this subscriber.
    pub(super) fn mailbox(&self) -> Arc<Mailbox> {
        self.mailbox.clone()
    }

    /// The subscription lives from now on, unless it was ended meanwhile.
    pub(super) fn begin(&self, id: &RequestId, first: First, membership: Membership) {
        let mut subscriptions = self.subscriptions();
        let Some(reserved) = subscriptions.iter_mut().find(|subscription| subscription.id == *id) else { return };
        let (first, told) = match first {
            First::Tick(tick) => (tick.whole().clone(), Told::Tick(tick.number)),
            First::Answer(answer, number) => (answer, Told::Answer(number)),
        };
        reserved.live = Some(Live { membership, first: Some(first), begun: told.number(), told });
        self.mailbox.is_ready.store(true, Ordering::SeqCst);
    }

    /// Tells what is new, and sees that `cx` is woken when there is more.
    pub fn poll(&self, cx: &mut Context<'_>, mut tell: impl FnMut(&RequestId, Said)) {
        self.mailbox.waker.register(cx.waker());
        if !self.mailbox.is_ready.swap(false, Ordering::SeqCst) {
            return;
        }
        self.mailbox.heard.store(self.hub.round(), Ordering::SeqCst);
        self.subscriptions().retain_mut(|Subscription { id, live }| {
            let Some(live) = live else { return true };
            if let Some(first) = live.first.take() {
                tell(id, Said::Event(1, first));
            }
            match live.membership.group.newest() {
                Some(Newest::Tick(tick)) if tick.number > live.told.number() => {
                    tell(id, Said::Event(1 + tick.number - live.begun, tick.since(live.told.tick()).clone()));
                    live.told = Told::Tick(tick.number);
                    true
                }
                Some(Newest::Ended(error)) => {
                    tell(id, Said::End(error));
                    false
                }
                _ => true,
            }
        });
    }
}

//! The subscriptions of one connection: begun, told, ended.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use futures_util::task::AtomicWaker;
use psio_api::error::{ApiError, ErrorCode};
use psio_api::request::RequestId;
use serde_json::json;

use super::MAX_SUBSCRIPTIONS;
use super::hub::Hub;
use super::queue::QueueListener;
use super::slot::SlotListener;
use crate::shared_answer::SharedAnswer;

/// What a subscription says.
pub enum Said {
    /// A tick: its number among those of this subscription, and what it tells.
    Event(u64, Arc<SharedAnswer>),
    /// There will be no more.
    End(Arc<ApiError>),
}

/// Somebody who may have subscriptions. Groups know it as a member, so it is the [`Seat`] that ends them.
pub struct Subscriber {
    hub: Arc<Hub>,
    waker: AtomicWaker,
    /// Whether there is something for it.
    is_ready: AtomicBool,
    /// The hub's round that was heard of last.
    heard: AtomicU64,
    subscriptions: Mutex<Vec<Subscription>>,
    reserved: AtomicU64,
}

/// A subscriber whose subscriptions live no longer than this.
pub struct Seat(Arc<Subscriber>);

impl Seat {
    /// For somebody without subscriptions.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self(Arc::new(Subscriber {
            hub,
            waker: AtomicWaker::new(),
            is_ready: false.into(),
            heard: 0.into(),
            subscriptions: Mutex::default(),
            reserved: 0.into(),
        }))
    }
}

impl Deref for Seat {
    type Target = Arc<Subscriber>;

    fn deref(&self) -> &Arc<Subscriber> {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Dropped without the lock: each leaves its group.
        let subscriptions = std::mem::take(&mut *self.subscriptions());
        drop(subscriptions);
    }
}

struct Subscription {
    id: RequestId,
    reservation: Reservation,
    /// `None` until its first answer is there.
    listener: Option<Listener>,
}

/// Tells a subscription from a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation(u64);

/// A subscription that lives: its place among what its group is told.
pub(super) enum Listener {
    Slot(SlotListener),
    /// Large and rare.
    Queue(Box<QueueListener>),
}

impl Listener {
    /// Tells what is new; whether there may be more.
    fn hear(&mut self, tell: &mut dyn FnMut(Said)) -> bool {
        match self {
            Self::Slot(listener) => listener.hear(tell),
            Self::Queue(listener) => {
                listener.hear(tell);
                true
            }
        }
    }
}

impl Subscriber {
    fn subscriptions(&self) -> MutexGuard<'_, Vec<Subscription>> {
        // The list is whole between any two statements that change it.
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the id for a subscription that is going to be.
    pub fn reserve(&self, id: &RequestId) -> Result<Reservation, ApiError> {
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
        let reservation = Reservation(self.reserved.fetch_add(1, Ordering::Relaxed));
        subscriptions.push(Subscription { id: id.clone(), reservation, listener: None });
        Ok(reservation)
    }

    /// Gives the id back of a subscription that will not be.
    pub(super) fn cancel(&self, reservation: Reservation) {
        self.subscriptions().retain(|subscription| subscription.reservation != reservation);
    }

    /// Ends the subscription with this id; whether there was one.
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

    /// Whether it has looked since this round's ticks were published.
    pub(super) fn has_heard(&self, round: u64) -> bool {
        self.heard.load(Ordering::SeqCst) >= round
    }

    /// Wakes it, unless it is awake already.
    pub(super) fn notify(&self) {
        if !self.is_ready.swap(true, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// The subscription lives from now on, unless it was ended meanwhile.
    pub(super) fn begin(&self, reservation: Reservation, listener: Listener) {
        let mut subscriptions = self.subscriptions();
        let Some(reserved) = subscriptions.iter_mut().find(|reserved| reserved.reservation == reservation) else {
            return;
        };
        reserved.listener = Some(listener);
        self.is_ready.store(true, Ordering::SeqCst);
    }

    /// Tells what is new, and sees that `cx` is woken when there is more.
    pub fn poll(&self, cx: &mut Context<'_>, mut tell: impl FnMut(&RequestId, Said)) {
        self.waker.register(cx.waker());
        if !self.is_ready.swap(false, Ordering::SeqCst) {
            return;
        }
        self.heard.store(self.hub.round(), Ordering::SeqCst);
        self.subscriptions().retain_mut(|Subscription { id, listener, .. }| match listener {
            Some(listener) => listener.hear(&mut |said| tell(id, said)),
            None => true,
        });
    }
}

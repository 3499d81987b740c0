//! The subscriptions of one connection: begun, told, ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use psio_api::error::{ApiError, ErrorCode};
use psio_api::request::RequestId;
use serde_json::json;

use super::MAX_SUBSCRIPTIONS;
use super::group::Mailbox;
use super::hub::Hub;
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
    reserved: AtomicU64,
}

struct Subscription {
    id: RequestId,
    reservation: Reservation,
    /// `None` until its first answer is there.
    listener: Option<Box<dyn Listener>>,
}

/// Tells a subscription from a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation(u64);

/// A subscription that lives: its place among what its group is told.
pub(super) trait Listener: Send {
    /// Tells what is new; whether there may be more.
    fn hear(&mut self, tell: &mut dyn FnMut(Said)) -> bool;
}

impl Subscriber {
    /// Somebody without subscriptions.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, mailbox: Arc::default(), subscriptions: Mutex::default(), reserved: AtomicU64::new(0) }
    }

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

    /// How the group's ticks reach this subscriber.
    pub(super) fn mailbox(&self) -> Arc<Mailbox> {
        self.mailbox.clone()
    }

    /// The subscription lives from now on, unless it was ended meanwhile.
    pub(super) fn begin(&self, reservation: Reservation, listener: Box<dyn Listener>) {
        let mut subscriptions = self.subscriptions();
        let Some(reserved) = subscriptions.iter_mut().find(|reserved| reserved.reservation == reservation) else {
            return;
        };
        reserved.listener = Some(listener);
        self.mailbox.is_ready.store(true, Ordering::SeqCst);
    }

    /// Tells what is new, and sees that `cx` is woken when there is more.
    pub fn poll(&self, cx: &mut Context<'_>, mut tell: impl FnMut(&RequestId, Said)) {
        self.mailbox.waker.register(cx.waker());
        if !self.mailbox.is_ready.swap(false, Ordering::SeqCst) {
            return;
        }
        self.mailbox.heard.store(self.hub.round(), Ordering::SeqCst);
        self.subscriptions().retain_mut(|Subscription { id, listener, .. }| match listener {
            Some(listener) => listener.hear(&mut |said| tell(id, said)),
            None => true,
        });
    }
}

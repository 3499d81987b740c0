//! Answers that are not there yet, and who may overtake whom.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::{FuturesOrdered, FuturesUnordered};

use super::handler::{Answer, Order, When};
use super::outbox::Outbox;
use super::outgoing::Outgoing;

/// How long answers are collected before those that are there are sent.
const TIME_AT_ONCE: Duration = Duration::from_millis(1);

type Future = BoxFuture<'static, Outgoing>;

/// The pending answers of one connection. The queues are made at first need: most connections that only
/// watch never have one.
#[derive(Default)]
pub(super) struct Pending {
    kept: Option<Box<FuturesOrdered<Future>>>,
    free: Option<Box<FuturesUnordered<Future>>>,
}

impl Pending {
    pub fn len(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.len()) + self.free.as_ref().map_or(0, |free| free.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Queues an answer in `outbox`, or here while it has to wait.
    pub fn accept(&mut self, answer: Answer, outbox: &mut Outbox) {
        let none_before = self.kept.as_ref().is_none_or(|kept| kept.is_empty());
        match (answer.order, answer.when) {
            (Order::Free, When::Now(message)) => outbox.push(message),
            (Order::Kept, When::Now(message)) if none_before => outbox.push(message),
            (Order::Kept, When::Now(message)) => self.keep(Box::pin(ready(message))),
            (Order::Kept, When::Later(future)) => self.keep(future),
            (Order::Free, When::Later(future)) => self.free.get_or_insert_default().push(future),
        }
    }

    /// Moves the answers that are ready to `outbox` until it holds more than `max_outbox` bytes; whether any was. Some
    /// are only computed here, and that may take long.
    pub fn poll_into(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox, max_outbox: usize) -> bool {
        let before = self.len();
        if before == 0 {
            return false;
        }
        let began = Instant::now();
        if let Some(kept) = &mut self.kept {
            while outbox.len() <= max_outbox
                && began.elapsed() <= TIME_AT_ONCE
                && let Poll::Ready(Some(message)) = kept.poll_next_unpin(cx)
            {
                outbox.push(message);
            }
        }
        if let Some(free) = &mut self.free {
            while outbox.len() <= max_outbox
                && began.elapsed() <= TIME_AT_ONCE
                && let Poll::Ready(Some(message)) = free.poll_next_unpin(cx)
            {
                outbox.push(message);
            }
        }
        let is_less = self.len() < before;
        // Most who subscribe are pending once, and then never again.
        self.kept.take_if(|kept| kept.is_empty());
        self.free.take_if(|free| free.is_empty());
        is_less
    }

    fn keep(&mut self, future: Future) {
        self.kept.get_or_insert_default().push_back(future);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::Bytes;
    use tokio::sync::oneshot;

    use super::*;

    fn text(text: &'static str) -> Outgoing {
        Outgoing::text([Bytes::from(text)])
    }

    fn later(order: Order) -> (oneshot::Sender<&'static str>, Answer) {
        let (sender, receiver) = oneshot::channel();
        (sender, Answer::later(order, async { text(receiver.await.unwrap()) }))
    }

    /// What has been queued for writing so far, frame headers included.
    fn sent(pending: &mut Pending, outbox: &mut Outbox) -> usize {
        pending.poll_into(&mut Context::from_waker(Waker::noop()), outbox, usize::MAX);
        outbox.len()
    }

    #[test]
    fn an_answer_without_id_waits_for_the_earlier_ones() {
        let (mut pending, mut outbox) = (Pending::default(), Outbox::default());
        let (first, answer) = later(Order::Kept);
        pending.accept(answer, &mut outbox);
        pending.accept(Answer::now(Order::Kept, text("second")), &mut outbox);
        assert_eq!((sent(&mut pending, &mut outbox), pending.len()), (0, 2));
        first.send("first").unwrap();
        assert_eq!((sent(&mut pending, &mut outbox), pending.len()), (7 + 8, 0));
    }

    #[test]
    fn an_answer_with_id_overtakes() {
        let (mut pending, mut outbox) = (Pending::default(), Outbox::default());
        let (_first, answer) = later(Order::Kept);
        let (_second, slow) = later(Order::Free);
        pending.accept(answer, &mut outbox);
        pending.accept(slow, &mut outbox);
        pending.accept(Answer::now(Order::Free, text("now")), &mut outbox);
        assert_eq!((sent(&mut pending, &mut outbox), pending.len()), (5, 2));
    }

    #[test]
    fn ready_answers_stay_behind_a_full_outbox() {
        let (mut pending, mut outbox) = (Pending::default(), Outbox::default());
        for _ in 0..3 {
            pending.accept(Answer::later(Order::Free, ready(text("12345678"))), &mut outbox);
        }
        let moved = pending.poll_into(&mut Context::from_waker(Waker::noop()), &mut outbox, 10);
        assert_eq!((moved, outbox.len(), pending.len()), (true, 20, 1));
    }
}

//! How long a connection waits for its client: for a sign of life, for it to read, for its part of a close.
//!
//! One timer serves all deadlines of a connection, and is moved as seldom as possible.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::Limits;

/// What the client has a limited time for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    /// Reading what waits to be written.
    Reading,
    /// Reading the rest of a frame and the close of one that did not read.
    Collecting,
    /// Its part of a close.
    Closing,
    /// Any byte; the answer to a ping at the latest.
    SignOfLife,
}

/// What a client owes, and since when.
pub(super) struct Patience {
    /// Until when it owes what, if that is no sign of life.
    debt: Option<(Owed, Instant)>,
    heard: Instant,
    /// Whether it was sent a ping since it was heard.
    pinged: bool,
    alarm: Alarm,
}

impl Patience {
    /// With a client that has just been heard.
    pub fn new() -> Self {
        Self { debt: None, heard: Instant::now(), pinged: false, alarm: Alarm::default() }
    }

    /// Something was heard of the client.
    pub fn heard(&mut self) {
        self.heard = Instant::now();
        self.pinged = false;
    }

    /// The client was sent a ping.
    pub fn pinged(&mut self) {
        self.pinged = true;
    }

    /// Whether it was sent a ping and has not been heard since.
    pub fn is_pinged(&self) -> bool {
        self.pinged
    }

    /// The socket took something. If it was full before, the client has read.
    pub fn wrote(&mut self) {
        if self.debt.take_if(|(owed, _)| *owed == Owed::Reading).is_some() {
            self.heard();
        }
    }

    /// What is owed from now on is owed anew.
    pub fn begin_anew(&mut self) {
        self.debt = None;
    }

    /// Ready when `owed` is overdue; before that, sees that `cx` is woken then.
    pub fn poll(&mut self, cx: &mut Context<'_>, owed: Owed, limits: &Limits) -> Poll<()> {
        let time = match owed {
            Owed::SignOfLife => {
                let silence = if self.pinged { limits.gone_after } else { limits.ping_interval };
                return self.alarm.poll(cx, self.heard + silence);
            }
            Owed::Reading => limits.write_timeout,
            Owed::Collecting => limits.collect_timeout,
            Owed::Closing => limits.close_timeout,
        };
        let since = self.debt.filter(|(before, _)| *before == owed);
        let (_, until) = *self.debt.insert(since.unwrap_or_else(|| (owed, Instant::now() + time)));
        self.alarm.poll(cx, until)
    }
}

/// Wakes a connection when it has waited long enough. A deadline that moves away is noticed only when the alarm goes
/// off: a busy connection moves its deadlines with every read, its timer hardly ever.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it will wake the connection, if it will. A connection stays on one task, so to be told once is enough. It
    /// stands here to leave the timer alone, which lies elsewhere in memory: most turns happen long before it.
    goes_off: Option<Instant>,
}

impl Alarm {
    /// Ready once it is `until`; before that, sees that `cx` is woken then, or before.
    fn poll(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        if self.goes_off.is_some_and(|at| at <= until && Instant::now() < at) {
            return Poll::Pending;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        loop {
            let is_ready = sleep.as_mut().poll(cx).is_ready();
            self.goes_off = (!is_ready).then(|| sleep.deadline());
            if !is_ready {
                return Poll::Pending;
            }
            if sleep.deadline() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_off_at_the_deadline_it_was_asked_for_last() {
        let (start, mut alarm) = (Instant::now(), Alarm::default());
        for seconds in [30, 10, 20, 20, 60] {
            let until = start + Duration::from_secs(seconds);
            let is_pending = poll_fn(|cx| Poll::Ready(alarm.poll(cx, until).is_pending())).await;
            assert!(is_pending);
        }
        poll_fn(|cx| alarm.poll(cx, start + Duration::from_secs(40))).await;
        assert_eq!(start.elapsed().as_secs(), 40);
        poll_fn(|cx| alarm.poll(cx, start + Duration::from_secs(50))).await;
        assert_eq!(start.elapsed().as_secs(), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_has_passed_is_noticed_at_once() {
        let (start, mut alarm) = (Instant::now(), Alarm::default());
        let later = start + Duration::from_secs(5);
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx, later).is_pending())).await);
        poll_fn(|cx| alarm.poll(cx, start)).await;
        assert_eq!(start.elapsed().as_secs(), 0);
    }
}

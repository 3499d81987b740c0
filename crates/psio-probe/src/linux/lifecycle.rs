//! Life-cycle events from the process events connector.

use std::time::{Duration, Instant};

use psio_api::data::lifecycle::Lost;
use psio_api::data::process::ProcessSample;
use psio_api::data::snapshot::Sample;

use super::clock::AheadOfMonotonic;
use super::glimpse::Glimpses;
use super::living::Living;
use super::proc_connector::{ANSWER_TIMEOUT, ProcConnector, Received};
use super::rows::Units;
use crate::parse::proc_event::Message;
use crate::{LifecycleBatch, LifecycleSource, LifecycleUnavailable, Options, Roots};

/// A batch has no more messages than this, so that a storm of them is told in pieces.
const MAX_MESSAGES: usize = 1024;
/// After a silence this long the kernel is asked whether it still sends.
const SILENCE: Duration = Duration::from_secs(10);

/// Tells what the kernel tells.
pub struct ProcEvents {
    connector: ProcConnector,
    living: Living,
    messages: Vec<Message>,
    /// When the last message came.
    heard: Instant,
    /// When the kernel was asked for a sign of life, since then.
    asked: Option<Instant>,
}

impl ProcEvents {
    /// Opens the connector. The events speak of this machine's pids, so the proc root must be this machine's too.
    pub fn open(options: &Options) -> Result<Self, LifecycleUnavailable> {
        check_proc(&options.roots)?;
        let units = Units {
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            page_bytes: rustix::param::page_size() as u64,
        };
        let living = Living::new(Glimpses::new(&options.roots)?, units);
        let connector = ProcConnector::open()?;
        Ok(Self { connector, living, messages: Vec::new(), heard: Instant::now(), asked: None })
    }

    /// Takes what has come, as far as it fits a batch.
    fn take(&mut self, now: Instant, batch: &mut LifecycleBatch) -> Result<(), LifecycleUnavailable> {
        self.messages.clear();
        let mut lost = None;
        while self.messages.len() < MAX_MESSAGES {
            match self.connector.receive()? {
                Received::Message(message, missing) => {
                    if missing > 0 {
                        lost = add(lost, Lost(Some(missing)));
                    }
                    self.messages.push(message);
                }
                Received::Nothing => break,
                Received::Overflow => {
                    // What is still in the old one is older than the process table to be read now.
                    self.connector = ProcConnector::open()?;
                    lost = add(lost, Lost(None));
                    break;
                }
            }
        }
        if !self.messages.is_empty() || lost.is_some() {
            (self.heard, self.asked) = (now, None);
        }
        batch.lost = lost.map_or(batch.lost, |lost| add(batch.lost, lost));
        if !self.messages.is_empty() {
            batch.events.extend(self.living.note(&self.messages, now, AheadOfMonotonic::now()));
        }
        Ok(())
    }

    /// Asks for a sign of life when it is time, and opens the connector anew when there was none.
    fn mind_silence(&mut self, now: Instant, batch: &mut LifecycleBatch) -> Result<(), LifecycleUnavailable> {
        match self.asked {
            None if now.duration_since(self.heard) >= SILENCE => {
                self.connector.ask()?;
                self.asked = Some(now);
            }
            Some(asked) if now.duration_since(asked) >= ANSWER_TIMEOUT => {
                self.connector = ProcConnector::open()?;
                (self.heard, self.asked) = (now, None);
                batch.lost = add(batch.lost, Lost(None));
            }
            _ => {}
        }
        Ok(())
    }

    /// When something must be done though nothing comes.
    fn wake_at(&self) -> Instant {
        let silence = self.asked.map_or(self.heard + SILENCE, |asked| asked + ANSWER_TIMEOUT);
        self.living.next_look().map_or(silence, |look| look.min(silence))
    }
}

impl LifecycleSource for ProcEvents {
    fn seed(&mut self, sample: &Sample<ProcessSample>) {
        self.living.seed(sample);
    }

    fn next(&mut self, timeout: Duration) -> Result<LifecycleBatch, LifecycleUnavailable> {
        const LONGEST: Duration = Duration::from_secs(3600);
        let deadline = Instant::now() + timeout.min(LONGEST);
        let mut batch = LifecycleBatch::default();
        loop {
            let now = Instant::now();
            self.take(now, &mut batch)?;
            batch.events.extend(self.living.look_again(now));
            self.mind_silence(now, &mut batch)?;
            if !batch.is_empty() || now >= deadline {
                return Ok(batch);
            }
            self.connector.wait(deadline.min(self.wake_at()).saturating_duration_since(now))?;
        }
    }
}

fn add(lost: Option<Lost>, more: Lost) -> Option<Lost> {
    Some(lost.map_or(more, |lost| lost.and(more)))
}

fn check_proc(roots: &Roots) -> Result<(), LifecycleUnavailable> {
    let own = std::process::id().to_string();
    match std::fs::read_link(roots.proc.join("self")) {
        Ok(target) if target.as_os_str() == own.as_str() => Ok(()),
        _ => Err(LifecycleUnavailable::OtherPids(roots.proc.display().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `None` where this process may not listen; `tests/lifecycle.rs` checks why.
    fn silent_for(time: Duration) -> Option<ProcEvents> {
        let mut events = ProcEvents::open(&Options::default()).ok()?;
        events.heard = Instant::now().checked_sub(time)?;
        Some(events)
    }

    #[test]
    fn after_a_long_silence_the_kernel_is_asked_and_its_answer_is_no_news() {
        let Some(mut events) = silent_for(SILENCE) else { return };
        let mut batch = LifecycleBatch::default();
        let now = Instant::now();
        events.mind_silence(now, &mut batch).unwrap();
        assert_eq!((events.asked, &batch), (Some(now), &LifecycleBatch::default()));
        let later = Instant::now();
        events.take(later, &mut batch).unwrap();
        assert_eq!((events.asked, events.heard, batch.lost), (None, later, None));
    }

    #[test]
    fn without_an_answer_listening_begins_anew_and_what_was_missed_is_lost() {
        let Some(mut events) = silent_for(SILENCE) else { return };
        let now = Instant::now();
        events.asked = now.checked_sub(ANSWER_TIMEOUT);
        let mut batch = LifecycleBatch::default();
        events.mind_silence(now, &mut batch).unwrap();
        assert_eq!((events.asked, events.heard, batch.lost), (None, now, Some(Lost(None))));
    }

    #[test]
    fn a_short_silence_is_nothing() {
        let Some(mut events) = silent_for(SILENCE / 2) else { return };
        let mut batch = LifecycleBatch::default();
        events.mind_silence(Instant::now(), &mut batch).unwrap();
        assert_eq!(events.asked, None);
        assert!(batch.is_empty());
    }
}

//! Who got which tick when. Time is passed in, nothing is read here.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::Watched;
use crate::frames::{Frame, Said, told_by};
use crate::quantile::quantile;

/// How many messages may make a tick.
pub const MAX_STREAMS: usize = 4;

/// Counts what all readers receive.
pub struct Tally {
    streams: usize,
    tells_seq: bool,
    readers: Vec<Progress>,
    /// Readers that have had a message of each stream.
    begun: usize,
    /// Readers that have had all ticks being counted.
    finished: usize,
    dropped: u32,
    skipped: u32,
    bytes: u64,
    messages: [u64; MAX_STREAMS],
    lengths: [u64; MAX_STREAMS],
    ticks: Vec<Tick>,
    latencies_ms: Vec<f64>,
}

/// How far one reader is.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The tick it had last of each stream, by the server's count.
    last: [u32; MAX_STREAMS],
    /// The same when counting began.
    base: [u32; MAX_STREAMS],
    /// Ticks it has had in full since then.
    done: u32,
    has_begun: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    first: Option<Instant>,
    last: Option<Instant>,
    got: u32,
}

impl Tally {
    /// For so many readers of `streams` messages a tick, which tell their tick (`tells_seq`) or are counted.
    pub fn new(readers: usize, streams: usize, tells_seq: bool) -> Result<Self> {
        ensure!((1..=MAX_STREAMS).contains(&streams), "{streams} streams, expected 1 to {MAX_STREAMS}");
        Ok(Self {
            streams,
            tells_seq,
            readers: vec![Progress::default(); readers],
            begun: 0,
            finished: 0,
            dropped: 0,
            skipped: 0,
            bytes: 0,
            messages: [0; MAX_STREAMS],
            lengths: [0; MAX_STREAMS],
            ticks: Vec::new(),
            latencies_ms: Vec::new(),
        })
    }

    /// Forgets what was counted and counts `ticks` from here.
    pub fn start(&mut self, ticks: u32) {
        self.ticks = vec![Tick::default(); ticks as usize];
        self.latencies_ms = Vec::with_capacity(self.readers.len() * ticks as usize);
        self.finished = 0;
        self.skipped = 0;
        self.bytes = 0;
        self.messages = [0; MAX_STREAMS];
        self.lengths = [0; MAX_STREAMS];
        for reader in &mut self.readers {
            reader.base = reader.last;
            reader.done = 0;
        }
    }

    /// A reader received so many bytes.
    pub fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// A reader's message is whole.
    pub fn add_message(&mut self, reader: usize, frame: &Frame<'_>, now: Instant) -> Result<()> {
        let progress = &mut self.readers[reader];
        let (stream, seq) = if self.tells_seq {
            match told_by(frame.prefix) {
                Said::Event { id, seq } => (id as usize - 1, seq),
                Said::Response => return Ok(()),
                Said::Other => bail!("unexpected message {}", String::from_utf8_lossy(frame.prefix)),
            }
        } else {
            // The floor sends the streams in turns, so the first that is behind is the next.
            let next = (1..self.streams).find(|&stream| progress.last[stream] < progress.last[0]).unwrap_or(0);
            (next, progress.last[next] + 1)
        };
        ensure!(stream < self.streams, "an event of subscription {}, which nobody made", stream + 1);
        ensure!(seq > progress.last[stream], "seq {seq} after {}", progress.last[stream]);
        self.skipped += seq - progress.last[stream] - 1;
        self.messages[stream] += 1;
        self.lengths[stream] += frame.length as u64;
        progress.last[stream] = seq;
        let last = &progress.last[..self.streams];
        if !progress.has_begun && last.iter().all(|&seq| seq > 0) {
            progress.has_begun = true;
            self.begun += 1;
        }
        let of_stream = seq - progress.base[stream];
        let done = last.iter().zip(&progress.base).map(|(last, base)| last - base).min().unwrap_or(0);
        let before = std::mem::replace(&mut progress.done, done);
        note_first(&mut self.ticks, of_stream, now);
        if done > before {
            self.note_done(before, done, now);
        }
        Ok(())
    }

    /// Part of a reader's next message is here.
    pub fn note_partial(&mut self, reader: usize, now: Instant) {
        note_first(&mut self.ticks, self.readers[reader].done + 1, now);
    }

    /// A reader is gone.
    pub fn lose(&mut self, reader: usize) {
        self.dropped += 1;
        let progress = &self.readers[reader];
        if !self.ticks.is_empty() && (progress.done as usize) < self.ticks.len() {
            self.finished += 1;
        }
    }

    /// Readers lost since the beginning.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// How many readers have had a message of each stream.
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// Whether of so many readers all have had all ticks or are gone.
    pub fn is_finished(&self, readers: usize) -> bool {
        self.finished >= readers
    }

    /// What was counted.
    pub fn result(&self) -> Watched {
        let since = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
            (Some(from), Some(to)) => millis(to.saturating_duration_since(from)),
            _ => f64::NAN,
        };
        let begin = self.ticks.first().and_then(|tick| tick.first);
        let mean = |stream: usize| self.lengths[stream] as f64 / self.messages[stream] as f64;
        Watched {
            got: self.ticks.iter().map(|tick| tick.got).collect(),
            last_receipt_ms: self.ticks.iter().map(|tick| since(tick.first, tick.last)).collect(),
            starts_ms: self.ticks.iter().map(|tick| since(begin, tick.first)).collect(),
            latency_p50_ms: quantile(&self.latencies_ms, 0.5),
            latency_p99_ms: quantile(&self.latencies_ms, 0.99),
            dropped: self.dropped,
            skipped: self.skipped,
            bytes: self.bytes,
            messages: self.messages.iter().sum(),
            mean_lengths: (0..self.streams).map(mean).collect(),
        }
    }

    /// A reader that had `before` ticks now has `done`; those between it never got whole.
    fn note_done(&mut self, before: u32, done: u32, now: Instant) {
        let length = self.ticks.len() as u32;
        if let Some(tick) = self.ticks.get_mut(done as usize - 1) {
            tick.got += 1;
            tick.last = Some(now);
            let first = tick.first.unwrap_or(now);
            self.latencies_ms.push(millis(now.saturating_duration_since(first)));
        }
        if before < length && done >= length {
            self.finished += 1;
        }
    }
}

/// A tick's first byte is the first at any reader.
fn note_first(ticks: &mut [Tick], number: u32, now: Instant) {
    if let Some(tick) = ticks.get_mut((number as usize).wrapping_sub(1)) {
        tick.first.get_or_insert(now);
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::FrameReader;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn add(tally: &mut Tally, reader: usize, payload: &str, now: Instant) {
        let mut bytes = vec![0x81, payload.len() as u8];
        bytes.extend(payload.as_bytes());
        FrameReader::default().feed(&bytes, |frame| tally.add_message(reader, &frame, now).unwrap());
    }

    fn event(id: u32, seq: u32) -> String {
        format!(r#"{{"type":"event","id":{id},"seq":{seq},"data":0}}"#)
    }

    #[test]
    fn a_tick_is_had_when_all_its_streams_have_come() {
        let start = Instant::now();
        let mut tally = Tally::new(2, 2, true).unwrap();
        for reader in 0..2 {
            add(&mut tally, reader, r#"{"type":"response","id":1,"data":null}"#, start);
            add(&mut tally, reader, &event(1, 1), start);
            add(&mut tally, reader, &event(2, 1), start);
        }
        assert_eq!(tally.begun(), 2);
        tally.start(1);
        add(&mut tally, 0, &event(2, 2), after(start, 10));
        add(&mut tally, 0, &event(1, 2), after(start, 12));
        add(&mut tally, 1, &event(1, 2), after(start, 15));
        assert!(!tally.is_finished(2));
        add(&mut tally, 1, &event(2, 2), after(start, 40));
        assert!(tally.is_finished(2));
        let result = tally.result();
        assert_eq!((result.got, result.last_receipt_ms), (vec![2], vec![30.0]));
        assert_eq!((result.skipped, result.dropped, result.messages), (0, 0, 4));
    }

    #[test]
    fn a_gap_in_seq_is_a_tick_that_was_not_had() {
        let start = Instant::now();
        let mut tally = Tally::new(1, 1, true).unwrap();
        add(&mut tally, 0, &event(1, 7), start);
        tally.start(3);
        add(&mut tally, 0, &event(1, 8), start);
        add(&mut tally, 0, &event(1, 10), start);
        assert!(tally.is_finished(1));
        let result = tally.result();
        assert_eq!((result.got, result.skipped), (vec![1, 0, 1], 1));
    }

    #[test]
    fn what_tells_no_seq_is_counted_in_turns() {
        let start = Instant::now();
        let mut tally = Tally::new(1, 2, false).unwrap();
        tally.start(2);
        for payload in ["xxx", "x", "xxxxx", "x"] {
            add(&mut tally, 0, payload, start);
        }
        assert!(tally.is_finished(1));
        assert_eq!(tally.result().got, [1, 1]);
        assert_eq!(tally.result().mean_lengths, [4.0, 1.0]);
    }

    #[test]
    fn the_first_byte_of_a_tick_is_the_first_at_any_reader() {
        let start = Instant::now();
        let mut tally = Tally::new(2, 1, false).unwrap();
        tally.start(1);
        tally.note_partial(1, start);
        add(&mut tally, 0, "x", after(start, 5));
        add(&mut tally, 1, "x", after(start, 9));
        assert_eq!(tally.result().last_receipt_ms, [9.0]);
        assert_eq!(tally.result().latency_p50_ms, 9.0);
    }

    #[test]
    fn a_lost_reader_is_not_waited_for() {
        let mut tally = Tally::new(2, 1, false).unwrap();
        tally.start(1);
        add(&mut tally, 0, "x", Instant::now());
        tally.lose(1);
        assert!(tally.is_finished(2));
        assert_eq!((tally.result().got, tally.result().dropped), (vec![1], 1));
    }

    #[test]
    fn a_refusal_is_an_error() {
        let mut tally = Tally::new(1, 1, true).unwrap();
        let mut failed = false;
        let mut bytes = vec![0x81, 30];
        bytes.extend(br#"{"type":"error","id":1,"data":"#);
        FrameReader::default().feed(&bytes, |frame| failed = tally.add_message(0, &frame, Instant::now()).is_err());
        assert!(failed);
    }
}

//! The last samples of each topic, and which of them a view is made of.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use psio_api::data::moment::Moment;
use psio_api::data::snapshot::Snapshot;
use psio_api::data::topics::Topics;

/// Shortest window over which a rate is measured: from `/proc`, nothing finer than a clock tick is known.
pub const MIN_WINDOW: Duration = Duration::from_millis(200);
/// Longest window that anybody can ask for.
pub const MAX_WINDOW: Duration = Duration::from_secs(10);
/// A sample older than this is no base any more. Who asks every ten seconds asks a little later than that.
const MAX_KEPT: Duration = Duration::from_secs(11);
/// The window for somebody who has not asked before.
const FIRST_WINDOW: Duration = Duration::from_secs(1);
/// A sample this young serves whoever asks.
pub const MIN_MAX_AGE: Duration = Duration::from_millis(100);
/// A topic that is dear to read is read so much more seldom…
const MAX_AGE_IN_COSTS: u32 = 20;
/// … but an old figure is no answer, however dear the last reading was (it may have been stopped in the middle).
const MAX_MAX_AGE: Duration = Duration::from_secs(2);
/// Samples older than this are thinned out to one every [`SPARSE`]: long windows need no finer choice.
const DENSE: Duration = Duration::from_secs(2);
const SPARSE: Duration = Duration::from_millis(500);

/// Samples of every topic, newest last.
#[derive(Debug, Default)]
pub struct Ring {
    series: [Series; Topics::COUNT],
    pushes: u64,
}

/// The samples of one topic.
#[derive(Debug, Default)]
pub struct Series {
    entries: VecDeque<Entry>,
    cost: Duration,
}

#[derive(Debug)]
struct Entry {
    at: Moment,
    taken: Instant,
    /// Holds the one topic of its series.
    snapshot: Snapshot,
}

impl Ring {
    /// The series of a single topic.
    pub fn series(&self, topic: Topics) -> &Series {
        &self.series[index(topic)]
    }

    /// Adds what a sample holds of a single topic, read at `taken` at the given cost.
    pub fn push(&mut self, topic: Topics, sample: &Snapshot, taken: Instant, cost: Duration) {
        let Some(at) = sample.at(topic) else { return };
        let mut snapshot = Snapshot::default();
        snapshot.take(topic, sample);
        self.pushes += 1;
        self.series[index(topic)].push(Entry { at, taken, snapshot }, cost);
    }

    /// Samples pushed so far: as long as it stays the same, so does everything else.
    pub fn pushes(&self) -> u64 {
        self.pushes
    }

    /// The newest sample of each of the topics.
    pub fn newest(&self, topics: Topics) -> Snapshot {
        let mut now = Snapshot::default();
        for topic in Topics::each().filter(|&topic| topics.contains(topic)) {
            if let Some(entry) = self.series(topic).entries.back() {
                now.take(topic, &entry.snapshot);
            }
        }
        now
    }

    /// For each of the topics that has rates, the sample to measure `now` from for somebody who was last told of
    /// `told`: what they saw last, within the shortest and longest window.
    pub fn base(&self, topics: Topics, now: &Snapshot, told: Option<Moment>) -> Snapshot {
        let mut base = Snapshot::default();
        for topic in Topics::each().filter(|&topic| topics.with_rates().contains(topic)) {
            let Some(at) = now.at(topic) else { continue };
            let wanted = told.map_or(FIRST_WINDOW, |told| at.since(&told));
            if let Some(entry) = self.series(topic).base(at, wanted) {
                base.take(topic, &entry.snapshot);
            }
        }
        base
    }
}

impl Series {
    /// When the newest sample was taken.
    pub fn newest_taken(&self) -> Option<Instant> {
        Some(self.entries.back()?.taken)
    }

    /// Whether rates of the newest sample can be told.
    pub fn has_base(&self) -> bool {
        self.entries.back().is_some_and(|newest| self.base(newest.at, MIN_WINDOW).is_some())
    }

    /// What the last reading cost.
    pub fn cost(&self) -> Duration {
        self.cost
    }

    /// How old a sample may be to serve somebody who asks now.
    pub fn max_age(&self) -> Duration {
        (self.cost * MAX_AGE_IN_COSTS).clamp(MIN_MAX_AGE, MAX_MAX_AGE)
    }

    /// When a sample taken next will have a base: at once if an older one is there already or if there is nothing to
    /// wait for, else when the oldest recent one is old enough.
    pub fn base_ready(&self, now: Instant) -> Instant {
        let recent = self.entries.iter().map(|entry| entry.taken).filter(|&taken| now - taken <= MAX_KEPT);
        recent.min().map_or(now, |oldest| now.max(oldest + MIN_WINDOW))
    }

    fn base(&self, now: Moment, wanted: Duration) -> Option<&Entry> {
        let wanted = wanted.clamp(MIN_WINDOW, MAX_WINDOW);
        let window = |entry: &&Entry| now.since(&entry.at);
        let usable = || self.entries.iter().filter(|entry| (MIN_WINDOW..=MAX_KEPT).contains(&window(entry)));
        usable().rfind(|entry| window(entry) >= wanted).or_else(|| usable().next())
    }

    fn push(&mut self, entry: Entry, cost: Duration) {
        self.cost = cost;
        if let Some(newest) = self.entries.back_mut()
            && newest.at == entry.at
        {
            // A replayed machine that stands still: the same sample again.
            newest.taken = entry.taken;
            return;
        }
        let now = entry.at;
        self.entries.push_back(entry);
        self.entries.retain(|entry| now.since(&entry.at) <= MAX_KEPT);
        self.thin(now);
    }

    fn thin(&mut self, now: Moment) {
        let superfluous = |entries: &VecDeque<Entry>, at: usize| {
            now.since(&entries[at].at) > DENSE && entries[at + 1].at.since(&entries[at - 1].at) <= SPARSE
        };
        let mut at = 1;
        while at + 1 < self.entries.len() {
            if superfluous(&self.entries, at) {
                self.entries.remove(at);
            } else {
                at += 1;
            }
        }
    }
}

fn index(topic: Topics) -> usize {
    Topics::each().position(|each| each == topic).expect("invariant: asked about one topic at a time")
}

/// A view's identity: which samples it is made of. Equal keys mean equal figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewKey([(u64, u64); Topics::COUNT]);

impl ViewKey {
    /// The key of these two snapshots.
    pub fn of(now: &Snapshot, base: &Snapshot) -> Self {
        let mut key = [(0, 0); Topics::COUNT];
        for (slot, topic) in key.iter_mut().zip(Topics::each()) {
            let since_boot = |snapshot: &Snapshot| snapshot.at(topic).map_or(0, |at| at.since_boot_ns);
            *slot = (since_boot(now), since_boot(base));
        }
        Self(key)
    }

    /// Whether every topic in it is still the newest of its kind.
    pub fn is_newest(&self, ring: &Ring) -> bool {
        let newest = |series: &Series| series.entries.back().map_or(0, |entry| entry.at.since_boot_ns);
        self.0.iter().zip(&ring.series).all(|(&(now, _), series)| now == 0 || now == newest(series))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use psio_api::data::cpu::CpuSample;
    use psio_api::data::snapshot::Sample;

    const TOPIC: Topics = Topics::CPU;

    fn at(ms: u64) -> Moment {
        Moment { since_boot_ns: ms * 1_000_000, wall_ms: ms }
    }

    fn sample(ms: u64) -> Snapshot {
        let sample = Sample { at: at(ms), value: CpuSample::default() };
        Snapshot { cpus: Some(Arc::new(sample)), ..Snapshot::default() }
    }

    fn ring(times_ms: impl IntoIterator<Item = u64>) -> Ring {
        let mut ring = Ring::default();
        for ms in times_ms {
            ring.push(TOPIC, &sample(ms), Instant::now(), Duration::ZERO);
        }
        ring
    }

    fn window_ms(ring: &Ring, told: Option<u64>) -> Option<u128> {
        let now = ring.newest(TOPIC);
        let base = ring.base(TOPIC, &now, told.map(at)).at(TOPIC)?;
        Some(now.at(TOPIC)?.since(&base).as_millis())
    }

    #[test]
    fn a_slow_poller_keeps_its_window_beside_fast_ones() {
        let ring = ring((0..=50).map(|tick| 20_000 + tick * 100));
        assert_eq!(window_ms(&ring, Some(23_000)), Some(2_000));
        assert_eq!(window_ms(&ring, Some(24_900)), Some(200));
    }

    #[test]
    fn the_window_never_falls_below_the_shortest() {
        let ring = ring([1_000, 1_100, 1_200, 1_250]);
        assert_eq!(window_ms(&ring, Some(1_200)), Some(250));
    }

    #[test]
    fn who_asks_for_the_first_time_gets_about_a_second() {
        let ring = ring((0..=40).map(|tick| 20_000 + tick * 100));
        assert_eq!(window_ms(&ring, None), Some(1_000));
    }

    #[test]
    fn who_asks_for_the_first_time_takes_what_there_is() {
        assert_eq!(window_ms(&ring([1_000, 1_300]), None), Some(300));
    }

    #[test]
    fn a_sample_much_older_than_the_longest_window_is_no_base() {
        assert_eq!(window_ms(&ring([1_000, 12_001]), Some(1_000)), None);
    }

    #[test]
    fn who_asks_every_ten_seconds_is_told_of_ten_seconds() {
        assert_eq!(window_ms(&ring([1_000, 11_020]), Some(1_000)), Some(10_020));
    }

    #[test]
    fn a_single_sample_has_no_base() {
        assert!(!ring([1_000]).series(TOPIC).has_base());
    }

    #[test]
    fn old_samples_are_thinned_out_but_long_windows_remain() {
        let ring = ring((0..=100).map(|tick| 20_000 + tick * 100));
        assert!(ring.series(TOPIC).entries.len() < 45, "{}", ring.series(TOPIC).entries.len());
        let window = window_ms(&ring, Some(22_000)).unwrap();
        assert!((8_000..=8_500).contains(&window), "{window}");
    }

    #[test]
    fn a_machine_that_stands_still_keeps_its_base() {
        let ring = ring([1_000, 2_000, 2_000, 2_000]);
        assert_eq!(window_ms(&ring, None), Some(1_000));
    }

    #[test]
    fn after_a_long_sleep_there_is_nothing_to_wait_for() {
        let ring = ring([1_000]);
        let taken = ring.series(TOPIC).newest_taken().unwrap();
        let wait = |ms| {
            let now = taken + Duration::from_millis(ms);
            ring.series(TOPIC).base_ready(now) - now
        };
        assert_eq!(wait(60_000), Duration::ZERO);
        assert_eq!(wait(50), Duration::from_millis(150));
        assert_eq!(wait(3_000), Duration::ZERO);
    }

    #[test]
    fn a_dear_topic_may_be_older() {
        let mut ring = ring([]);
        ring.push(TOPIC, &sample(1_000), Instant::now(), Duration::from_millis(40));
        assert_eq!(ring.series(TOPIC).max_age(), Duration::from_millis(800));
    }

    #[test]
    fn a_reading_that_took_a_minute_does_not_make_old_figures_fresh() {
        let mut ring = ring([]);
        ring.push(TOPIC, &sample(1_000), Instant::now(), Duration::from_secs(60));
        assert_eq!(ring.series(TOPIC).max_age(), MAX_MAX_AGE);
    }
}

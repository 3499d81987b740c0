//! The sampler's timing, on a source that counts how often it is read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use psio_api::data::cpu::{CpuCounters, CpuSample};
use psio_api::data::daemon::SweepStats;
use psio_api::data::host::HostSample;
use psio_api::data::moment::Moment;
use psio_api::example_machine;

use super::*;

/// A machine with one CPU that is always half busy; processes cannot be read.
#[derive(Clone)]
struct Counting {
    reads: Arc<AtomicU64>,
    started: Instant,
    stands_still: bool,
    panics: bool,
}

impl Counting {
    fn new() -> Self {
        Self { reads: Arc::default(), started: Instant::now(), stands_still: false, panics: false }
    }

    fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }
}

impl Source for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn now(&self) -> Moment {
        let since_boot_ns = if self.stands_still { 7 } else { self.started.elapsed().as_nanos() as u64 };
        Moment { since_boot_ns, wall_ms: since_boot_ns / 1_000_000 }
    }

    fn sample(&mut self, topics: Topics) -> Result<Snapshot, ProbeError> {
        let at = self.now();
        if topics == Topics::PROCESSES {
            return Err(ProbeError::Parse { path: "/proc".to_owned(), what: "a process table" });
        }
        assert!(topics != Topics::HOST || !self.panics, "a panic that a test asked for");
        if topics == Topics::HOST {
            let host: HostSample = example_machine::view().now.host.as_ref().unwrap().value.clone();
            return Ok(Snapshot { host: Some(Arc::new(Sample { at, value: host })), ..Snapshot::default() });
        }
        if topics == Topics::MEMORY {
            return Ok(Snapshot::default());
        }
        self.reads.fetch_add(1, Ordering::SeqCst);
        let ticks = at.since_boot_ns / 2_000_000;
        let cpu = CpuCounters { num: 0, user_ticks: ticks, idle_ticks: ticks, ..CpuCounters::default() };
        let value = CpuSample { cpus: vec![cpu] };
        Ok(Snapshot { cpus: Some(Arc::new(Sample { at, value })), ..Snapshot::default() })
    }

    fn details(&mut self, _: &[ProcessId]) -> Details {
        Details::new()
    }

    fn sweep_stats(&self) -> SweepStats {
        SweepStats::default()
    }
}

fn start(source: &Counting) -> Sampler {
    Sampler::start(Box::new(source.clone()), Arc::new(Stats::default())).unwrap()
}

async fn window(sampler: &Sampler) -> Option<Duration> {
    sampler.sampled(Topics::CPU).await.unwrap();
    let ring = sampler.ring();
    let now = ring.newest(Topics::CPU);
    let base = ring.base(Topics::CPU, &now, None);
    Some(now.at(Topics::CPU)?.since(&base.at(Topics::CPU)?))
}

#[tokio::test]
async fn the_first_answer_is_measured_over_the_shortest_window() {
    let source = Counting::new();
    let window = window(&start(&source)).await.unwrap();
    assert!(window >= MIN_WINDOW && window < Duration::from_secs(2), "{window:?}");
    assert_eq!(source.reads(), 2);
}

#[tokio::test]
async fn everybody_who_asks_meanwhile_shares_one_reading() {
    let source = Counting::new();
    let sampler = start(&source);
    let asks = (0..50).map(|_| sampler.sampled(Topics::CPU));
    for answer in futures_util::future::join_all(asks).await {
        answer.unwrap();
    }
    assert_eq!(source.reads(), 2);
}

#[tokio::test]
async fn readings_are_a_tenth_of_a_second_apart_however_often_one_asks() {
    let source = Counting::new();
    let sampler = start(&source);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_200) {
        if sampler.fresh_until(Topics::CPU).is_none() {
            sampler.sampled(Topics::CPU).await.unwrap();
        }
        tokio::task::yield_now().await;
    }
    let most = began.elapsed().as_millis() as u64 / 100 + 2;
    assert!((3..=most).contains(&source.reads()), "{} readings, at most {most}", source.reads());
}

#[tokio::test]
async fn it_sleeps_while_nobody_asks() {
    let source = Counting::new();
    let sampler = start(&source);
    sampler.sampled(Topics::CPU).await.unwrap();
    let before = source.reads();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(source.reads(), before);
}

#[tokio::test]
async fn a_topic_that_cannot_be_read_is_refused_and_the_others_are_served() {
    let sampler = start(&Counting::new());
    let error = sampler.sampled(Topics::PROCESSES).await.unwrap_err();
    assert_eq!(error.message, "cannot understand /proc: expected a process table");
    sampler.sampled(Topics::CPU).await.unwrap();
}

#[tokio::test]
async fn a_panic_in_one_topic_leaves_the_others() {
    let sampler = start(&Counting { panics: true, ..Counting::new() });
    let error = sampler.sampled(Topics::HOST).await.unwrap_err();
    assert!(error.message.contains("a mistake"), "{}", error.message);
    sampler.sampled(Topics::CPU).await.unwrap();
}

#[tokio::test]
async fn a_topic_that_the_source_lacks_is_refused() {
    let error = start(&Counting::new()).sampled(Topics::MEMORY).await.unwrap_err();
    assert_eq!(error.message, "this machine's source does not tell of it");
}

#[tokio::test]
async fn a_machine_that_stands_still_is_answered_without_rates() {
    let source = Counting { stands_still: true, ..Counting::new() };
    let sampler = start(&source);
    assert_eq!(window(&sampler).await, None);
}

#[tokio::test]
async fn a_topic_without_rates_is_answered_from_one_reading() {
    let sampler = start(&Counting::new());
    let began = Instant::now();
    sampler.sampled(Topics::HOST).await.unwrap();
    assert!(began.elapsed() < MIN_WINDOW);
}

#[tokio::test]
async fn who_wants_counters_only_waits_for_no_second_reading() {
    let source = Counting::new();
    let sampler = start(&source);
    let began = Instant::now();
    sampler.counted(Topics::CPU).await.unwrap();
    assert!(began.elapsed() < MIN_WINDOW);
    assert_eq!(source.reads(), 1);
}

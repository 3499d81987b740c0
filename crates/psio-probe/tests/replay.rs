//! Recordings: written, read, and played.

mod common;

use std::time::Duration;

use common::Folder;
use psio_api::data::snapshot::Snapshot;
use psio_api::data::topics::Topics;
use psio_probe::replay::{Recording, ReplaySource, record};
use psio_probe::{Options, Source, SourceKind, open};

const HEADER: &str = "{\"psio_recording\":1,\"about\":\"a test\"}\n";

/// A frame whose only CPU has worked so much.
fn frame(at_ms: u64, user_ticks: u64) -> String {
    format!(
        "{{\"cpus\":{{\"at\":{{\"since_boot_ns\":{},\"wall_ms\":{}}},\"value\":{{\"cpus\":[{{\"num\":0,\
         \"user_ticks\":{user_ticks},\"nice_ticks\":0,\"system_ticks\":0,\"idle_ticks\":0,\"iowait_ticks\":0,\
         \"irq_ticks\":0,\"softirq_ticks\":0,\"steal_ticks\":0}}]}}}}}}\n",
        at_ms * 1_000_000,
        at_ms + 5_000_000,
    )
}

fn parse(text: &str) -> Recording {
    Recording::parse(text, "test").expect("a recording")
}

/// When and what the CPUs were at a time into the recording.
fn cpu_at(recording: &Recording, ms: u64) -> (u64, u64) {
    let snapshot = recording.at(Duration::from_millis(ms), Topics::CPU);
    let sample = snapshot.cpus.expect("cpus");
    assert_eq!(sample.at.wall_ms - 5_000_000, sample.at.since_boot_ns / 1_000_000);
    (sample.at.since_boot_ns / 1_000_000, sample.value.cpus[0].user_ticks)
}

#[test]
fn the_newest_frame_of_the_past_is_told() {
    let recording = parse(&(HEADER.to_owned() + &frame(1000, 1) + &frame(2000, 2) + &frame(3000, 3)));
    assert_eq!(cpu_at(&recording, 0), (1000, 1));
    assert_eq!(cpu_at(&recording, 999), (1000, 1));
    assert_eq!(cpu_at(&recording, 1000), (2000, 2));
    assert_eq!(cpu_at(&recording, 2999), (3000, 3));
}

#[test]
fn at_its_end_it_stands_still() {
    let recording = parse(&(HEADER.to_owned() + &frame(1000, 1) + &frame(2000, 2) + &frame(3000, 3)));
    assert_eq!(cpu_at(&recording, 60_000), (3000, 3));
}

#[test]
fn the_second_reading_has_something_to_be_measured_from() {
    let mut source = ReplaySource::play(parse(&(HEADER.to_owned() + &frame(1000, 1) + &frame(2000, 2))));
    let mut ticks = || source.sample(Topics::CPU).expect("a frame").cpus.expect("cpus").value.cpus[0].user_ticks;
    assert_eq!((ticks(), ticks()), (1, 2));
}

#[test]
fn topics_that_come_seldom_stay_until_they_come_again() {
    let memory = "{\"memory\":{\"at\":{\"since_boot_ns\":1500000000,\"wall_ms\":1},\"value\":{\"total_bytes\":9}}}\n";
    let recording = parse(&(HEADER.to_owned() + &frame(1000, 1) + memory + &frame(2000, 2)));
    let at = |ms| {
        let snapshot = recording.at(Duration::from_millis(ms), Topics::CPU | Topics::MEMORY);
        let memory = snapshot.memory.expect("memory").at.since_boot_ns / 1_000_000;
        (snapshot.cpus.expect("cpus").at.since_boot_ns / 1_000_000, memory)
    };
    // It is not recorded yet at the start, but nothing older is.
    assert_eq!(at(0), (1000, 1500));
    assert_eq!(at(1000), (2000, 1500));
    assert_eq!(at(1500), (2000, 1500));
}

#[test]
fn only_what_was_asked_for_is_told() {
    let recording = parse(&(HEADER.to_owned() + &frame(1000, 1)));
    assert_eq!(recording.at(Duration::ZERO, Topics::MEMORY), Snapshot::default());
}

#[test]
fn what_is_wrong_with_a_recording_is_said_with_its_line() {
    let later = frame(2000, 1);
    let cases = [
        (String::new(), "cannot understand test line 1: it is empty"),
        ("{}\n".into(), "cannot understand test line 1: expected a header"),
        ("{\"psio_recording\":2}\n".into(), "cannot understand test line 1: version 2 is not known"),
        (HEADER.into(), "cannot understand test line 2: no frame"),
        (format!("{HEADER}{{}}\n"), "cannot understand test line 2: a frame without topics"),
        (format!("{HEADER}{later}{later}"), "cannot understand test line 3: a frame that is not later"),
        (format!("{HEADER}{later}x"), "cannot understand test line 3: expected value"),
    ];
    for (text, message) in cases {
        let error = Recording::parse(&text, "test").expect_err(message).to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn what_was_recorded_is_what_is_played() {
    let folder = Folder::new();
    let path = folder.path().join("recording");
    let mut live = open(&Options::default()).expect("this machine");
    let topics = Topics::CPU | Topics::MEMORY | Topics::PROCESSES | Topics::HOST;
    let file = std::fs::File::create(&path).expect("a file");
    record(&mut *live, topics, 2, Duration::from_millis(20), file).expect("a recording");

    let mut replayed = open(&Options { kind: SourceKind::Replay(path), ..Options::default() }).expect("it");
    assert_eq!(replayed.name(), "replay");
    let snapshot = replayed.sample(topics).expect("a frame");
    let processes = snapshot.processes.expect("processes");
    let own = processes.value.find(std::process::id()).expect("this process").id();
    assert!(snapshot.cpus.is_some() && snapshot.memory.is_some() && snapshot.host.is_some());
    assert!(replayed.details(&[own])[&own].oom_score.is_none());
    assert_eq!(replayed.sweep_stats().count, 1);
}

#[test]
fn its_clock_goes_on_from_the_first_reading() {
    let mut source = ReplaySource::play(parse(&(HEADER.to_owned() + &frame(1000, 1))));
    assert_eq!(source.now().since_boot_ns, 1_000_000_000);
    source.sample(Topics::CPU).expect("a frame");
    assert!(source.now().since_boot_ns > 1_000_000_000);
}

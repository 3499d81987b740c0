//! A recorded machine, played in real time: for tests, demonstrations, and looking again at what somebody saw.
//!
//! A recording is lines of JSON: `{"psio_recording":1}`, which may carry more about itself, then one [`Snapshot`] per
//! line, oldest first. Samples carry the moments at which they were recorded, so that rates come out the same each
//! time. The first reading of a topic with rates gives the first frame, the next begins at the second: there is
//! something to measure from at once. When the last frame is reached the machine stands still, its last rates with it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use psio_api::data::daemon::SweepStats;
use psio_api::data::details::Details;
use psio_api::data::moment::Moment;
use psio_api::data::process::ProcessId;
use psio_api::data::snapshot::Snapshot;
use psio_api::data::topics::Topics;
use psio_api::data::unknown::Reason;
use serde::{Deserialize, Serialize};

use crate::{ProbeError, Source};

/// The version of the format that is written, and the only one that is read.
const FORMAT: u32 = 1;
const EVERYTHING: [Topics; 4] = [Topics::CPU, Topics::MEMORY, Topics::PROCESSES, Topics::HOST];

#[derive(Serialize, Deserialize)]
struct Header {
    psio_recording: u32,
}

/// A recorded machine.
#[derive(Debug)]
pub struct ReplaySource {
    recording: Recording,
    /// When the first frame would have been played; `None` until something was read.
    started: Option<Instant>,
    /// The topics whose first frame was read.
    begun: Topics,
    stats: SweepStats,
}

/// The frames of a recording, by the time since the first of them.
#[derive(Clone, Debug)]
pub struct Recording {
    frames: Vec<Snapshot>,
    /// One per frame, ascending.
    offsets: Vec<Duration>,
    first: Moment,
}

impl ReplaySource {
    /// Plays a file, from now.
    pub fn open(path: &Path) -> Result<Self, ProbeError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| ProbeError::Read { path: name.clone(), source })?;
        Recording::parse(&text, &name).map(Self::play)
    }

    /// Plays a recording, from its first reading on.
    pub fn play(recording: Recording) -> Self {
        Self {
            recording,
            started: None,
            begun: Topics::NONE,
            stats: SweepStats { strategy: "replay".into(), ..SweepStats::default() },
        }
    }

    fn elapsed(&self) -> Duration {
        self.started.map_or(Duration::ZERO, |started| started.elapsed())
    }
}

impl Source for ReplaySource {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn now(&self) -> Moment {
        self.recording.first.later(self.elapsed())
    }

    fn sample(&mut self, topics: Topics) -> Result<Snapshot, ProbeError> {
        let second = self.recording.offsets.get(1).copied().unwrap_or_default();
        self.started.get_or_insert_with(|| Instant::now().checked_sub(second).unwrap_or_else(Instant::now));
        let first = topics.with_rates().without(self.begun);
        self.begun = self.begun | first;
        let mut snapshot = self.recording.at(self.elapsed(), topics.without(first));
        let begins = self.recording.at(Duration::ZERO, first);
        Topics::each().filter(|&topic| first.contains(topic)).for_each(|topic| snapshot.take(topic, &begins));
        if let Some(processes) = &snapshot.processes {
            self.stats.count += 1;
            self.stats.processes = processes.value.processes.len() as u64;
        }
        Ok(snapshot)
    }

    fn details(&mut self, processes: &[ProcessId]) -> Details {
        let now = self.recording.at(self.elapsed(), Topics::PROCESSES);
        let runs = |id: &ProcessId| {
            let sample = now.processes.as_ref()?;
            sample.value.find(id.pid).filter(|process| process.started == id.started)
        };
        processes
            .iter()
            .filter(|id| runs(id).is_some())
            .map(|id| (*id, crate::no_details(Reason::NotRecorded)))
            .collect()
    }

    fn sweep_stats(&self) -> SweepStats {
        self.stats.clone()
    }
}

impl Recording {
    /// Reads the text of a recording; `path` is what errors call it.
    pub fn parse(text: &str, path: &str) -> Result<Self, ProbeError> {
        let wrong = |line, what: String| ProbeError::Recording { path: path.into(), line, what };
        let mut lines = (1..).zip(text.lines());
        let (_, first) = lines.next().ok_or_else(|| wrong(1, "it is empty".into()))?;
        let header: Header = serde_json::from_str(first)
            .map_err(|error| wrong(1, format!("expected a header such as {{\"psio_recording\":1}}: {error}")))?;
        if header.psio_recording != FORMAT {
            return Err(wrong(1, format!("version {} is not known", header.psio_recording)));
        }
        let mut frames: Vec<Snapshot> = Vec::new();
        let mut moments: Vec<Moment> = Vec::new();
        for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
            let frame: Snapshot = serde_json::from_str(text).map_err(|error| wrong(line, error.to_string()))?;
            let at = moment(&frame).ok_or_else(|| wrong(line, "a frame without topics".into()))?;
            if moments.last().is_some_and(|last| last.since_boot_ns >= at.since_boot_ns) {
                return Err(wrong(line, "a frame that is not later than the one before".into()));
            }
            moments.push(at);
            frames.push(frame);
        }
        let first = *moments.first().ok_or_else(|| wrong(2, "no frame".into()))?;
        let offsets: Vec<Duration> = moments.iter().map(|at| at.since(&first)).collect();
        Ok(Self { frames, offsets, first })
    }

    /// What was known of each of the topics when so much of the recording had passed.
    pub fn at(&self, elapsed: Duration, topics: Topics) -> Snapshot {
        let passed = self.offsets.partition_point(|offset| *offset <= elapsed);
        let (before, after) = self.frames.split_at(passed);
        let mut snapshot = Snapshot::default();
        for topic in EVERYTHING.into_iter().filter(|topic| topics.contains(*topic)) {
            let has = |frame: &&Snapshot| frame.at(topic).is_some();
            // A topic that was recorded only later is told as it was then.
            if let Some(frame) = before.iter().rev().find(has).or_else(|| after.iter().find(has)) {
                snapshot.take(topic, frame);
            }
        }
        snapshot
    }
}

/// Records `frames` snapshots of these topics, `interval` apart, in the form that [`ReplaySource`] plays.
pub fn record(
    source: &mut dyn Source,
    topics: Topics,
    frames: u32,
    interval: Duration,
    mut writer: impl Write,
) -> Result<(), ProbeError> {
    write_line(&mut writer, &Header { psio_recording: FORMAT })?;
    let start = Instant::now();
    for frame in 0..frames {
        thread::sleep((interval * frame).saturating_sub(start.elapsed()));
        write_line(&mut writer, &source.sample(topics)?)?;
    }
    writer.flush().map_err(ProbeError::Write)
}

fn write_line(writer: &mut impl Write, value: &impl Serialize) -> Result<(), ProbeError> {
    serde_json::to_writer(&mut *writer, value).map_err(|error| ProbeError::Write(error.into()))?;
    writer.write_all(b"\n").map_err(ProbeError::Write)
}

/// When a frame was complete.
fn moment(frame: &Snapshot) -> Option<Moment> {
    EVERYTHING.into_iter().filter_map(|topic| frame.at(topic)).max_by_key(|at| at.since_boot_ns)
}

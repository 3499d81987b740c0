//! Scenario: `cpu.getall` as fast as one client can ask: round trips against a bare echo on psiod's own
//! stack, and requests per second with 32 of them on the way.

use std::time::{Duration, Instant};

use anyhow::Result;

use psio_bench::daemon::Daemon;
use psio_bench::quantile::{median, median_ratio};
use psio_bench::report::{Report, Target};
use psio_bench::setup::Setup;
use psio_bench::socket::{Socket, text_frame};

const REQUEST: &str = r#"{"type":"command","data":{"name":"cpu.getall"}}"#;
const DEPTH: usize = 32;

pub fn run(setup: &Setup, processes: u32, report: &mut Report) -> Result<()> {
    let psiod = Daemon::psiod(setup)?;
    let echo = Daemon::echo(setup)?;
    let tornado = Daemon::tornado(setup)?;

    let mut ours = Asked::start(&psiod, REQUEST)?;
    // The echo answers with what it is sent, so it is sent something of the size of psiod's answer.
    let same_size = "x".repeat(ours.answer_length()?);
    let mut bare = Asked::start(&echo, &same_size)?;
    let mut theirs = Asked::start(&tornado, REQUEST)?;

    let requests = if setup.quick { 100 } else { 400 };
    let window = Duration::from_millis(if setup.quick { 100 } else { 300 });
    for _ in 0..setup.rounds(21) {
        for asked in [&mut ours, &mut bare, &mut theirs] {
            asked.take_round_trips(requests)?;
            asked.take_pipelined(window)?;
        }
    }
    tell(&ours, &bare, &theirs, processes, report);
    Ok(())
}

/// A connection, its request, and per round the median round trip and the requests per second.
struct Asked {
    socket: Socket,
    request: Vec<u8>,
    pipelined: Vec<u8>,
    round_trip_us: Vec<f64>,
    per_second: Vec<f64>,
}

impl Asked {
    fn start(daemon: &Daemon, request: &str) -> Result<Self> {
        let request = text_frame(request);
        let mut asked = Self {
            socket: daemon.connect()?,
            pipelined: request.repeat(DEPTH),
            request,
            round_trip_us: Vec::new(),
            per_second: Vec::new(),
        };
        asked.take_round_trips(100)?;
        asked.round_trip_us.clear();
        Ok(asked)
    }

    fn answer_length(&mut self) -> Result<usize> {
        self.socket.send(&self.request)?;
        Ok(self.socket.receive()?.len())
    }

    /// One request at a time.
    fn take_round_trips(&mut self, requests: usize) -> Result<()> {
        let mut took_us = Vec::with_capacity(requests);
        for _ in 0..requests {
            let start = Instant::now();
            self.socket.send(&self.request)?;
            self.socket.receive()?;
            took_us.push(start.elapsed().as_secs_f64() * 1e6);
        }
        self.round_trip_us.push(median(&took_us));
        Ok(())
    }

    /// Always `DEPTH` requests on the way: as many are sent as answers have come.
    fn take_pipelined(&mut self, window: Duration) -> Result<()> {
        let length = self.request.len();
        let (start, mut answers) = (Instant::now(), 0);
        self.socket.send(&self.pipelined)?;
        while start.elapsed() < window {
            let came = self.socket.receive_many()?.min(DEPTH);
            answers += came;
            self.socket.send(&self.pipelined[..came * length])?;
        }
        self.per_second.push(answers as f64 / start.elapsed().as_secs_f64());
        let mut outstanding = DEPTH;
        while outstanding > 0 {
            outstanding = outstanding.saturating_sub(self.socket.receive_many()?);
        }
        Ok(())
    }
}

fn tell(ours: &Asked, bare: &Asked, theirs: &Asked, processes: u32, report: &mut Report) {
    report.figure(
        "cpu.getall: psiod ÷ bare echo, round trip p50",
        processes,
        (median_ratio(&ours.round_trip_us, &bare.round_trip_us), "×"),
        Target::AtMost(1.5),
    );
    report.figure(
        "cpu.getall: psiod, one client, 32 on the way",
        processes,
        (median(&ours.per_second), "requests/s"),
        Target::AtLeast(20_000.0),
    );
    report.figure(
        "cpu.getall: tornado ÷ psiod, round trip p50",
        processes,
        (median_ratio(&theirs.round_trip_us, &ours.round_trip_us), "×"),
        None,
    );
    report.figure(
        "cpu.getall: psiod ÷ tornado, requests per second",
        processes,
        (median_ratio(&ours.per_second, &theirs.per_second), "×"),
        None,
    );
    for (name, asked) in [("psiod", ours), ("bare echo", bare), ("tornado daemon", theirs)] {
        report.behind(
            format!("cpu.getall: {name}"),
            processes,
            format!("p50 {:.1} µs, {:.0} requests/s", median(&asked.round_trip_us), median(&asked.per_second)),
        );
    }
}

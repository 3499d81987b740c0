//! Scenario: `process.getall` over the socket, psiod and the tornado daemon taking turns, a fresh sample
//! for every answer.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use psio_bench::daemon::{Daemon, Sweeps};
use psio_bench::quantile::{median, median_ratio, quantile};
use psio_bench::report::{Report, Target};
use psio_bench::setup::Setup;
use psio_bench::socket::{Socket, text_frame};

/// With an id, so that the answer says when its sample was taken; the old daemon ignores it.
const REQUEST: &str = r#"{"type":"command","id":1,"data":{"name":"process.getall"}}"#;
/// Time between an answer and the next request of anybody.
const PAUSE: Duration = Duration::from_millis(250);

pub fn run(setup: &Setup, processes: u32, report: &mut Report) -> Result<()> {
    let mut ours = Asked::start(Daemon::psiod(setup)?, processes)?;
    let mut theirs = Asked::start(Daemon::tornado(setup)?, processes)?;
    let rounds = setup.rounds(if processes > 1000 { 30 } else { 60 });
    let mut pause = PAUSE;
    let before = Sweeps::ask(&mut ours.socket)?;
    while theirs.took_ms.len() < rounds {
        if ours.ask(pause)? {
            theirs.ask(PAUSE)?;
            continue;
        }
        // The daemon may answer from a sample of up to 20 × its cost; wait until it may not.
        pause += Duration::from_millis(100);
        ensure!(pause < Duration::from_secs(5), "psiod answers from old samples");
    }
    let after = Sweeps::ask(&mut ours.socket)?;
    tell(&ours, &theirs, processes, report);
    let sweeps = after.count - before.count;
    report.behind(
        "process.getall: psiod's own sweeps",
        processes,
        format!(
            "{:.1} per fresh answer, {:.2} ms each",
            sweeps / ours.took_ms.len() as f64,
            (after.total_us - before.total_us) / 1e3 / sweeps
        ),
    );
    report.figure(
        "psiod: resident memory, one client",
        processes,
        (ours.daemon.memory_mb("VmRSS")?, "MB"),
        (processes <= 300).then_some(Target::AtMost(20.0)),
    );
    report.behind(
        "tornado daemon: resident memory, one client",
        processes,
        format!("{:.1} MB", theirs.daemon.memory_mb("VmRSS")?),
    );
    Ok(())
}

/// A daemon, a connection to it, and what each of its answers took.
struct Asked {
    daemon: Daemon,
    socket: Socket,
    request: Vec<u8>,
    took_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
    bytes: usize,
    rows: usize,
    least_rows: f64,
}

#[derive(Deserialize)]
struct Answer {
    /// When the sample was taken, in ms since the epoch; the old daemon does not say.
    time: Option<f64>,
    data: Vec<IgnoredAny>,
}

impl Asked {
    fn start(daemon: Daemon, processes: u32) -> Result<Self> {
        let mut asked = Self {
            socket: daemon.connect()?,
            daemon,
            request: text_frame(REQUEST),
            took_ms: Vec::new(),
            cpu_ms: Vec::new(),
            bytes: 0,
            rows: 0,
            // Some may have ended since the machine was filled up.
            least_rows: 0.9 * f64::from(processes),
        };
        for _ in 0..3 {
            asked.ask(PAUSE)?;
        }
        asked.took_ms.clear();
        asked.cpu_ms.clear();
        Ok(asked)
    }

    /// Waits, asks, checks the answer. A measurement is kept only if its sample was fresh.
    fn ask(&mut self, pause: Duration) -> Result<bool> {
        thread::sleep(pause);
        let asked_at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as f64;
        let cpu_before = self.daemon.cpu_ms()?;
        let start = Instant::now();
        self.socket.send(&self.request)?;
        let answer = self.socket.receive()?;
        let took_ms = start.elapsed().as_secs_f64() * 1e3;
        self.bytes = answer.len();
        let answer: Answer = serde_json::from_slice(answer).context("not a process list")?;
        self.rows = answer.data.len();
        ensure!(self.rows as f64 >= self.least_rows, "only {} processes in the answer", self.rows);
        let fresh = answer.time.is_none_or(|taken_at| taken_at >= asked_at);
        if fresh {
            self.took_ms.push(took_ms);
            // What the daemon does after its answer is part of the price, so it gets some time.
            thread::sleep(Duration::from_millis(20));
            self.cpu_ms.push(self.daemon.cpu_ms()? - cpu_before);
        }
        Ok(fresh)
    }
}

fn tell(ours: &Asked, theirs: &Asked, processes: u32, report: &mut Report) {
    let floor = if processes > 1000 { 8.0 } else { 12.0 };
    report.figure(
        "process.getall: tornado ÷ psiod, p50",
        processes,
        (median_ratio(&theirs.took_ms, &ours.took_ms), "×"),
        Target::AtLeast(floor),
    );
    let p99 = |asked: &Asked| quantile(&asked.took_ms, 0.99);
    report.figure("process.getall: tornado ÷ psiod, p99", processes, (p99(theirs) / p99(ours), "×"), None);
    report.figure(
        "process.getall: tornado ÷ psiod, CPU per request",
        processes,
        (median_ratio(&theirs.cpu_ms, &ours.cpu_ms), "×"),
        None,
    );
    for (name, asked) in [("psiod", ours), ("tornado daemon", theirs)] {
        report.behind(
            format!("process.getall: {name}"),
            processes,
            format!(
                "p50 {:.2} ms, p99 {:.2} ms, CPU {:.2} ms, {} rows, {:.0} kB",
                median(&asked.took_ms),
                p99(asked),
                median(&asked.cpu_ms),
                asked.rows,
                asked.bytes as f64 / 1e3
            ),
        );
    }
}

//! Scenario: 100 clients that each ask for `process.getall` once a second. How many sweeps does that cost,
//! how much memory does psiod hold, and what does it do when all of them have gone?

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use psio_bench::daemon::{Daemon, Sweeps};
use psio_bench::quantile::{median, quantile};
use psio_bench::report::{Report, Target};
use psio_bench::setup::Setup;
use psio_bench::socket::{Socket, text_frame};

const CLIENTS: u32 = 100;
const REQUEST: &str = r#"{"type":"command","data":{"name":"process.getall"}}"#;

pub fn run(setup: &Setup, processes: u32, report: &mut Report) -> Result<()> {
    let psiod = Daemon::psiod(setup)?;
    let seconds = if setup.quick { 5 } else { 10 };

    let mut control = psiod.connect()?;
    let before = Counted::read(&psiod, &mut control)?;
    let took_ms = ask_as_a_crowd(&psiod, seconds)?;
    let after = Counted::read(&psiod, &mut control)?;
    drop(control);

    let elapsed = after.at.duration_since(before.at).as_secs_f64();
    report.figure(
        "100 clients at 1 Hz: sweeps per second",
        processes,
        ((after.sweeps - before.sweeps) / elapsed, "/s"),
        Target::AtMost(10.0),
    );
    report.figure(
        "psiod: resident memory after 100 clients",
        processes,
        (psiod.memory_mb("VmRSS")?, "MB"),
        (processes <= 300).then_some(Target::AtMost(20.0)),
    );
    report.behind(
        "100 clients at 1 Hz: process.getall",
        processes,
        format!(
            "{} answers, p50 {:.2} ms, p99 {:.2} ms, CPU {:.1} % of one core",
            took_ms.len(),
            median(&took_ms),
            quantile(&took_ms, 0.99),
            (after.cpu_ms - before.cpu_ms) / elapsed / 10.0
        ),
    );
    report.behind("psiod: most memory it ever held", processes, format!("{:.1} MB", psiod.memory_mb("VmHWM")?));
    tell_idle(&psiod, seconds, processes, report)
}

/// CPU of a psiod that nobody asks, once what the clients left behind has been cleared up.
fn tell_idle(psiod: &Daemon, seconds: u64, processes: u32, report: &mut Report) -> Result<()> {
    thread::sleep(Duration::from_secs(3));
    let (cpu_before, start) = (psiod.cpu_ms()?, Instant::now());
    thread::sleep(Duration::from_secs(seconds));
    let used_ms = psiod.cpu_ms()? - cpu_before;
    report.figure(
        "psiod: CPU with no client",
        processes,
        (used_ms / start.elapsed().as_secs_f64() / 10.0, "%"),
        // 0.0 % as a person reads it.
        Target::AtMost(0.04),
    );
    report.behind("psiod: CPU with no client", processes, format!("{used_ms:.3} ms in {seconds} s"));
    Ok(())
}

/// What psiod has done so far.
struct Counted {
    at: Instant,
    sweeps: f64,
    cpu_ms: f64,
}

impl Counted {
    fn read(psiod: &Daemon, control: &mut Socket) -> Result<Self> {
        let sweeps = Sweeps::ask(control)?.count;
        Ok(Self { at: Instant::now(), sweeps, cpu_ms: psiod.cpu_ms()? })
    }
}

/// Each client asks once a second, spread over the second; returns what each answer took.
fn ask_as_a_crowd(psiod: &Daemon, seconds: u64) -> Result<Vec<f64>> {
    let sockets = (0..CLIENTS).map(|_| psiod.connect()).collect::<Result<Vec<_>>>()?;
    let start = Instant::now() + Duration::from_millis(100);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .zip(sockets)
            .map(|(number, socket)| {
                let first = start + Duration::from_secs(1) * number / CLIENTS;
                scope.spawn(move || ask_each_second(socket, first, seconds))
            })
            .collect();
        let mut took_ms = Vec::new();
        for client in clients {
            let client = client.join().map_err(|_| anyhow!("a client panicked"))?;
            took_ms.extend(client?);
        }
        Ok(took_ms)
    })
}

fn ask_each_second(mut socket: Socket, first: Instant, seconds: u64) -> Result<Vec<f64>> {
    let request = text_frame(REQUEST);
    let mut took_ms = Vec::new();
    for second in 0..seconds {
        let due = first + Duration::from_secs(second);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let start = Instant::now();
        socket.send(&request)?;
        socket.receive()?;
        took_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took_ms)
}

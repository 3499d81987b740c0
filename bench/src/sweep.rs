//! Scenario: one sweep of all processes, everybody's own way.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::competitor::Competitor;
use psio_bench::quantile::{median, median_ratio};
use psio_bench::report::{Report, Target};
use psio_bench::setup::Setup;

const KEPT: &str = "psio (kept)";
const OPENED: &str = "psio (opened)";
const FLOOR_KEPT: &str = "floor (kept)";
const FLOOR_OPENED: &str = "floor (opened)";
const PSUTIL: &str = "psutil";
const SYSINFO: &str = "sysinfo crate";
const PROCFS: &str = "procfs crate (stat, status)";

/// The number of processes at which the targets hold.
const JUDGED_AT: u32 = 5000;

pub fn run(setup: &Setup, processes: u32, report: &mut Report) -> Result<()> {
    let mut competitors = start_all(setup)?;
    for competitor in &mut competitors {
        for _ in 0..2 {
            competitor.warm_up()?;
        }
    }
    for round in 0..setup.rounds(24) {
        take_turns(&mut competitors, round)?;
    }
    tell(&competitors, processes, report);
    Ok(())
}

/// One round. Whoever comes second finds the kernel's memory of processes warm, so who begins rotates, and every other
/// round goes the other way round.
fn take_turns(competitors: &mut [Competitor], round: usize) -> Result<()> {
    let first = round / 2 % competitors.len();
    let mut order: Vec<usize> = (0..competitors.len()).map(|turn| (first + turn) % competitors.len()).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    for turn in order {
        competitors[turn].round()?;
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn start_all(setup: &Setup) -> Result<Vec<Competitor>> {
    let psio = setup.binary("sweep_psio")?;
    let floor = setup.binary("psio-floor")?;
    let python = setup.python()?;
    Ok(vec![
        Competitor::start(KEPT, Command::new(&psio).arg("kept"))?,
        Competitor::start(FLOOR_KEPT, Command::new(&floor).args(["sweep-kept", "--stdin"]))?,
        Competitor::start(OPENED, Command::new(&psio).arg("opened"))?,
        Competitor::start(FLOOR_OPENED, Command::new(&floor).args(["sweep-opened", "--stdin"]))?,
        Competitor::start(SYSINFO, &mut Command::new(setup.binary("sweep_sysinfo")?))?,
        Competitor::start(PROCFS, &mut Command::new(setup.binary("sweep_procfs")?))?,
        Competitor::start(PSUTIL, Command::new(python).arg(setup.peer("sweep_psutil.py")))?,
    ])
}

fn tell(competitors: &[Competitor], processes: u32, report: &mut Report) {
    let pairs = [
        (KEPT, FLOOR_KEPT, Some(Target::AtMost(1.25))),
        (OPENED, FLOOR_OPENED, Some(Target::AtMost(1.25))),
        (PSUTIL, KEPT, Some(Target::AtLeast(8.0))),
        (SYSINFO, KEPT, Some(Target::AtLeast(3.2))),
        (PROCFS, KEPT, None),
    ];
    for (above, below, target) in pairs {
        let (Some(a), Some(b)) = (find(competitors, above), find(competitors, below)) else {
            continue;
        };
        report.figure(
            format!("sweep: {above} ÷ {below}"),
            processes,
            (median_ratio(&a.wall, &b.wall), "×"),
            target.filter(|_| processes == JUDGED_AT),
        );
        report.figure(format!("sweep, CPU: {above} ÷ {below}"), processes, (median_ratio(&a.cpu, &b.cpu), "×"), None);
    }
    for competitor in competitors {
        report.behind(
            format!("sweep: {}", competitor.name()),
            processes,
            format!(
                "{:.1} µs per process (CPU {:.1}), {} seen",
                median(&competitor.wall),
                median(&competitor.cpu),
                competitor.processes
            ),
        );
    }
}

fn find<'a>(competitors: &'a [Competitor], name: &str) -> Option<&'a Competitor> {
    competitors.iter().find(|competitor| competitor.name() == name)
}

//! Scenario: 50,000 connections that come and leave in every way. Are psiod's descriptors and memory then what they were?

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::findings::Findings;
use super::stage::{Descriptors, Stage, resident_bytes};
use super::watching::subscription;
use crate::client::{Order, Storm, Stormed};
use crate::daemon::Daemon;
use crate::report::Target;

/// How much more psiod may hold than after the first storm, MB: its allocator's slack, 40 bytes for each visitor.
const SLACK_MB: f64 = 2.0;
/// How long psiod may take to notice that everybody has left: its deadline for half a handshake, and some.
const REST: Duration = Duration::from_secs(30);

/// Runs it.
pub fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let (warm_up, connections, wave) = if stage.setup.quick { (400, 1000, 200) } else { (5000, 50_000, 500) };
    let psiod = stage.psiod()?;
    storm(stage, &psiod, warm_up, wave)?;
    let before = rest(&psiod, None)?;
    let stormed = storm(stage, &psiod, connections, wave)?;
    let after = rest(&psiod, Some(before.descriptors))?;

    let count = connections as u32;
    let none = Target::AtMost(0.0);
    let unanswered = f64::from(stormed.asked - stormed.answered);
    findings.must("storm: visitors turned away or lost", count, stormed.failed.into(), none);
    findings.must("storm: visitors that waited for an answer in vain", count, unanswered, none);
    let more = |after: usize, before: usize| after as f64 - before as f64;
    let (sockets, all) = (before.descriptors.sockets, before.descriptors.all);
    findings.must("storm: sockets left over", count, more(after.descriptors.sockets, sockets), none);
    findings.must("storm: descriptors left over", count, more(after.descriptors.all, all), none);
    findings.figure(
        "storm: memory left over",
        count,
        ((after.resident - before.resident) / 1e6, "MB"),
        Target::AtMost(SLACK_MB),
    );
    findings.behind(
        "storm",
        count,
        format!(
            "{:.0} visitors/s; {} descriptors before, {} after; {:.1} MB before, {:.1} MB after",
            f64::from(count) / stormed.took_ms * 1e3,
            all,
            after.descriptors.all,
            before.resident / 1e6,
            after.resident / 1e6,
        ),
    );
    Ok(())
}

fn storm(stage: &Stage, psiod: &Daemon, connections: usize, wave: usize) -> Result<Stormed> {
    let commands = ["cpu.getall", "memory.getall", "process.getall"];
    let messages = (1..).zip(commands).map(|(id, command)| subscription(id, command, None)).collect();
    stage.client()?.ask(&Order::Storm(Storm { port: psiod.port(), connections, wave, messages }))
}

/// psiod when nobody is there.
struct AtRest {
    descriptors: Descriptors,
    resident: f64,
}

/// Waits until psiod has no more descriptors than `wanted`, or no fewer than a moment ago.
fn rest(psiod: &Daemon, wanted: Option<Descriptors>) -> Result<AtRest> {
    let until = Instant::now() + REST;
    let mut last = Descriptors::read(psiod.pid())?;
    loop {
        thread::sleep(Duration::from_secs(4));
        let descriptors = Descriptors::read(psiod.pid())?;
        let is_back = match wanted {
            Some(wanted) => descriptors.all <= wanted.all && descriptors.sockets <= wanted.sockets,
            None => descriptors == last,
        };
        if is_back || Instant::now() > until {
            return Ok(AtRest { descriptors, resident: resident_bytes(psiod.pid())? });
        }
        last = descriptors;
    }
}

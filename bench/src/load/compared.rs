//! Scenarios: a crowd watches psiod, then the same crowd watches the floor, which writes as many bytes at each tick.

use anyhow::Result;

use super::findings::Findings;
use super::stage::Stage;
use super::watching::{Crowd, Round, Watching, round, subscription};
use crate::quantile::{median, median_ratio};
use crate::report::Target;

/// What is watched and what it may cost.
struct Scenario {
    name: &'static str,
    messages: Vec<String>,
    crowd: Crowd,
    rounds: usize,
    cpu: Target,
    last_receipt: Option<Target>,
    resident_kb: Target,
}

/// 10,000 connections, each subscribed to `cpu.getall` and `memory.getall`.
pub fn many(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let quick = stage.setup.quick;
    let scenario = Scenario {
        name: "cpu.getall and memory.getall",
        messages: vec![subscription(1, "cpu.getall", None), subscription(2, "memory.getall", None)],
        crowd: Crowd { readers: if quick { 500 } else { 10_000 }, stalled: 0, ticks: if quick { 3 } else { 10 } },
        rounds: if quick { 1 } else { 5 },
        cpu: Target::AtMost(1.25),
        last_receipt: Some(Target::AtMost(1.3)),
        resident_kb: Target::AtMost(6.0),
    };
    compare(stage, &scenario, findings)
}

/// 1,000 connections that watch whole lists of 500 processes.
pub fn whole_lists(stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    stage.fill_up(500)?;
    let quick = stage.setup.quick;
    let scenario = Scenario {
        name: "process.getall of 500",
        messages: vec![subscription(1, "process.getall", None)],
        crowd: Crowd { readers: if quick { 100 } else { 1000 }, stalled: 0, ticks: if quick { 3 } else { 10 } },
        rounds: if quick { 1 } else { 5 },
        cpu: Target::AtMost(1.5),
        last_receipt: None,
        resident_kb: Target::AtMost(8.0),
    };
    compare(stage, &scenario, findings)
}

fn compare(stage: &Stage, scenario: &Scenario, findings: &mut Findings) -> Result<()> {
    let watching = Watching::Psiod(scenario.messages.clone());
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    let mut lengths = Vec::new();
    for number in 0..scenario.rounds {
        // Who begins alternates; the floor cannot in the first round, for it does not know yet how much to write.
        if number % 2 == 1 {
            floors.push(round(stage, &Watching::Floor(lengths.clone()), scenario.crowd)?);
        }
        let ours_now = round(stage, &watching, scenario.crowd)?;
        lengths = ours_now.watched.mean_lengths.iter().map(|length| length.round() as usize).collect();
        ours.push(ours_now);
        if number % 2 == 0 {
            floors.push(round(stage, &Watching::Floor(lengths.clone()), scenario.crowd)?);
        }
    }
    tell(scenario, &ours, &floors, findings);
    Ok(())
}

fn tell(scenario: &Scenario, ours: &[Round], floors: &[Round], findings: &mut Findings) {
    let (name, crowd) = (scenario.name, scenario.crowd);
    let sum = |count: &dyn Fn(&Round) -> f64| ours.iter().map(count).sum::<f64>();
    let none = Target::AtMost(0.0);
    findings.must(format!("{name}: dropped"), crowd.readers, sum(&|round| round.watched.dropped.into()), none);
    findings.must(format!("{name}: ticks missed"), crowd.readers, sum(&|round| round.missed(crowd)), none);
    let cpu = |rounds: &[Round]| rounds.iter().map(|round| round.cpu_ms).collect::<Vec<_>>();
    let ratio = median_ratio(&cpu(ours), &cpu(floors));
    findings.figure(format!("{name}: CPU, psiod ÷ floor"), crowd.readers, (ratio, "×"), scenario.cpu);
    let without_sweeps: Vec<f64> = ours.iter().map(|round| round.cpu_without_sweeps_ms).collect();
    if without_sweeps != cpu(ours) {
        let ratio = median_ratio(&without_sweeps, &cpu(floors));
        findings.figure(format!("{name}: CPU without sweeps, psiod ÷ floor"), crowd.readers, (ratio, "×"), None);
    }
    let last = |rounds: &[Round]| rounds.iter().map(|round| median(&round.watched.last_receipt_ms)).collect::<Vec<_>>();
    findings.figure(
        format!("{name}: last receipt, psiod ÷ floor"),
        crowd.readers,
        (median_ratio(&last(ours), &last(floors)), "×"),
        scenario.last_receipt,
    );
    let resident = |rounds: &[Round]| rounds.iter().map(|round| round.resident_kb).collect::<Vec<_>>();
    findings.figure(
        format!("{name}: resident memory per connection"),
        crowd.readers,
        (median(&resident(ours)), "kB"),
        scenario.resident_kb,
    );
    for (side, rounds) in [("psiod", ours), ("floor", floors)] {
        let sum = |count: &dyn Fn(&Round) -> f64| rounds.iter().map(count).sum::<f64>();
        let of = |value: &dyn Fn(&Round) -> f64| median(&rounds.iter().map(value).collect::<Vec<_>>());
        findings.behind(
            format!("{name}: {side}"),
            crowd.readers,
            format!(
                "CPU {:.1} % of a core, last receipt {:.0} ms (p50 {:.0}, p99 {:.0} of all), {:.1} kB each, \
                 {:.0} bytes per tick, ticks up to {:.0} ms off the beat, open in {:.1} s, {} ticks missed, \
                 {} rounds of {} ticks",
                of(&|round| round.cpu_ms) / 10.0,
                median(&last(rounds)),
                of(&|round| round.watched.latency_p50_ms),
                of(&|round| round.watched.latency_p99_ms),
                median(&resident(rounds)),
                of(&|round| round.watched.bytes as f64 / f64::from(crowd.readers * crowd.ticks)),
                of(&Round::unevenness_ms),
                of(&|round| round.opened_ms) / 1e3,
                sum(&|round| round.missed(crowd)),
                rounds.len(),
                crowd.ticks,
            ),
        );
    }
}

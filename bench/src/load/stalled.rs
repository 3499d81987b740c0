//! Scenario: 100 of 1,000 watchers of whole lists never read. What do the others notice, what does psiod hold for the
//! 100, and are they told to go?

use anyhow::Result;

use super::findings::Findings;
use super::stage::Stage;
use super::watching::{Crowd, Round, Watching, round, subscription};
use crate::quantile::{median, median_ratio};
use crate::report::Target;

/// Runs it.
pub fn run(stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    stage.fill_up(500)?;
    let quick = stage.setup.quick;
    let (readers, stalled, rounds) = if quick { (90, 10, 1) } else { (900, 100, 5) };
    // Longer than the 10 s after which a client that does not read is closed.
    let ticks = 15;
    let lists = Watching::Psiod(vec![subscription(1, "process.getall", None)]);
    let (alone, beside) = (Crowd { readers, stalled: 0, ticks }, Crowd { readers, stalled, ticks });
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for number in 0..rounds {
        if number % 2 == 0 {
            without.push(round(stage, &lists, alone)?);
            with.push(round(stage, &lists, beside)?);
        } else {
            with.push(round(stage, &lists, beside)?);
            without.push(round(stage, &lists, alone)?);
        }
    }
    tell(&without, &with, beside, findings);
    Ok(())
}

fn tell(without: &[Round], with: &[Round], crowd: Crowd, findings: &mut Findings) {
    let total = crowd.readers + crowd.stalled;
    let name = format!("{} of them stalled", crowd.stalled);
    let sum = |count: &dyn Fn(&Round) -> f64| with.iter().map(count).sum::<f64>();
    let stalled = f64::from(crowd.stalled) * with.len() as f64;
    let none = Target::AtMost(0.0);
    findings.must(format!("{name}: others dropped"), total, sum(&|round| round.watched.dropped.into()), none);
    findings.must(format!("{name}: ticks missed by others"), total, sum(&|round| round.missed(crowd)), none);
    findings.must(
        format!("{name}: stalled ones still open after {} s", crowd.ticks),
        total,
        sum(&|round| round.drained.still_open.into()),
        none,
    );
    let told = sum(&|round| round.drained.told_1013.into());
    findings.figure(format!("{name}: of the closed, told 1013"), total, (100.0 * told / stalled, "%"), None);
    let p99 = |rounds: &[Round]| rounds.iter().map(|round| round.watched.latency_p99_ms).collect::<Vec<_>>();
    findings.figure(
        format!("{name}: p99 of the others' receipt, with ÷ without"),
        total,
        (median_ratio(&p99(with), &p99(without)), "×"),
        Target::AtMost(1.1),
    );
    let peak = |rounds: &[Round]| median(&rounds.iter().map(|round| round.peak_mb).collect::<Vec<_>>());
    // Well below a list of 100 kB and more for each of 100: they share what they wait for.
    findings.figure(
        format!("{name}: most memory psiod held, with − without"),
        total,
        (peak(with) - peak(without), "MB"),
        Target::AtMost(4.0),
    );
    findings.behind(
        name,
        total,
        format!(
            "p99 {:.0} ms with, {:.0} ms without; most memory {:.1} MB with, {:.1} MB without; of {stalled} stalled \
             {told} were told 1013, {} another code, {} were cut off",
            median(&p99(with)),
            median(&p99(without)),
            peak(with),
            peak(without),
            sum(&|round| round.drained.told_other.into()),
            sum(&|round| round.drained.cut_off.into()),
        ),
    );
}

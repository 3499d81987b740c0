//! Scenarios: what 1,000 watchers of changes cost psiod, and how many bytes of a whole list the changes are.

use anyhow::Result;

use super::findings::Findings;
use super::stage::Stage;
use super::watching::{Crowd, Watching, round, subscription};
use crate::quantile::median;
use crate::report::Target;

/// 1,000 connections that watch 5,000 processes in mode delta.
pub fn crowd(stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    let quick = stage.setup.quick;
    let (processes, readers, ticks, rounds) = if quick { (500, 50, 3, 1) } else { (5000, 1000, 10, 3) };
    stage.fill_up(processes)?;
    let crowd = Crowd { readers, stalled: 0, ticks };
    let rounds = (0..rounds).map(|_| round(stage, &delta(), crowd)).collect::<Result<Vec<_>>>()?;
    let name = format!("process.getall of {processes} in mode delta");
    let dropped = rounds.iter().map(|round| f64::from(round.watched.dropped)).sum();
    findings.must(format!("{name}: dropped"), readers, dropped, Target::AtMost(0.0));
    let missed = rounds.iter().map(|round| round.missed(crowd)).sum();
    findings.must(format!("{name}: ticks missed"), readers, missed, Target::AtMost(0.0));
    let percent: Vec<f64> = rounds.iter().map(|round| round.cpu_ms / 10.0).collect();
    findings.figure(
        format!("{name}: CPU of psiod in all, of a core"),
        readers,
        (median(&percent), "%"),
        Target::AtMost(25.0),
    );
    for round in &rounds {
        findings.behind(
            name.clone(),
            readers,
            format!(
                "CPU {:.1} % ({:.1} % without sweeps), last receipt {:.0} ms, {:.0} bytes per tick, {:.1} kB each",
                round.cpu_ms / 10.0,
                round.cpu_without_sweeps_ms / 10.0,
                median(&round.watched.last_receipt_ms),
                round.watched.bytes as f64 / f64::from(readers * ticks),
                round.resident_kb,
            ),
        );
    }
    Ok(())
}

/// One watcher of whole lists and one of changes, taking turns.
pub fn bytes(stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    let quick = stage.setup.quick;
    let (processes, ticks, rounds) = if quick { (500, 3, 1) } else { (5000, 10, 3) };
    stage.fill_up(processes)?;
    let crowd = Crowd { readers: 1, stalled: 0, ticks };
    let whole = Watching::Psiod(vec![subscription(1, "process.getall", None)]);
    let (mut shares, mut missed) = (Vec::new(), 0.0);
    for _ in 0..rounds {
        let whole = round(stage, &whole, crowd)?;
        let delta = round(stage, &delta(), crowd)?;
        missed += whole.missed(crowd) + delta.missed(crowd);
        shares.push(100.0 * delta.watched.bytes as f64 / whole.watched.bytes as f64);
        findings.behind(
            format!("process.getall of {processes}: bytes per tick"),
            1,
            format!(
                "whole {:.0}, delta {:.0}",
                whole.watched.bytes as f64 / f64::from(ticks),
                delta.watched.bytes as f64 / f64::from(ticks)
            ),
        );
    }
    findings.must(format!("process.getall of {processes}, one watcher: ticks missed"), 1, missed, Target::AtMost(0.0));
    findings.figure(
        format!("process.getall of {processes}: bytes of delta ÷ whole"),
        1,
        (median(&shares), "%"),
        Target::AtMost(5.0),
    );
    Ok(())
}

fn delta() -> Watching {
    Watching::Psiod(vec![subscription(1, "process.getall", Some("delta"))])
}

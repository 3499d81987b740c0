//! The load run: psiod under crowds, beside a floor server that only writes bytes framed before, in the same run.
//!
//! Everything stays on the loopback, every wait has a deadline, and every process started ends with this one.

mod compared;
mod cores;
mod deltas;
mod findings;
mod pipelined;
mod stage;
mod stalled;
mod storm;
mod watching;

use anyhow::{Context, Result};
use clap::ValueEnum;

pub use cores::Cores;
pub use findings::Findings;
pub use stage::Stage;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// 10,000 connections watching cpu.getall and memory.getall
    Many,
    /// 1,000 connections watching whole lists of 500 processes
    Lists,
    /// 16 clients with 32 cpu.getall on the way
    Pipeline,
    /// 1,000 connections watching changes of 5,000 processes
    Delta,
    /// How many bytes of a whole list its changes are
    Bytes,
    /// 100 of 1,000 watchers never read
    Stalled,
    /// 50,000 connections that come and go
    Storm,
}

/// Runs one of them.
pub fn run(scenario: Scenario, stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    match scenario {
        Scenario::Many => compared::many(stage, findings),
        Scenario::Lists => compared::whole_lists(stage, findings),
        Scenario::Pipeline => pipelined::run(stage, findings),
        Scenario::Delta => deltas::crowd(stage, findings),
        Scenario::Bytes => deltas::bytes(stage, findings),
        Scenario::Stalled => stalled::run(stage, findings),
        Scenario::Storm => storm::run(stage, findings),
    }
    .with_context(|| format!("{scenario:?}"))
}

//! Scenario: 16 clients with 32 `cpu.getall` on the way each, psiod and the floor taking turns.

use anyhow::Result;

use super::findings::Findings;
use super::stage::{ClientProcess, Stage};
use crate::client::{OpenPipeline, Order, Piped};
use crate::daemon::Daemon;
use crate::quantile::{median, median_ratio};
use crate::report::Target;

const CLIENTS: u32 = 16;
const DEPTH: usize = 32;
const REQUEST: &str = r#"{"type":"command","data":{"name":"cpu.getall"}}"#;

/// Runs it.
pub fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let (rounds, window_ms) = if stage.setup.quick { (2, 100) } else { (21, 500) };
    let (psiod, floor) = (stage.psiod()?, stage.floor()?);
    let mut ours = open(stage, &psiod, None)?;
    let first: Piped = ours.ask(&Order::RunPipeline { window_ms })?;
    // The floor replies with as many bytes.
    let length = first.mean_length.round();
    let mut bare = open(stage, &floor, Some(format!(r#"{{"reply":{length}}}"#)))?;
    bare.ask::<Piped>(&Order::RunPipeline { window_ms })?;
    let (mut ours_per_second, mut floor_per_second) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours_per_second.push(ours.ask::<Piped>(&Order::RunPipeline { window_ms })?.per_second);
        floor_per_second.push(bare.ask::<Piped>(&Order::RunPipeline { window_ms })?.per_second);
    }
    findings.figure(
        "pipelined cpu.getall, 32 on the way: replies, psiod ÷ floor",
        CLIENTS,
        (median_ratio(&ours_per_second, &floor_per_second), "×"),
        Target::AtLeast(0.5),
    );
    findings.behind(
        "pipelined cpu.getall, 32 on the way",
        CLIENTS,
        format!(
            "psiod {:.0}, floor {:.0} replies/s of {length} bytes",
            median(&ours_per_second),
            median(&floor_per_second)
        ),
    );
    Ok(())
}

fn open(stage: &Stage, server: &Daemon, greeting: Option<String>) -> Result<ClientProcess> {
    let mut client = stage.client()?;
    client.ask::<()>(&Order::OpenPipeline(OpenPipeline {
        port: server.port(),
        connections: CLIENTS as usize,
        depth: DEPTH,
        greeting,
        request: REQUEST.to_owned(),
    }))?;
    Ok(client)
}

//! One round of watching: a fresh server, a crowd that connects, and so many ticks of which the price is read.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::stage::{Stage, resident_bytes};
use crate::client::{Drained, Open, Opened, Order, Settle, Watched};
use crate::daemon::{Daemon, Sweeps};

/// Time between ticks, of psiod's subscriptions as of the floor.
const INTERVAL_MS: u64 = 1000;

/// Who watches, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Connections that read.
    pub readers: u32,
    /// Connections that never do.
    pub stalled: u32,
    /// Ticks that are counted.
    pub ticks: u32,
}

/// What is watched on which server.
#[derive(Clone, Debug)]
pub enum Watching {
    /// These messages to psiod, each a subscription.
    Psiod(Vec<String>),
    /// Frames of these lengths from the floor.
    Floor(Vec<usize>),
}

/// What a round came to.
pub struct Round {
    /// What the clients counted.
    pub watched: Watched,
    /// How the stalled ones ended.
    pub drained: Drained,
    /// CPU time of the server for one tick, ms.
    pub cpu_ms: f64,
    /// The same without its sweeps, as psiod tells their wall time.
    pub cpu_without_sweeps_ms: f64,
    /// Resident memory per connection, kB (1000 bytes).
    pub resident_kb: f64,
    /// The most memory the server ever held, MB.
    pub peak_mb: f64,
    /// Until all connections were open, ms.
    pub opened_ms: f64,
}

impl Round {
    /// Ticks that a reader did not get.
    pub fn missed(&self, crowd: Crowd) -> f64 {
        let got: u32 = self.watched.got.iter().sum();
        f64::from(crowd.readers * crowd.ticks) - f64::from(got)
    }

    /// How far from an even beat a tick began at worst, ms.
    pub fn unevenness_ms(&self) -> f64 {
        let off = |(number, start): (usize, &f64)| (start - (number as u64 * INTERVAL_MS) as f64).abs();
        self.watched.starts_ms.iter().enumerate().map(off).fold(0.0, f64::max)
    }
}

/// A subscription to a command at the common interval.
pub fn subscription(id: usize, command: &str, mode: Option<&str>) -> String {
    let mode = mode.map_or(String::new(), |mode| format!(r#""mode":"{mode}","#));
    format!(r#"{{"type":"subscribe","id":{id},"interval":{INTERVAL_MS},{mode}"data":{{"name":"{command}"}}}}"#)
}

/// Runs one round on a server of its own.
pub fn round(stage: &Stage, watching: &Watching, crowd: Crowd) -> Result<Round> {
    stage.check_room((crowd.readers + crowd.stalled) as usize)?;
    let server = match watching {
        Watching::Psiod(_) => stage.psiod()?,
        Watching::Floor(_) => stage.floor()?,
    };
    if !stage.setup.quick {
        // What the first watcher ever costs is not the price of a connection.
        watch(stage, &server, watching, Crowd { readers: 1, stalled: 0, ticks: 2 })?;
        thread::sleep(Duration::from_millis(500));
    }
    watch(stage, &server, watching, crowd)
}

fn watch(stage: &Stage, server: &Daemon, watching: &Watching, crowd: Crowd) -> Result<Round> {
    let before = resident_bytes(server.pid())?;
    let mut client = stage.client()?;
    let opened: Opened = client.ask(&Order::Open(open(server, watching, crowd)))?;
    let mut control = match watching {
        Watching::Psiod(_) => Some(server.connect()?),
        Watching::Floor(_) => None,
    };
    let mut sweeps = || control.as_mut().map(Sweeps::ask).transpose();
    let sweeps_before = sweeps()?;
    client.ask::<()>(&Order::Settle(Settle { interval_ms: INTERVAL_MS }))?;
    let cpu_before = server.cpu_ms()?;
    let watched: Watched = client.ask(&Order::Watch { ticks: crowd.ticks })?;
    let cpu_ms = (server.cpu_ms()? - cpu_before) / f64::from(crowd.ticks);
    let resident = resident_bytes(server.pid())? - before;
    let sweep_ms = match (sweeps_before, sweeps()?) {
        (Some(before), Some(after)) if after.count > before.count => {
            (after.total_us - before.total_us) / (after.count - before.count) / 1e3
        }
        _ => 0.0,
    };
    let drained = if crowd.stalled > 0 { client.ask(&Order::Drain)? } else { Drained::default() };
    Ok(Round {
        watched,
        drained,
        cpu_ms,
        cpu_without_sweeps_ms: cpu_ms - sweep_ms,
        resident_kb: resident / f64::from(crowd.readers + crowd.stalled) / 1e3,
        peak_mb: server.memory_mb("VmHWM")?,
        opened_ms: opened.took_ms,
    })
}

fn open(server: &Daemon, watching: &Watching, crowd: Crowd) -> Open {
    let (messages, streams, tells_seq) = match watching {
        Watching::Psiod(messages) => (messages.clone(), messages.len(), true),
        Watching::Floor(lengths) => (vec![format!(r#"{{"frames":{lengths:?}}}"#)], lengths.len(), false),
    };
    Open {
        port: server.port(),
        readers: crowd.readers as usize,
        stalled: crowd.stalled as usize,
        messages,
        streams,
        tells_seq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_what_the_protocol_says() {
        assert_eq!(
            subscription(2, "process.getall", Some("delta")),
            r#"{"type":"subscribe","id":2,"interval":1000,"mode":"delta","data":{"name":"process.getall"}}"#
        );
        let plain: serde_json::Value = serde_json::from_str(&subscription(1, "cpu.getall", None)).unwrap();
        assert_eq!(plain["data"]["name"], "cpu.getall");
        assert!(plain.get("mode").is_none());
    }
}

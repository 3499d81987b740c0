//! A sweep program that speaks the round protocol of `psio-floor`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use psio_bench::running::Talking;

const DEADLINE: Duration = Duration::from_secs(60);

/// One sweep as its program timed it.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Round {
    us: f64,
    cpu_us: f64,
    processes: u32,
}

/// A running sweep program and what its rounds took, in µs per process.
pub struct Competitor {
    program: Talking,
    pub wall: Vec<f64>,
    pub cpu: Vec<f64>,
    /// How many processes the last round saw.
    pub processes: u32,
}

impl Competitor {
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        Ok(Self { program: Talking::start(name, command, DEADLINE)?, wall: Vec::new(), cpu: Vec::new(), processes: 0 })
    }

    pub fn name(&self) -> &str {
        self.program.name()
    }

    /// A round that does not count.
    pub fn warm_up(&mut self) -> Result<()> {
        self.sweep().map(drop)
    }

    pub fn round(&mut self) -> Result<()> {
        let round = self.sweep()?;
        self.processes = round.processes;
        self.wall.push(round.us / f64::from(round.processes));
        self.cpu.push(round.cpu_us / f64::from(round.processes));
        Ok(())
    }

    fn sweep(&mut self) -> Result<Round> {
        let line = self.program.ask("go", DEADLINE)?;
        serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.name()))
    }
}

//! The machine under measurement: filled up with sleepers, and described without naming it.

use std::fs;
use std::num::NonZero;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::running::Talking;
use crate::setup::Setup;

/// How far the number of processes may be off before it is put right.
const TOLERANCE: f64 = 0.02;

/// Idle processes that fill the machine up; they go when this is dropped.
pub struct Sleepers {
    total: u32,
    children: Option<Talking>,
}

impl Sleepers {
    /// None yet; [`Self::fill_up`] starts as many as are missing to `total` processes.
    pub fn new(total: u32) -> Self {
        Self { total, children: None }
    }

    /// How many processes there shall be.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Makes the machine have its number of processes, also when others have come or gone since the last time.
    pub fn fill_up(&mut self, setup: &Setup) -> Result<()> {
        let off = f64::from(steady_count()?) - f64::from(self.total);
        if off.abs() <= TOLERANCE * f64::from(self.total) {
            return Ok(());
        }
        self.children = None;
        let missing = self.total.saturating_sub(steady_count()?);
        let mut command = Command::new(setup.binary("psio-floor")?);
        command.args(["sleepers", &missing.to_string()]);
        self.children = Some(Talking::start("sleepers", &mut command, Duration::from_secs(60))?);
        // Forking thousands has its aftermath, and psio looks closer at a process younger than 3 s.
        thread::sleep(Duration::from_secs(4));
        Ok(())
    }
}

/// The least number of processes within a second: what is left when short-lived ones have gone.
fn steady_count() -> Result<u32> {
    let mut least = u32::MAX;
    for _ in 0..10 {
        least = least.min(count_processes()?);
        thread::sleep(Duration::from_millis(100));
    }
    Ok(least)
}

/// How many processes there are now.
fn count_processes() -> Result<u32> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            count += 1;
        }
    }
    Ok(count)
}

/// One line: cores, processor, memory, kernel, day. No names, no paths.
pub fn describe(date: Option<&str>) -> Result<String> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = value_of(&cpuinfo, "model name").unwrap_or("unknown processor");
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let total_kib: f64 = value_of(&meminfo, "MemTotal")
        .and_then(|value| value.split_whitespace().next())
        .context("no MemTotal")?
        .parse()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let version: Vec<&str> = release.trim().splitn(3, '.').take(2).collect();
    let mut text =
        format!("{cores} cores of {model}, {:.0} GiB, Linux {}", total_kib / f64::from(1 << 20), version.join("."));
    if let Some(date) = date {
        text += &format!(", {date}");
    }
    Ok(text)
}

fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

//! Starts the servers and their clients, and reads what a server costs.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

use super::cores::{self, Cores};
use crate::client::{Order, Reply};
use crate::daemon::Daemon;
use crate::machine::Sleepers;
use crate::running::Talking;
use crate::setup::Setup;

/// No order takes a client longer; each has a deadline of its own below this.
const DEADLINE: Duration = Duration::from_secs(300);
/// Descriptors that a server has beside its connections, with processes kept open.
const SPARE_DESCRIPTORS: u64 = 3000;

/// Where everything happens.
pub struct Stage {
    /// Where the binaries are.
    pub setup: Setup,
    /// Who runs where.
    pub cores: Cores,
    descriptors: u64,
    sleepers: Option<Sleepers>,
}

impl Stage {
    /// With as many descriptors as this machine allows.
    pub fn new(setup: Setup, cores: Cores) -> Result<Self> {
        let descriptors = psio_floor::sys::raise_open_files().context("cannot raise the limit on open files")?;
        Ok(Self { setup, cores, descriptors, sleepers: None })
    }

    /// Fails when so many connections are more than the machine allows.
    pub fn check_room(&self, connections: usize) -> Result<()> {
        let needed = connections as u64 + SPARE_DESCRIPTORS;
        ensure!(
            needed <= self.descriptors,
            "{connections} connections need {needed} open files, and the hard limit here is {}",
            self.descriptors
        );
        Ok(())
    }

    /// Gives the machine so many processes.
    pub fn fill_up(&mut self, processes: u32) -> Result<()> {
        let mut sleepers = match self.sleepers.take() {
            Some(sleepers) if sleepers.total() == processes => sleepers,
            _ => Sleepers::new(processes),
        };
        sleepers.fill_up(&self.setup)?;
        self.sleepers = Some(sleepers);
        Ok(())
    }

    /// psiod, on the server's core.
    pub fn psiod(&self) -> Result<Daemon> {
        cores::on(self.cores.server, || Daemon::psiod(&self.setup))
    }

    /// The floor, on the server's core.
    pub fn floor(&self) -> Result<Daemon> {
        cores::on(self.cores.server, || Daemon::floor(&self.setup))
    }

    /// A client, on its own core.
    pub fn client(&self) -> Result<ClientProcess> {
        let mut command = Command::new(self.setup.binary("crowd_client")?);
        let talking = cores::on(self.cores.client, || Talking::start("crowd client", &mut command, DEADLINE))?;
        Ok(ClientProcess(talking))
    }
}

/// A crowd client; all its connections end with it.
pub struct ClientProcess(Talking);

impl ClientProcess {
    /// Has it carry out an order.
    pub fn ask<T: DeserializeOwned>(&mut self, order: &Order) -> Result<T> {
        let line = self.0.ask(&serde_json::to_string(order)?, DEADLINE)?;
        match serde_json::from_str(&line).with_context(|| format!("the crowd client said {line:?}"))? {
            Reply::Ok(answer) => Ok(answer),
            Reply::Error(error) => bail!("crowd client: {error}"),
        }
    }
}

/// Resident memory of a process, exact as of this moment.
///
/// `VmRSS` of its status is up to 64 pages per core behind; `statm` is not.
pub fn resident_bytes(pid: u32) -> Result<f64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: f64 = statm.split(' ').nth(1).context("no resident size in statm")?.parse()?;
    Ok(pages * rustix::param::page_size() as f64)
}

/// Descriptors of a process, without those that it keeps open for the processes of the machine: they come and go with
/// these, not with its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// All of them.
    pub all: usize,
    /// Those that are sockets.
    pub sockets: usize,
}

impl Descriptors {
    /// As of now; one that closes meanwhile is not counted.
    pub fn read(pid: u32) -> Result<Self> {
        let mut descriptors = Self { all: 0, sockets: 0 };
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
            let Ok(target) = fs::read_link(entry?.path()) else { continue };
            let target = target.as_os_str().as_encoded_bytes();
            let of_process = target.strip_prefix(b"/proc/").and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit);
            descriptors.all += usize::from(!of_process);
            descriptors.sockets += usize::from(target.starts_with(b"socket:"));
        }
        Ok(descriptors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_grows_with_what_is_touched() {
        let before = resident_bytes(std::process::id()).unwrap();
        let touched = vec![1_u8; 32 << 20];
        let after = resident_bytes(std::process::id()).unwrap();
        assert!(after - before > f64::from(16 << 20), "{before} {after} {}", touched.len());
    }
}

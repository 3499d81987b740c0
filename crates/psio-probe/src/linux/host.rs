//! The machine itself: what it is, and how much wants to run on it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use psio_api::data::cpu::CpuCounters;
use psio_api::data::host::HostSample;

use super::file::{self, KeptFile};
use crate::ProbeError;
use crate::Roots;
use crate::parse::{cpuinfo, loadavg, lossy, os_release, proc_stat};

/// What was read once, and what is read each time.
pub struct Host {
    roots: Roots,
    loadavg: KeptFile,
    hostname: KeptFile,
    facts: Option<Facts>,
    cpus: Vec<CpuCounters>,
}

/// What stays from boot to shutdown.
struct Facts {
    os: Option<Arc<str>>,
    kernel: Option<Arc<str>>,
    architecture: Option<Arc<str>>,
    boot_id: Option<Arc<str>>,
    cpu_model: Option<Arc<str>>,
    physical_cores: Option<u32>,
    /// How many CPUs were online then; when that changes the cores are counted again.
    logical_cpus: Option<u32>,
}

impl Host {
    /// Below the given roots.
    pub fn new(roots: &Roots) -> Self {
        Self {
            loadavg: KeptFile::new(&roots.proc, "loadavg"),
            hostname: KeptFile::new(&roots.proc, "sys/kernel/hostname"),
            roots: roots.clone(),
            facts: None,
            cpus: Vec::new(),
        }
    }

    /// What can be known; each field that cannot is `None`.
    pub fn sample(&mut self, proc_stat: &mut KeptFile, boot_time: Option<u64>) -> HostSample {
        let logical_cpus = self.logical_cpus(proc_stat).ok();
        let load = self.loadavg.parsed(loadavg::parse).ok();
        let hostname = self.hostname.read().ok().and_then(word);
        let facts = match self.facts.take() {
            Some(facts) if facts.logical_cpus == logical_cpus => facts,
            _ => facts(&self.roots, logical_cpus),
        };
        let sample = HostSample {
            hostname,
            os: facts.os.clone(),
            kernel: facts.kernel.clone(),
            architecture: facts.architecture.clone(),
            boot_id: facts.boot_id.clone(),
            boot_time,
            cpu_model: facts.cpu_model.clone(),
            logical_cpus,
            physical_cores: facts.physical_cores,
            load_average: load.map(|load| load.averages),
            threads_running: load.map(|load| load.threads_running),
            threads_total: load.map(|load| load.threads_total),
        };
        self.facts = Some(facts);
        sample
    }

    fn logical_cpus(&mut self, proc_stat: &mut KeptFile) -> Result<u32, ProbeError> {
        let cpus = &mut self.cpus;
        proc_stat.parsed(|text| proc_stat::cpus(text, cpus))?;
        Ok(u32::try_from(cpus.len()).unwrap_or(u32::MAX))
    }
}

fn facts(roots: &Roots, logical_cpus: Option<u32>) -> Facts {
    let proc = |name| file::text(&roots.proc, name);
    let cpuinfo = proc("cpuinfo").unwrap_or_default();
    Facts {
        os: file::text(&roots.etc, "os-release").and_then(|text| os_release::pretty_name(&text)),
        kernel: proc("sys/kernel/osrelease").and_then(|text| word(&text)),
        architecture: rustix::system::uname().machine().to_str().ok().map(Into::into),
        boot_id: proc("sys/kernel/random/boot_id").and_then(|text| word(&text)),
        // ARM kernels tell no model; some tell the machine's.
        cpu_model: [&b"model name"[..], b"Model", b"cpu model", b"Processor"]
            .iter()
            .find_map(|key| cpuinfo::first_value(&cpuinfo, key))
            .map(lossy),
        physical_cores: physical_cores(&roots.sys),
        logical_cpus,
    }
}

/// Sets of CPUs that share a core: psutil counts these too.
fn physical_cores(sys: &Path) -> Option<u32> {
    let entries = std::fs::read_dir(sys.join("devices/system/cpu")).ok()?;
    let cores: HashSet<Vec<u8>> = entries
        .flatten()
        .filter_map(|entry| {
            let topology = entry.path().join("topology");
            file::text(&topology, "core_cpus_list").or_else(|| file::text(&topology, "thread_siblings_list"))
        })
        .collect();
    u32::try_from(cores.len()).ok().filter(|count| *count > 0)
}

fn word(text: &[u8]) -> Option<Arc<str>> {
    let word = text.trim_ascii();
    (!word.is_empty()).then(|| lossy(word))
}

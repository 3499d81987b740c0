//! `/proc/stat`: time counters of each CPU, and when the kernel started; see proc_stat(5).

use psio_api::data::cpu::CpuCounters;

use super::fields::{Fields, number};
use super::{ParseError, lines};

/// Fills `cpus` with the lines `cpuN`, which come first, ordered by number.
pub fn cpus(text: &[u8], cpus: &mut Vec<CpuCounters>) -> Result<(), ParseError> {
    cpus.clear();
    for line in lines(text) {
        let Some(rest) = line.strip_prefix(b"cpu") else {
            break;
        };
        if rest.first() == Some(&b' ') {
            // The sum of all CPUs.
            continue;
        }
        cpus.push(counters(rest)?);
    }
    if cpus.is_empty() {
        return Err(ParseError("a line cpu0"));
    }
    if !cpus.is_sorted_by_key(|cpu| cpu.num) {
        cpus.sort_by_key(|cpu| cpu.num);
    }
    Ok(())
}

/// Seconds since the epoch when the kernel started: the line `btime`.
pub fn boot_time(text: &[u8]) -> Result<u64, ParseError> {
    let line = lines(text).find_map(|line| line.strip_prefix(b"btime ")).ok_or(ParseError("a line btime"))?;
    number(line.trim_ascii())
}

/// A line after its `cpu`. Columns that old kernels lack count 0.
fn counters(line: &[u8]) -> Result<CpuCounters, ParseError> {
    let mut fields = Fields::new(line);
    let num = fields.u32()?;
    let (user_ticks, nice_ticks) = (fields.u64()?, fields.u64()?);
    let (system_ticks, idle_ticks) = (fields.u64()?, fields.u64()?);
    let mut later = || fields.u64().unwrap_or(0);
    Ok(CpuCounters {
        num,
        user_ticks,
        nice_ticks,
        system_ticks,
        idle_ticks,
        iowait_ticks: later(),
        irq_ticks: later(),
        softirq_ticks: later(),
        steal_ticks: later(),
    })
}

//! Dear fields, read for single processes that somebody asked for.

use psio_api::data::details::{Details, ProcessDetails};
use psio_api::data::process::ProcessId;
use psio_api::data::unknown::Reason;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

use super::file;
use super::kept::Path;
use crate::parse::fields::Fields;
use crate::parse::{ParseError, cgroup, lossy, pid_stat, pid_status};

/// Reads the dear fields of those of the given processes that still run.
pub fn read(proc_dir: impl AsFd, processes: &[ProcessId]) -> Details {
    let mut buffer = Vec::new();
    processes.iter().filter_map(|&id| Some((id, of_process(&proc_dir, id, &mut buffer)?))).collect()
}

fn of_process(proc_dir: impl AsFd, id: ProcessId, buffer: &mut Vec<u8>) -> Option<ProcessDetails> {
    // What is opened below this directory belongs to one process, so that it suffices to check once which.
    let dir = file::open_dir(proc_dir, Path::of(id.pid, "").as_str()).ok()?;
    let started = read_one(&dir, "stat", buffer, |text| Ok(pid_stat::parse(text)?.started_ticks));
    if started != Ok(id.started) {
        return None;
    }
    let mut details = ProcessDetails::default();
    let switches = read_one(&dir, "status", buffer, pid_status::context_switches);
    let cgroup = read_one(&dir, "cgroup", buffer, |text| Ok(cgroup::unified(text).map(lossy)));
    let oom_score = read_one(&dir, "oom_score", buffer, |text| {
        i32::try_from(Fields::new(text).i64()?).map_err(|_| ParseError("a score"))
    });
    let unknown = &mut details.unknown;
    let mut note = |field: &str, reason| {
        unknown.insert(field.to_owned(), reason);
    };
    match switches {
        Ok((voluntary, involuntary)) => {
            details.voluntary_context_switches = Some(voluntary);
            details.involuntary_context_switches = Some(involuntary);
        }
        Err(reason) => note("num_ctx_switches", reason),
    }
    match cgroup {
        Ok(Some(path)) => details.cgroup = Some(path),
        Ok(None) => note("cgroup", Reason::Absent),
        Err(reason) => note("cgroup", reason),
    }
    match oom_score {
        Ok(score) => details.oom_score = Some(score),
        Err(reason) => note("oom_score", reason),
    }
    Some(details)
}

fn read_one<T>(
    dir: &OwnedFd,
    name: &str,
    buffer: &mut Vec<u8>,
    parse: impl FnOnce(&[u8]) -> Result<T, ParseError>,
) -> Result<T, Reason> {
    let file = file::open(dir, name).map_err(reason)?;
    file::read_all(&file, buffer).map_err(reason)?;
    parse(buffer).map_err(|_| Reason::Unsupported)
}

fn reason(errno: Errno) -> Reason {
    match errno {
        Errno::ACCESS | Errno::PERM => Reason::Denied,
        Errno::MFILE | Errno::NFILE => Reason::Budget,
        // Not every kernel is built with every file.
        Errno::NOENT => Reason::Unsupported,
        _ => Reason::Vanished,
    }
}

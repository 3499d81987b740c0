//! The sysinfo crate as a competitor: one refresh of CPU, memory and user of all processes per round.
//!
//! It gets what favours it: the same `System` throughout, no tasks, and the user only where not yet known.

use std::io;

use psio_floor::rounds::{self, Pace};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

fn main() -> io::Result<()> {
    let mut system = System::new().map_err(|error| io::Error::other(format!("{error:?}")))?;
    let kind =
        ProcessRefreshKind::nothing().with_cpu().with_memory().with_user(UpdateKind::OnlyIfNotSet).without_tasks();
    rounds::run(Pace::PerLine, || {
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        Ok(system.processes().len())
    })
}

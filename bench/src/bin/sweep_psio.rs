//! psio's own sweep: one sample of the processes topic into a finished snapshot per round, by the strategy
//! that the argument names (`kept` or `opened`).

use std::io;

use psio_api::data::snapshot::Snapshot;
use psio_api::data::topics::Topics;
use psio_floor::rounds::{self, Pace};
use psio_probe::{Options, Strategy};

fn main() -> io::Result<()> {
    let strategy = match std::env::args().nth(1).as_deref() {
        Some("kept") => Strategy::Kept,
        Some("opened") => Strategy::Opened,
        _ => return Err(io::Error::other("usage: sweep_psio kept|opened")),
    };
    let options = Options { strategy, ..Options::default() };
    let mut source = psio_probe::open(&options).map_err(io::Error::other)?;
    // Held until the next round has made its successor, as the daemon does: its freeing is part of the price.
    let mut last = Snapshot::default();
    rounds::run(Pace::PerLine, || {
        last = source.sample(Topics::PROCESSES).map_err(io::Error::other)?;
        let processes = last.processes.as_ref().map_or(0, |sample| sample.value.processes.len());
        Ok(processes)
    })
}

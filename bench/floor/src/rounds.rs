//! The round protocol that every sweep in the benchmark speaks.
//!
//! The program prints `ready`, then answers each line `go` on its stdin with one line
//! `{"us":41234.5,"cpu_us":41200.1,"processes":5031}`: wall and CPU microseconds of that round and
//! how many processes it saw. So a harness can interleave competitors round by round.

use std::io::{self, BufRead, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;

/// When the next round starts.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// One round for each line `go` on stdin, until it closes.
    PerLine,
    /// So many rounds, so far apart.
    Fixed {
        /// How many rounds.
        rounds: u32,
        /// Milliseconds of sleep between two rounds.
        interval_ms: u32,
    },
}

/// Runs rounds at the given pace; `round` returns how many processes it saw.
pub fn run(pace: Pace, mut round: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match pace {
        Pace::PerLine => {
            writeln!(out, "ready")?;
            out.flush()?;
            for line in io::stdin().lock().lines() {
                if line?.trim() == "go" {
                    timed(&mut out, &mut round)?;
                }
            }
        }
        Pace::Fixed { rounds, interval_ms } => {
            for _ in 0..rounds {
                timed(&mut out, &mut round)?;
                thread::sleep(Duration::from_millis(interval_ms.into()));
            }
        }
    }
    Ok(())
}

fn timed(out: &mut impl Write, round: &mut impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    let cpu_before = clock::own_cpu()?;
    let start = Instant::now();
    let processes = round()?;
    let us = micros(start.elapsed());
    let cpu_us = micros(clock::own_cpu()?.saturating_sub(cpu_before));
    writeln!(out, r#"{{"us":{us:.1},"cpu_us":{cpu_us:.1},"processes":{processes}}}"#)?;
    out.flush()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

//! `psio-bench`: psio side by side with its peers and with floor programs, in one run, interleaved.
//!
//! For each number of processes the machine is filled up with sleepers, then every scenario lets the
//! competitors take turns round by round, so that a machine whose speed drifts slows all of them.
//! Figures are medians of per-round ratios. `cargo xtask bench` builds the binaries and runs this.

mod competitor;
mod crowd;
mod getall;
mod round_trip;
mod sweep;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use psio_bench::commands;
use psio_bench::machine::{self, Sleepers};
use psio_bench::report::Report;
use psio_bench::setup::{self, Setup};

/// Compare psio with its peers and with floor programs.
#[derive(Parser)]
struct Options {
    /// Fewer rounds, shorter measurements; nothing is written
    #[arg(long)]
    quick: bool,
    /// Only these scenarios (repeatable); nothing is written
    #[arg(long, value_name = "NAME")]
    only: Vec<Scenario>,
    /// How many processes the machine shall have, one run of all scenarios for each
    #[arg(long, value_delimiter = ',', default_value = "300,5000")]
    processes: Vec<u32>,
    /// The day of the run, for the report
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<String>,
    /// Where the binaries are [default: next to this one]
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Where the report goes [default: bench/RESULTS.md]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// One sweep of all processes into a finished snapshot
    Sweep,
    /// process.getall over the socket, a fresh sample each
    Getall,
    /// cpu.getall: round trip against a bare echo, and requests per second
    RoundTrip,
    /// 100 clients at 1 Hz, resident memory, and CPU when nobody asks
    Crowd,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("psio-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let setup = Setup::new(options.binaries.clone(), options.quick)?;
    let mut report = Report::new("Results", "processes");
    for &processes in &options.processes {
        let mut sleepers = Sleepers::new(processes);
        for scenario in Scenario::value_variants() {
            if !options.only.is_empty() && !options.only.contains(scenario) {
                continue;
            }
            sleepers.fill_up(&setup)?;
            eprintln!("{scenario:?} at {processes} processes");
            run_scenario(*scenario, &setup, processes, &mut report)
                .with_context(|| format!("{scenario:?} at {processes} processes"))?;
        }
    }
    let text = report.to_markdown(&machine::describe(options.date.as_deref())?, &commands::line("cargo xtask bench"));
    setup::print(&text)?;
    if options.quick || !options.only.is_empty() {
        eprintln!("a partial run is not written down");
        return Ok(());
    }
    let path = options.output.clone().unwrap_or_else(|| setup.results());
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn run_scenario(scenario: Scenario, setup: &Setup, processes: u32, report: &mut Report) -> Result<()> {
    match scenario {
        Scenario::Sweep => sweep::run(setup, processes, report),
        Scenario::Getall => getall::run(setup, processes, report),
        Scenario::RoundTrip => round_trip::run(setup, processes, report),
        Scenario::Crowd => crowd::run(setup, processes, report),
    }
}

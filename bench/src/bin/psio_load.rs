//! `psio_load`: psiod under crowds of clients, beside a floor. `cargo xtask load` builds the binaries and runs this.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use psio_bench::load::{Cores, Findings, Scenario, Stage, run};
use psio_bench::setup::{self, Setup};
use psio_bench::{commands, machine};

/// Put psiod under load, beside a floor server that only writes bytes framed before.
#[derive(Parser)]
struct Options {
    /// Small crowds and few ticks, only to see that all is right; nothing is timed, nothing is written
    #[arg(long)]
    quick: bool,
    /// Only these scenarios (repeatable); nothing is written
    #[arg(long, value_name = "NAME")]
    only: Vec<Scenario>,
    /// Let server and client use all cores, instead of one each
    #[arg(long)]
    unpinned: bool,
    /// The day of the run, for the report
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<String>,
    /// Where the binaries are [default: next to this one]
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Where the report goes [default: bench/LOAD.md]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    match start(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("psio_load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options) -> Result<()> {
    let setup = Setup::new(options.binaries.clone(), options.quick)?;
    let mut findings = Findings::new(&setup);
    let results = setup.load_results();
    let cores = if options.unpinned { Cores::default() } else { Cores::choose()? };
    let mut stage = Stage::new(setup, cores)?;
    for scenario in Scenario::value_variants() {
        if options.only.is_empty() || options.only.contains(scenario) {
            eprintln!("{scenario:?}");
            run(*scenario, &mut stage, &mut findings)?;
        }
    }
    drop(stage);
    let machine = format!("{}. {}", machine::describe(options.date.as_deref())?, cores.describe());
    let text = findings.report.to_markdown(machine.trim_end_matches('.'), &commands::line("cargo xtask load"));
    setup::print(&text)?;
    ensure!(findings.broken().is_empty(), "this must hold and does not: {}", findings.broken().join("; "));
    if options.quick || !options.only.is_empty() {
        eprintln!("a partial run is not written down");
        return Ok(());
    }
    let path = options.output.clone().unwrap_or(results);
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

//! Builds what the benchmark compares and runs it.

use std::process::Command;

use anyhow::Context;

use crate::shell::{self, cargo, target};

/// Arguments of `cargo xtask bench`, passed on as they are.
#[derive(clap::Args)]
pub struct Arguments {
    /// Options of the benchmark itself; `-- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Runs the benchmark.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let packages = ["-p", "psio-bench", "-p", "psio-floor", "-p", "psiod"];
    shell::run(cargo(&["build", "--release", "--locked"]).args(packages))?;
    let today = Command::new("date").arg("+%F").output().context("cannot ask for the date")?.stdout;
    let today = String::from_utf8_lossy(&today).trim().to_owned();
    let bench = target().join("release/psio-bench");
    shell::run(shell::command(bench, "").args(["--date", &today]).args(&arguments.options))
}

//! Builds what the load run needs and runs it.

use std::process::Command;

use anyhow::Context;

use crate::shell::{self, cargo, target};

/// Arguments of `cargo xtask load`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Use debug binaries, as the test run does with --quick
    #[arg(long)]
    pub debug: bool,
    /// Options of the load run itself; `-- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub options: Vec<String>,
}

/// Runs the load run.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (profile, folder): (&[&str], _) = if arguments.debug { (&[], "debug") } else { (&["--release"], "release") };
    let packages = ["-p", "psio-bench", "-p", "psio-floor", "-p", "psiod"];
    shell::run(cargo(&["build", "--locked", "--bins"]).args(profile).args(packages))?;
    let today = Command::new("date").arg("+%F").output().context("cannot ask for the date")?.stdout;
    let today = String::from_utf8_lossy(&today).trim().to_owned();
    let load = target().join(folder).join("psio_load");
    shell::run(shell::command(load, "").args(["--date", &today]).args(&arguments.options))
}

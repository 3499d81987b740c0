//! Builds what the benchmark compares and runs it.

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
    shell::run(shell::command(target().join("release/psio-bench"), "").args(&arguments.options))
}

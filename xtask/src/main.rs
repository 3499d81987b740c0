//! Everything one does to this repository by command: `cargo xtask <task>`.

mod api_page;
mod autobahn;
mod bench;
mod capture;
mod generate;
mod load;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// psio's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write what follows from the registry: api/schema.json, api/API.md, the types of both clients
    Gen,
    /// Formatting, clippy, Rust tests, drift of api/: what one runs while working
    Check,
    /// Everything, as CI runs it; installs what it needs
    Test,
    /// Build the web UI into web/dist
    Web,
    /// Measure psiod beside its peers and floor programs; writes bench/RESULTS.md
    Bench(bench::Arguments),
    /// Play Autobahn's WebSocket test suite against psiod's transport; writes docs/AUTOBAHN.md
    Autobahn(autobahn::Arguments),
    /// Put psiod under crowds of clients, beside a floor server; writes bench/LOAD.md
    Load(load::Arguments),
    /// Record this machine into a file that `psiod --replay` plays
    Capture(capture::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("cargo xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Gen => generate::write(),
        Task::Check => test::check(),
        Task::Test => test::everything(),
        Task::Web => test::build_web(),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Autobahn(arguments) => autobahn::run(&arguments),
        Task::Load(arguments) => load::run(&arguments),
        Task::Capture(arguments) => capture::run(&arguments),
    }
}

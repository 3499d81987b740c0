//! psio: starts psiod if none runs and opens the process monitor.

mod folders;
mod launch;
mod running;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use psiod::config::DEFAULT_PORT;

const ABOUT: &str = "Shows what this machine is doing.

psio starts psiod, the background process that reads the machine, unless one runs already, and opens \
the process monitor in the browser. psiod stays when psio and the terminal are gone; `psio stop` ends it.";

const EXAMPLES: &str = "Try it:
  psio                      start if need be, open the browser
  psio --no-open            start if need be, only print the address
  psio status               is it running?
  psio stop                 end it
  psio daemon --help        psiod itself, in the foreground";

#[derive(Parser)]
#[command(name = "psio", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 100)]
struct Arguments {
    /// The port psiod listens on
    #[arg(long, global = true, value_name = "PORT", default_value_t = DEFAULT_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// Do not open the browser
    #[arg(long)]
    no_open: bool,

    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Tell whether psiod is running
    Status,
    /// End psiod
    Stop,
    /// Be psiod, in the foreground; takes psiod's options
    #[command(disable_help_flag = true)]
    Daemon,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_else(|| "psio".into());
    let mut rest = arguments.peekable();
    if rest.next_if(|first| first == "daemon").is_some() {
        return psiod::main(std::iter::once(OsString::from("psiod")).chain(rest));
    }
    let arguments = Arguments::parse_from(std::iter::once(program).chain(rest));
    let port = arguments.port;
    let done = match arguments.task {
        None => launch::launch(port, !arguments.no_open),
        Some(Task::Status) => running::status(port),
        Some(Task::Stop) => running::stop(port),
        Some(Task::Daemon) => {
            Err(anyhow::anyhow!("`daemon` comes first: psio daemon --port {port}; its options are psiod's"))
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            say_error(&format!("psio: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A line for the person who typed. What psiod says of itself is part of it, and need not come from psiod.
fn say(line: &str) {
    // Whoever reads may have gone: `psio status | true`.
    let _ = writeln!(std::io::stdout(), "{}", psiod::text::escape_controls(line));
}

fn say_error(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", psiod::text::escape_controls(line));
}

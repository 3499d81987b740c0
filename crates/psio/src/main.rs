//! psio: starts psiod if none runs and opens the process monitor; asks psiod from a shell.

mod answer;
mod arguments;
mod cell;
mod client;
mod columns;
mod csv;
mod folders;
mod launch;
mod output;
mod parameter;
mod running;
mod screen;
mod table;
mod watch;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use psiod::config::DEFAULT_PORT;

use crate::answer::{Answers, Form, csv_header, csv_records};
use crate::arguments::Asked;
use crate::client::Client;
use crate::output::ReaderGone;

const ABOUT: &str = "Shows what this machine is doing.

psio starts psiod, the background process that reads the machine, unless one runs already, and opens \
the process monitor in the browser. psiod stays when psio and the terminal are gone; `psio stop` ends it.";

const EXAMPLES: &str = "Try it:
  psio                      start if need be, open the browser
  psio --no-open            start if need be, only print the address
  psio get process.getall --sort -cpu_percent --limit 5
                            a table; JSON when piped
  psio watch cpu.getall     a table that changes; JSON lines when piped
  psio status               is it running?
  psio stop                 end it
  psio daemon --help        psiod itself, in the foreground";

/// The exit code for what was mistyped.
const MISTYPED: u8 = 2;

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

/// The whole command line: what is written above, and what follows from the registry.
fn command_line() -> clap::Command {
    Arguments::command().subcommand(arguments::get()).subcommand(arguments::watch())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_else(|| "psio".into());
    let mut rest = arguments.peekable();
    if rest.next_if(|first| first == "daemon").is_some() {
        return psiod::main(std::iter::once(OsString::from("psiod")).chain(rest));
    }
    let matches = command_line().try_get_matches_from(std::iter::once(program).chain(rest));
    let done = matches.map_err(anyhow::Error::from).and_then(|matches| run(&matches));
    match done {
        Ok(code) => code,
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(mistyped) => explain(&mistyped),
            Err(error) => {
                say_error(&format!("psio: {error:#}"));
                ExitCode::FAILURE
            }
        },
    }
}

fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match matches.subcommand() {
        Some(("get", matches)) => return get(&arguments::get_asked(matches)?),
        Some(("watch", matches)) => {
            let (asked, watching) = arguments::watch_asked(matches)?;
            return watch::watch(&asked, &watching);
        }
        _ => {}
    }
    let Arguments { port, no_open, task } = Arguments::from_arg_matches(matches)?;
    match task {
        None => launch::launch(port, !no_open),
        Some(Task::Status) => running::status(port),
        Some(Task::Stop) => running::stop(port),
        Some(Task::Daemon) => {
            Err(anyhow::anyhow!("`daemon` comes first: psio daemon --port {port}; its options are psiod's"))
        }
    }
}

/// `psio get`.
fn get(asked: &Asked) -> anyhow::Result<ExitCode> {
    let data = Client::connect(&asked.address)?.ask(asked.command.name, &asked.params)?;
    if asked.form == Form::Json {
        output::write_json(data.get())?;
        return Ok(ExitCode::SUCCESS);
    }
    let answers = Answers::of(asked.command, &asked.params);
    let answer = answers.read(data.get())?;
    if asked.form == Form::Csv {
        let columns = answers.csv_columns(&answer);
        let on_terminal = output::is_terminal();
        let records = csv_records(None, &columns, &answer, on_terminal);
        output::write(&[csv_header(None, &columns, on_terminal), records].concat())?;
    } else {
        output::write_lines(&answers.table(&answer, output::width()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the help that was asked for, or what was mistyped.
fn explain(mistyped: &clap::Error) -> ExitCode {
    if !mistyped.use_stderr() {
        // Whoever reads may have gone: `psio get --help | head`.
        let _ = mistyped.print();
        return ExitCode::SUCCESS;
    }
    let text = mistyped.render().to_string();
    let is_help = mistyped.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let text = if is_help { text } else { format!("psio: {}", text.strip_prefix("error: ").unwrap_or(&text)) };
    text.lines().for_each(say_error);
    ExitCode::from(MISTYPED)
}

/// A line for the person who typed. What psiod says of itself is part of it, and need not come from psiod.
fn say(line: &str) {
    // Whoever reads may have gone: `psio status | true`.
    let _ = writeln!(std::io::stdout(), "{}", psiod::text::escape_controls(line));
}

fn say_error(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", psiod::text::escape_controls(line));
}

//! `psio-floor`: the floor programs and the sleepers, one subcommand each.

use std::io::{self, Error, ErrorKind};
use std::process::ExitCode;

use psio_floor::rounds::{self, Pace};
use psio_floor::{kept, opened, sleepers};

const USAGE: &str = "\
usage: psio-floor sleepers N
       psio-floor sweep-kept   ROUNDS INTERVAL_MS | --stdin
       psio-floor sweep-opened ROUNDS INTERVAL_MS | --stdin

sleepers      N children that pause; prints `ready`, ends them when stdin closes or on SIGTERM
sweep-kept    descriptors kept: list /proc, pread stat and statm, fstat the directory
sweep-opened  open + read + close of stat and statm, fstatat of the directory
--stdin       one round for each line `go` read, answered with one JSON line";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            eprintln!("psio-floor: {error}\n{USAGE}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("psio-floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> io::Result<()> {
    match words {
        ["sleepers", count] => sleepers::run(number(count)?),
        ["sweep-kept", pace @ ..] => {
            let pace = parse_pace(pace)?;
            let mut sweep = kept::Sweep::new()?;
            rounds::run(pace, || sweep.round())
        }
        ["sweep-opened", pace @ ..] => {
            let pace = parse_pace(pace)?;
            let mut sweep = opened::Sweep::new()?;
            rounds::run(pace, || sweep.round())
        }
        _ => Err(Error::new(ErrorKind::InvalidInput, "no such program")),
    }
}

fn parse_pace(words: &[&str]) -> io::Result<Pace> {
    match words {
        ["--stdin"] => Ok(Pace::PerLine),
        [rounds, interval_ms] => Ok(Pace::Fixed { rounds: number(rounds)?, interval_ms: number(interval_ms)? }),
        _ => Err(Error::new(ErrorKind::InvalidInput, "expected ROUNDS INTERVAL_MS or --stdin")),
    }
}

fn number(word: &str) -> io::Result<u32> {
    word.parse().map_err(|_| Error::new(ErrorKind::InvalidInput, format!("not a number: {word}")))
}

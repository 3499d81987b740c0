//! The command line of psiod.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::http_api;
use crate::server::Deflate;

/// The port psiod listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 3000;

const ABOUT: &str = "Tells any program what this machine is doing.

psiod listens on ws://localhost:3000 and answers JSON commands about processes, CPUs and memory. \
Only programs and pages of this machine are let in; nothing needs to be configured.";

const EXAMPLES: &str = "Try it:
  psiod                                    serve on 127.0.0.1:3000 and [::1]:3000
  psiod --port 4000                        the same on another port
  psiod --listen 127.0.0.1:3000            on this address only (repeatable)
  psiod --replay machine.jsonl             serve a recorded machine instead of this one

Then ask it something, from any language:
  {\"type\":\"command\",\"data\":{\"name\":\"cpu.getall\"}}

or open http://localhost:3000 in a browser. psiod runs in the foreground; `psio` starts it in the
background. SIGINT or SIGTERM end it.";

/// What psiod can be told when it is started.
#[derive(Clone, Debug, Parser)]
#[command(name = "psiod", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 100)]
pub struct Config {
    /// Listen on this address and port instead; may be given several times
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "port", value_parser = address)]
    pub listen: Vec<SocketAddr>,

    /// Listen on this port of 127.0.0.1 and [::1]; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    pub port: u16,

    /// Where the figures come from: the kernel's own files (native), or the sysinfo crate (portable)
    #[arg(long, value_enum, hide_possible_values = true, default_value_t = SourceChoice::Native)]
    pub source: SourceChoice,

    /// How processes are read: with their files kept open (kept), opened each time (opened), or whichever is cheaper
    /// here (auto)
    #[arg(long, value_enum, hide_possible_values = true, default_value_t = SweepChoice::Auto)]
    pub sweep: SweepChoice,

    /// Serve the machine recorded in this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "sweep"])]
    pub replay: Option<PathBuf>,

    /// On /metrics, tell the N processes that use most CPU and the N that hold most memory
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = metrics_processes)]
    pub metrics_processes: u16,

    /// With whom to compress messages, if they offer it: clients on other machines (remote), everybody (always) or
    /// nobody (never)
    #[arg(long, value_enum, hide_possible_values = true, value_name = "WHOM", default_value_t = DeflateChoice::Remote)]
    pub deflate: DeflateChoice,

    /// How much to log: error, warn, info, debug or trace
    #[arg(long, value_enum, hide_possible_values = true, value_name = "LEVEL", default_value_t = LogLevel::Info)]
    pub log: LogLevel,

    /// Keep the pid in this file, locked as long as psiod runs
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Leave the terminal and its session (how psio starts it)
    #[arg(long, hide = true)]
    pub background: bool,
}

/// Where the figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceChoice {
    /// Read the kernel's own files: fast
    Native,
    /// Through the sysinfo crate: wherever that runs
    Portable,
}

/// How processes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SweepChoice {
    /// The cheapest way this machine allows
    Auto,
    /// Keep each process's files open
    Kept,
    /// Open and close them each time
    Opened,
}

/// With whom messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeflateChoice {
    /// Nobody
    Never,
    /// Clients on other machines
    Remote,
    /// Everybody
    Always,
}

impl From<DeflateChoice> for Deflate {
    fn from(choice: DeflateChoice) -> Self {
        match choice {
            DeflateChoice::Never => Self::Never,
            DeflateChoice::Remote => Self::Remote,
            DeflateChoice::Always => Self::Always,
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What keeps psiod from working
    Error,
    /// What keeps part of it from working
    Warn,
    /// Start and end
    Info,
    /// Every connection
    Debug,
    /// Everything
    Trace,
}

impl From<LogLevel> for tracing_subscriber::filter::LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, such as 127.0.0.1:3000 or [::1]:3000".to_owned())
}

/// Each process is a series of its own in Prometheus, for as long as that keeps its data.
fn metrics_processes(text: &str) -> Result<u16, String> {
    const MOST: u16 = 1000;
    text.parse().ok().filter(|&count| count <= MOST).ok_or_else(|| format!("expected a number from 0 to {MOST}"))
}

impl Config {
    /// The addresses to listen on. The second of the pair on loopback may be missing on a machine without IPv6.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        if !self.listen.is_empty() {
            return self.listen.clone();
        }
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        loopback.map(|address| SocketAddr::new(address, self.port)).to_vec()
    }

    /// What was chosen about the HTTP side.
    pub fn http_options(&self) -> http_api::Options {
        http_api::Options { metrics_processes: usize::from(self.metrics_processes) }
    }

    /// How the source is to be opened.
    pub fn source_options(&self) -> psio_probe::Options {
        use psio_probe::{SourceKind, Strategy};
        let kind = match (&self.replay, self.source) {
            (Some(file), _) => SourceKind::Replay(file.clone()),
            (None, SourceChoice::Native) => SourceKind::default(),
            (None, SourceChoice::Portable) => SourceKind::Portable,
        };
        let strategy = match self.sweep {
            SweepChoice::Auto => Strategy::Auto,
            SweepChoice::Kept => Strategy::Kept,
            SweepChoice::Opened => Strategy::Opened,
        };
        psio_probe::Options { kind, strategy, ..psio_probe::Options::default() }
    }
}

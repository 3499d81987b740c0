//! The daemons under measurement: psiod, the tornado daemon it is compared with, and a bare echo.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use psio_floor::clock;
use serde::Deserialize;

use crate::running::Running;
use crate::setup::Setup;
use crate::socket::{Socket, text_frame};

/// How long a daemon may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon that listens on a port of its own; it ends when this is dropped.
pub struct Daemon {
    running: Running,
    port: u16,
}

impl Daemon {
    /// psiod as it is built, quiet.
    pub fn psiod(setup: &Setup) -> Result<Self> {
        let state = setup.state_folder()?;
        let mut command = Command::new(setup.binary("psiod")?);
        // Its own folders, so that it meets no files of a psiod in use here.
        command.env("XDG_RUNTIME_DIR", &state).env("XDG_STATE_HOME", &state);
        Self::start(command, |command, port| {
            command.args(["--log", "warn", "--port", &port.to_string()]);
        })
    }

    /// The Python daemon of the same protocol.
    pub fn tornado(setup: &Setup) -> Result<Self> {
        let mut command = Command::new(setup.python()?);
        command.arg(setup.peer("tornado_daemon.py"));
        Self::start(command, |command, port| {
            command.arg(port.to_string());
        })
    }

    /// psiod's own HTTP and WebSocket layers with nothing behind them but an echo.
    pub fn echo(setup: &Setup) -> Result<Self> {
        let command = Command::new(setup.binary("echo_psiod")?);
        Self::start(command, |command, port| {
            command.arg(port.to_string());
        })
    }

    /// A server that only writes bytes that were framed before, at every tick of a second.
    pub fn floor(setup: &Setup) -> Result<Self> {
        let command = Command::new(setup.binary("floor_server")?);
        Self::start(command, |command, port| {
            command.arg(port.to_string());
        })
    }

    /// Where it listens on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    fn start(mut command: Command, pass: impl FnOnce(&mut Command, u16)) -> Result<Self> {
        let port = free_port()?;
        pass(&mut command, port);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut daemon = Self { running: Running::daemon(&mut command)?, port };
        daemon.connect().with_context(|| {
            let state = daemon.running.ended();
            let state = state.unwrap_or_else(|| "running".to_owned());
            format!("{} is {state}", command.get_program().to_string_lossy())
        })?;
        Ok(daemon)
    }

    /// A connection to it, ready to be asked.
    pub fn connect(&self) -> Result<Socket> {
        Socket::connect(self.port, PATIENCE)
    }

    /// CPU time it has used so far, in ms.
    pub fn cpu_ms(&self) -> Result<f64> {
        Ok(clock::cpu_of(self.running.pid())?.as_secs_f64() * 1e3)
    }

    /// A size out of its `/proc/PID/status`, in MB (10^6 bytes): `VmRSS`, `VmHWM`.
    pub fn memory_mb(&self, field: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.running.pid()))?;
        let kib: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .and_then(|value| value.trim().strip_suffix(" kB"))
            .with_context(|| format!("no {field} in status"))?
            .parse()?;
        Ok(kib * 1024.0 / 1e6)
    }
}

/// How psiod has swept so far, as it tells itself.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Sweeps {
    /// How many times.
    pub count: f64,
    /// Wall time of all of them, µs.
    pub total_us: f64,
}

impl Sweeps {
    /// Asks psiod over a connection of it.
    pub fn ask(socket: &mut Socket) -> Result<Self> {
        #[derive(Deserialize)]
        struct Answer {
            data: Stats,
        }
        #[derive(Deserialize)]
        struct Stats {
            sweep: Sweeps,
        }
        socket.send(&text_frame(r#"{"type":"command","data":{"name":"daemon.getstats"}}"#))?;
        let answer = socket.receive()?;
        let answer: Answer = serde_json::from_slice(answer)
            .with_context(|| format!("daemon.getstats: {}", String::from_utf8_lossy(answer)))?;
        Ok(answer.data.sweep)
    }
}

/// A port that nobody listens on at the moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

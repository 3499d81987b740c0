//! Child processes that are never left over: reaped when dropped, and when the harness itself is killed,
//! ended by the kernel (daemons) or by their stdin closing (all that are talked to in lines).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use psio_floor::sys;

/// A child that is killed when this is dropped.
pub struct Running(Child);

impl Running {
    /// Starts a daemon; from the main thread only, because the kernel ties its life to the thread's.
    pub fn daemon(command: &mut Command) -> Result<Self> {
        Self::start(sys::die_with_parent(command))
    }

    fn start(command: &mut Command) -> Result<Self> {
        let child =
            command.spawn().with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        Ok(Self(child))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// The exit status as text, when it has ended by itself.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.0.try_wait().ok()??;
        Some(status.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Either may fail only because the child has ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A child that is talked to in lines: one line in, one line out, each answer within a deadline.
pub struct Talking {
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    running: Running,
    name: String,
}

impl Talking {
    /// Starts the command and waits for its first line, `ready`.
    pub fn start(name: &str, command: &mut Command, deadline: Duration) -> Result<Self> {
        let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let stdin = running.0.stdin.take().context("no stdin pipe")?;
        let stdout = running.0.stdout.take().context("no stdout pipe")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut talking = Self { stdin: Some(stdin), lines, running, name: name.to_owned() };
        let first = talking.read(deadline)?;
        anyhow::ensure!(first == "ready", "{name} said {first:?} instead of \"ready\"");
        Ok(talking)
    }

    /// What it was called when it was started.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a line and returns the answer.
    pub fn ask(&mut self, line: &str, deadline: Duration) -> Result<String> {
        let stdin = self.stdin.as_mut().context("stdin is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("{} has ended", self.name))?;
        self.read(deadline)
    }

    fn read(&mut self, deadline: Duration) -> Result<String> {
        self.lines.recv_timeout(deadline).map_err(|error| {
            let state = self.running.ended().unwrap_or_else(|| error.to_string());
            anyhow::anyhow!("no answer from {}: {state}", self.name)
        })
    }
}

impl Drop for Talking {
    /// Closes stdin, which all of these take as the end, and lets the child clean up for a while.
    fn drop(&mut self) {
        self.stdin = None;
        let patience = Instant::now() + Duration::from_secs(20);
        while self.running.ended().is_none() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

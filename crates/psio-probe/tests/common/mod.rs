//! Children that end with the test, and waiting for what must come.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use psio_api::data::process::{Process, ProcessSample};
use psio_api::data::snapshot::Sample;
use psio_api::data::topics::Topics;
use psio_probe::Source;

/// A process that is killed and waited for when the test lets go of it.
pub struct Fellow(pub Child);

impl Fellow {
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a program to run"))
    }

    pub fn shell(script: &str) -> Self {
        Self::spawn(Command::new("sh").args(["-c", script]))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Writes a line to it and waits for one from it.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.0.stdin.as_mut().expect("its stdin");
        writeln!(stdin, "{line}").expect("that it listens");
        self.hear();
    }

    /// Waits for a line from it.
    pub fn hear(&mut self) {
        let stdout = self.0.stdout.as_mut().expect("its stdout");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line from it");
        assert!(!line.is_empty(), "it ended early");
    }
}

impl Drop for Fellow {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder of its own, removed afterwards.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("psio-probe-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn sweep(source: &mut dyn Source) -> Arc<Sample<ProcessSample>> {
    source.sample(Topics::PROCESSES).expect("a sweep").processes.expect("processes")
}

/// Sweeps until `found` finds something in a sample. A deadline, not a delay: it returns as soon as it can.
pub fn until<T>(source: &mut dyn Source, what: &str, found: impl Fn(&ProcessSample) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = found(&sweep(source).value) {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The process, once its program runs (a child is its parent's image until it executes).
pub fn running(source: &mut dyn Source, fellow: &Fellow, program: &str) -> Process {
    until(source, program, |sample| {
        let process = sample.find(fellow.pid())?;
        // In the middle of an exec the name is there before the command line.
        let has_arguments = process.identity.cmdline.as_ref().is_some_and(|arguments| !arguments.is_empty());
        (&*process.identity.name == program && has_arguments).then(|| process.clone())
    })
}

/// Whether this test may do what only root may.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Copies a program by another process: a child that a test forks while this one still writes the copy would hold it
/// open, and running it then fails with ETXTBSY.
pub fn copy_program(from: &str, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status().expect("cp");
    assert!(status.success(), "cp failed: {status}");
}

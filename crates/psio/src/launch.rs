//! Starting psiod in the background unless it runs, and showing its page.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::folders::Files;
use crate::running::{find, locked_pid, page};
use crate::{say, say_error};

/// How long psiod is given to answer after it was started.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// A log larger than this is put aside (one generation) before psiod is started.
const MAX_LOG_BYTES: u64 = 1 << 20;
/// Lines of the log that are shown when psiod did not start.
const SHOWN_LINES: usize = 5;

/// `psio`: starts psiod if need be, prints the address, opens the browser.
pub fn launch(port: u16, open: bool) -> anyhow::Result<ExitCode> {
    match find(port) {
        None => start(port)?,
        Some(running) => {
            say(&format!("psiod {} is running (pid {})", running.version, running.pid));
            if let Some(difference) = running.other_protocol() {
                bail!("{difference}; `psio stop` ends it, then psio starts one that fits");
            }
        }
    }
    let page = page(port);
    say(&page);
    if open
        && has_display()
        && let Err(error) = open::that_detached(&page)
    {
        say_error(&format!("psio: cannot open a browser ({error}); open the address above yourself"));
    }
    Ok(ExitCode::SUCCESS)
}

fn start(port: u16) -> anyhow::Result<()> {
    let files = Files::of(port)?;
    files.make_folders()?;
    let log = open_log(&files.log)?;
    let logged_before = log.metadata()?.len();
    let mut child = Command::new(std::env::current_exe().context("cannot find psio's own executable")?)
        .args(["daemon", "--background", "--port", &port.to_string()])
        .arg("--pid-file")
        .arg(&files.pid)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .current_dir("/")
        .spawn()
        .context("cannot start psiod")?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ended = child.try_wait().context("cannot tell whether psiod runs")?;
        if let Some(running) = find(port) {
            // Not always our own: another psio may have started one at the same moment.
            say(&format!("psiod {} started (pid {}), log: {}", running.version, running.pid, files.log.display()));
            return Ok(());
        }
        if let Some(pid) = ended.and_then(|_| locked_pid(&files)) {
            bail!("psiod (pid {pid}) runs but does not answer on port {port}; `psio stop` ends it");
        }
        if let Some(status) = ended {
            bail!("psiod ended at once ({status}){}", last_lines(&files.log, logged_before));
        }
        if Instant::now() > deadline {
            bail!("psiod (pid {}) does not answer on port {port}; its log: {}", child.id(), files.log.display());
        }
        std::thread::sleep(POLL);
    }
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    if fs::metadata(path).is_ok_and(|log| log.len() > MAX_LOG_BYTES) {
        fs::rename(path, path.with_extension("log.old")).context("cannot put the old log aside")?;
    }
    let options = File::options().create(true).append(true).mode(0o600).open(path);
    options.with_context(|| format!("cannot write the log {}", path.display()))
}

fn last_lines(path: &Path, from: u64) -> String {
    let log = fs::read(path).unwrap_or_default();
    let log = String::from_utf8_lossy(log.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default()).into_owned();
    let lines: Vec<_> = log.lines().rev().take(SHOWN_LINES).collect();
    lines.into_iter().rev().map(|line| format!("; {line}")).collect()
}

/// Whether there is a screen to open a browser on.
fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::env::consts::OS != "linux" || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

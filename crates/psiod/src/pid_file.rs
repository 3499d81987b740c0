//! The pid file: locked as long as psiod lives, so that its pid can be trusted exactly while it is locked.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How long a lock is waited for: psio takes one for a moment to see whether anybody has it.
const PATIENCE: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(5);

/// A pid file of this process; removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    locked: File,
}

impl PidFile {
    /// Writes it and takes the lock.
    pub fn write(path: &Path) -> anyhow::Result<Self> {
        let mut locked = lock(path)?;
        locked.set_len(0)?;
        writeln!(locked, "{}", std::process::id())?;
        Ok(Self { path: path.to_owned(), locked })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Whoever cleans the runtime folder may have been faster, and another psiod have a file of its own there now.
        if is_at(&self.locked, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let options = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
        let file = options.with_context(|| format!("cannot write the pid file {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if is_at(&file, path) => return Ok(file),
            // A psiod that ends removed it between our open and our lock.
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(POLL),
            Err(Errno::WOULDBLOCK) => {
                let pid = fs::read_to_string(path).unwrap_or_default();
                bail!("the pid file {} is held by another psiod (pid {})", path.display(), pid.trim());
            }
            Err(error) => bail!("cannot lock the pid file {}: {error}", path.display()),
        }
    }
}

/// Whether this open file is the one that the path leads to.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(found)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (file.dev(), file.ino()) == (found.dev(), found.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("psiod-test-{}-{name}.pid", std::process::id()))
    }

    #[test]
    fn it_holds_the_pid_while_it_lives_and_is_gone_afterwards() {
        let path = path("lives");
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), std::process::id().to_string());
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_second_one_is_refused_and_named() {
        let path = path("second");
        let _first = PidFile::write(&path).unwrap();
        let error = PidFile::write(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("another psiod (pid {})", std::process::id())), "{error}");
    }

    #[test]
    fn one_that_a_crash_left_behind_is_taken_over() {
        let path = path("stale");
        fs::write(&path, "999999999999\n").unwrap();
        let _file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), std::process::id().to_string());
    }

    #[test]
    fn it_leaves_the_file_of_another_that_has_taken_its_place() {
        let path = path("replaced");
        let first = PidFile::write(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _second = PidFile::write(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[test]
    fn those_that_come_while_others_go_always_hold_the_file_at_the_path() {
        let path = path("race");
        let deadline = Instant::now() + Duration::from_millis(300);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while Instant::now() < deadline {
                        if let Ok(file) = PidFile::write(&path) {
                            assert!(is_at(&file.locked, &path));
                        }
                    }
                });
            }
        });
    }
}

//! The pid file: locked as long as psiod lives, so that its pid can be trusted exactly while it is locked.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// A pid file of this process; removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    _locked: File,
}

impl PidFile {
    /// Writes it and takes the lock.
    pub fn write(path: &Path) -> anyhow::Result<Self> {
        let options = File::options().create(true).truncate(false).write(true).open(path);
        let mut file = options.with_context(|| format!("cannot write the pid file {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let pid = fs::read_to_string(path).unwrap_or_default();
                bail!("the pid file {} is held by another psiod (pid {})", path.display(), pid.trim());
            }
            Err(error) => bail!("cannot lock the pid file {}: {error}", path.display()),
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { path: path.to_owned(), _locked: file })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Whoever cleans the runtime folder may have been faster.
        let _ = fs::remove_file(&self.path);
    }
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
}

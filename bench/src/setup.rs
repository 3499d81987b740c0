//! Where things are: the binaries, the Python environment, the folder of this crate.

use std::cell::OnceCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::python;

/// What every scenario needs to start its competitors, and how many rounds it has.
pub struct Setup {
    binaries: PathBuf,
    python: OnceCell<PathBuf>,
    /// Fewer rounds, shorter measurements.
    pub quick: bool,
}

impl Setup {
    /// With the binaries of a folder, by default the one this program is in.
    pub fn new(binaries: Option<PathBuf>, quick: bool) -> Result<Self> {
        let binaries = match binaries {
            Some(folder) => folder,
            None => std::env::current_exe()?.parent().context("this executable has no folder")?.to_owned(),
        };
        Ok(Self { binaries, python: OnceCell::new(), quick })
    }

    /// The full path of a binary of the workspace, which must have been built.
    pub fn binary(&self, name: &str) -> Result<PathBuf> {
        let path = self.binaries.join(name);
        ensure!(path.is_file(), "{name} is not built; `cargo xtask bench` and `cargo xtask load` build what they need");
        Ok(path)
    }

    /// The interpreter that has the peers' packages, set up when first asked for.
    pub fn python(&self) -> Result<&Path> {
        if let Some(python) = self.python.get() {
            return Ok(python);
        }
        let target = self.binaries.parent().context("the folder of binaries has no parent")?;
        let python = python::environment(&target.join("bench-venv"), &self.peer("requirements.txt"))?;
        Ok(self.python.get_or_init(|| python))
    }

    /// A file of `bench/peers`.
    pub fn peer(&self, name: &str) -> PathBuf {
        self.crate_folder().join("peers").join(name)
    }

    /// Where the committed report is.
    pub fn results(&self) -> PathBuf {
        self.crate_folder().join("RESULTS.md")
    }

    /// Where the committed report of the load run is.
    pub fn load_results(&self) -> PathBuf {
        self.crate_folder().join("LOAD.md")
    }

    /// A folder for what a daemon under test keeps, so that it never meets a real one's files.
    pub fn state_folder(&self) -> Result<PathBuf> {
        let folder = self.binaries.join("bench-state");
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// `full` rounds, or a fifth of them (at least 3) in a quick run.
    pub fn rounds(&self, full: usize) -> usize {
        if self.quick { (full / 5).max(3) } else { full }
    }

    fn crate_folder(&self) -> &Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }
}

/// The one place that writes to stdout.
pub fn print(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

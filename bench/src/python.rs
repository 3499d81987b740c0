//! The virtual environment with the Python peers, made once and again when the pins change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Makes sure that `folder` has what `requirements` pins; returns its interpreter.
pub fn environment(folder: &Path, requirements: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    let pins = fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(python);
    }
    eprintln!("setting up the Python peers");
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--timeout", "30"])
        .args(["--disable-pip-version-check", "-r"])
        .arg(requirements))?;
    fs::write(stamp, pins)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

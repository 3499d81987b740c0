//! Running other programs, and having them installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("invariant: xtask lies in the repository").to_owned()
}

/// The folder cargo builds into.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command that starts in a folder of the repository.
pub fn command(program: impl AsRef<std::ffi::OsStr>, folder: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root().join(folder));
    command
}

/// Cargo, in the root.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), "");
    command.args(arguments);
    command
}

/// npm, in a folder.
pub fn npm(folder: &str, arguments: &[&str]) -> Command {
    let mut command = command("npm", folder);
    command.args(arguments).args(["--no-fund", "--no-audit"]);
    command
}

/// Says what is run, runs it, and fails when it fails.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    say(&format!("▶ {program} {}", words.join(" ")));
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        bail!("`{program} {}` failed: {status}", words.join(" "));
    }
    Ok(())
}

/// Whether a program is on the PATH.
pub fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Makes sure that a program is there: from its Debian package when we may install it, else by saying how.
pub fn need(program: &str, package: &str) -> anyhow::Result<()> {
    if has(program) { Ok(()) } else { install(package, program) }
}

/// A folder with the programs of a Debian package that is unpacked and not installed: installing it would start a
/// service. `None` where the program is on the PATH already.
pub fn unpacked(program: &str, package: &str) -> anyhow::Result<Option<PathBuf>> {
    let folder = target().join(package);
    let programs = folder.join("usr/bin");
    if has(program) {
        return Ok(None);
    }
    if !programs.join(program).is_file() {
        let line = format!("apt-get update && apt-get download {package} && dpkg-deb -x {package}_*.deb .");
        if !has("apt-get") {
            bail!("{program} is missing; put it on the PATH, or on Debian into target/{package}: {line}");
        }
        std::fs::create_dir_all(&folder)?;
        run(Command::new("sh").args(["-c", &line]).current_dir(&folder).stdin(Stdio::null()))?;
    }
    Ok(Some(programs))
}

fn install(package: &str, what: &str) -> anyhow::Result<()> {
    let line = format!("apt-get update && apt-get install -y --no-install-recommends {package}");
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if !is_root || !has("apt-get") {
        bail!("{what} is missing; install it with: sudo sh -c '{line}'");
    }
    run(Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The Python of a virtual environment under `target/` with these pinned requirements, made when it is missing.
pub fn python(name: &str, requirements: &str) -> anyhow::Result<PathBuf> {
    let folder = target().join(name);
    let python = folder.join("bin/python");
    let requirements = root().join(requirements);
    let wanted = std::fs::read_to_string(&requirements)?;
    let stamp = folder.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    need("python3", "python3")?;
    let has_ensurepip = Command::new("python3").args(["-c", "import ensurepip"]).stderr(Stdio::null()).status()?;
    if !has_ensurepip.success() {
        // Debian keeps this part of Python in a package of its own.
        install("python3-venv", "the venv module of Python")?;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&requirements))?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

/// A line for the person who typed.
#[expect(clippy::print_stderr, reason = "this is where xtask talks to people")]
pub fn say(line: &str) {
    eprintln!("{line}");
}

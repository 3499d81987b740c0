//! The test run: each step fails loudly or passes, none is skipped.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{fs, io};

use anyhow::{Context, bail};

use crate::generate;
use crate::load;
use crate::shell::{cargo, command, need, npm, python, root, run, say, target, unpacked};

/// What one runs while working.
pub fn check() -> anyhow::Result<()> {
    step("formatting", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    step("clippy", || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    })?;
    step("Rust tests", || run(&mut cargo(&["test", "--workspace", "--locked", "--quiet"])))?;
    step("drift of api/", generate::compare)
}

/// Everything.
pub fn everything() -> anyhow::Result<()> {
    let started = Instant::now();
    check()?;
    step("web UI", web)?;
    step("psiod and psio", || run(&mut cargo(&["build", "--locked", "--bins", "-p", "psiod", "-p", "psio"])))?;
    step("truth and protocol, with psutil and Python's websockets", oracle)?;
    step("Node's WebSocket", || run(command("node", "e2e/node").arg("--test").env("PSIOD", psiod())))?;
    step("Python client", python_client)?;
    step("TypeScript client", typescript_client)?;
    step("browser", browser)?;
    step("crowds of clients, in small", small_load)?;
    say(&format!("everything passed in {} s", started.elapsed().as_secs()));
    Ok(())
}

/// Builds the web UI into `web/dist`.
pub fn build_web() -> anyhow::Result<()> {
    generate::install_web()?;
    run(&mut npm("web", &["run", "build"]))
}

fn web() -> anyhow::Result<()> {
    let (types, dist) = (root().join(generate::TYPES), root().join("web/dist"));
    let (types_before, dist_before) = (fs::read_to_string(&types)?, files(&dist)?);
    generate::write_types()?;
    if fs::read_to_string(&types)? != types_before {
        bail!("{} was not what api/schema.json says; commit what is there now", generate::TYPES);
    }
    generate::install_web()?;
    run(&mut npm("web", &["run", "check"]))?;
    run(&mut npm("web", &["test"]))?;
    run(&mut npm("web", &["run", "build"]))?;
    if files(&dist)? != dist_before {
        bail!("web/dist was not what web/src builds; commit what is there now");
    }
    Ok(())
}

fn oracle() -> anyhow::Result<()> {
    need("curl", "curl")?;
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(programs) = unpacked("prometheus", "prometheus")? {
        path.push(":");
        path.push(programs);
    }
    let python = python("test-venv", "e2e/oracle/requirements.txt")?;
    run(pytest(&python, "e2e/oracle").env("PATH", path))
}

fn python_client() -> anyhow::Result<()> {
    let python = python("client-venv", "clients/python/requirements-test.txt")?;
    run(&mut pytest(&python, "clients/python"))
}

fn typescript_client() -> anyhow::Result<()> {
    generate::install("clients/typescript")?;
    run(npm("clients/typescript", &["test"]).env("PSIOD", psiod()))
}

/// The scale runs in small: whether all are told everything, not how fast.
fn small_load() -> anyhow::Result<()> {
    load::run(&load::Arguments { debug: true, options: vec!["--quick".to_owned()] })
}

fn pytest(python: &Path, folder: &str) -> Command {
    let mut command = command(python, folder);
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).env("PSIOD", psiod());
    command
}

fn browser() -> anyhow::Result<()> {
    need("chromium", "chromium")?;
    generate::install("e2e/browser")?;
    run(command("node", "e2e/browser").args(["--test", "--test-concurrency=1"]).env("PSIOD", psiod()))
}

fn psiod() -> std::path::PathBuf {
    target().join("debug/psiod")
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> io::Result<BTreeMap<std::path::PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.insert(path.clone(), fs::read(path)?);
        }
    }
    Ok(found)
}

fn step(name: &str, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let started = Instant::now();
    say(&format!("── {name}"));
    run().with_context(|| format!("{name} failed"))?;
    say(&format!("── {name}: passed in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

//! What follows from the registry: written by `gen`, compared by the tests.

use std::fs;

use anyhow::{Context, bail};

use crate::shell::{command, need, npm, root, run};
use crate::{api_page, shell};

/// Writes all of it.
pub fn write() -> anyhow::Result<()> {
    for (path, text) in from_registry()? {
        let path = root().join(path);
        fs::create_dir_all(path.parent().context("invariant: the path has a folder")?)?;
        fs::write(path, text)?;
    }
    write_types()?;
    need("python3", "python3")?;
    run(command("python3", "clients/python").arg("scripts/models.py"))
}

/// Fails when what is committed under `api/` is not what the registry says.
pub fn compare() -> anyhow::Result<()> {
    for (path, expected) in from_registry()? {
        let found = fs::read_to_string(root().join(path)).unwrap_or_default();
        if found != expected {
            bail!("{path} is not what the registry says; run `cargo xtask gen` and commit the result");
        }
    }
    Ok(())
}

fn from_registry() -> anyhow::Result<[(&'static str, String); 2]> {
    let schema = psio_api::schema::document();
    Ok([
        ("api/schema.json", format!("{}\n", serde_json::to_string_pretty(&schema)?)),
        ("api/API.md", api_page::page(&schema)?),
    ])
}

/// What `write_types` writes.
pub const TYPES: &str = "clients/typescript/src/types.ts";

/// The TypeScript client's types, from `api/schema.json`; the web UI uses the client.
pub fn write_types() -> anyhow::Result<()> {
    install("clients/typescript")?;
    run(command("node", "clients/typescript").arg("scripts/types.mjs"))
}

/// `npm ci` in `web/`, unless the lock file has not changed since.
pub fn install_web() -> anyhow::Result<()> {
    install("web")
}

/// `npm ci` in a folder, unless its lock file has not changed since.
pub fn install(folder: &str) -> anyhow::Result<()> {
    if !shell::has("npm") {
        bail!("npm is missing; install Node 20 or newer (Debian 13: apt-get install -y nodejs npm)");
    }
    let lock = fs::read(root().join(folder).join("package-lock.json"))?;
    let stamp = root().join(folder).join("node_modules/.psio-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(&mut npm(folder, &["ci"]))?;
    fs::write(stamp, lock)?;
    Ok(())
}

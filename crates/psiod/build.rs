//! Embeds the built web UI (web/dist, committed) in the executable. Runs no npm: without a built UI, which
//! happens only while it is being worked on, a placeholder page takes its place.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(io::ErrorKind::NotFound);
    let built = variable("CARGO_MANIFEST_DIR")?.join("../../web/dist");
    let out = variable("OUT_DIR")?;
    println!("cargo::rerun-if-changed={}", built.display());

    let folder = if built.join("index.html").is_file() { built.canonicalize()? } else { placeholder(&out)? };
    let label = folder.display().to_string();
    let files = memory_serve::assets_to_code(&label, &folder, &out, true, |_| {});
    fs::write(out.join("web.rs"), files)
}

fn placeholder(out: &Path) -> io::Result<PathBuf> {
    let folder = out.join("placeholder");
    fs::create_dir_all(&folder)?;
    fs::write(
        folder.join("index.html"),
        "<!doctype html><meta charset=utf-8><title>psio</title>\
         <p>This psiod was built without its web UI; run <code>npm run build</code> in web and build it again.\n",
    )?;
    Ok(folder)
}

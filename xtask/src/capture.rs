//! Recording a machine for `psiod --replay`.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use psio_api::data::topics::Topics;
use psio_probe::{Options, replay};

/// Arguments of `cargo xtask capture`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The file to write
    file: PathBuf,

    /// How many frames
    #[arg(long, default_value_t = 60)]
    frames: u32,

    /// Milliseconds between two frames
    #[arg(long, default_value_t = 1000)]
    interval_ms: u64,
}

/// Records this machine.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut source = psio_probe::open(&Options::default()).context("cannot read this machine")?;
    let file = File::create(&arguments.file).with_context(|| format!("cannot write {}", arguments.file.display()))?;
    let interval = Duration::from_millis(arguments.interval_ms);
    let topics = Topics::CPU | Topics::MEMORY | Topics::PROCESSES | Topics::HOST;
    replay::record(source.as_mut(), topics, arguments.frames, interval, BufWriter::new(file))?;
    Ok(())
}

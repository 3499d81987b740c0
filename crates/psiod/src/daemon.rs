//! psiod from start to finish: log, source, sampler, sockets, signals.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::Config;
use crate::dispatch::{Psiod, Service};
use crate::health;
use crate::lifecycle::Lifecycle;
use crate::pid_file::PidFile;
use crate::sampler::Sampler;
use crate::server::Server;
use crate::stats::Stats;
use crate::text;

/// Network threads: one that writes a large list must not keep everybody else waiting.
const MAX_NETWORK_THREADS: usize = 2;

/// Runs psiod until it is told to stop.
pub fn run(config: &Config) -> anyhow::Result<()> {
    if config.background {
        // It fails only for the leader of a process group, which then has a session of its own already.
        let _ = rustix::process::setsid();
    }
    text::init_logging(config.log.into()).context("cannot set up the log")?;
    let listeners = listen(config)?;
    let _pid_file = config.pid_file.as_deref().map(PidFile::write).transpose()?;
    // Its message tells the cause already; as a chain the cause would stand there twice.
    let options = config.source_options();
    let source = psio_probe::open(&options).map_err(|error| anyhow!("{error}"))?;
    let source_name = source.name();
    let stats = Arc::new(Stats::default());
    let sampler = Sampler::start(source, Arc::clone(&stats)).context("cannot start the sampler's thread")?;
    let service = Arc::new(Service::new(sampler, stats, Lifecycle::new(options)));

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(MAX_NETWORK_THREADS))
        .enable_all()
        .build()
        .context("cannot start the network threads")?;
    runtime.block_on(async {
        let shutdown = watch_signals()?;
        for listener in &listeners {
            info!("psiod {} listening on http://{} (source: {source_name})", version(), listener.local_addr()?);
        }
        tokio::spawn(Arc::clone(&service).tick());
        let psiod = Psiod(service, config.http_options());
        Server::new(psiod).deflate(config.deflate.into()).serve(listeners, shutdown).await.context("cannot serve")?;
        info!("psiod stopped");
        Ok(())
    })
}

/// Version of psiod.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Becomes true when SIGINT or SIGTERM arrives.
fn watch_signals() -> anyhow::Result<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let (stop, shutdown) = watch::channel(false);
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        info!("{name}: closing every connection");
        let _ = stop.send(true);
    });
    Ok(shutdown)
}

fn listen(config: &Config) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for mut address in config.addresses() {
        if !address.ip().is_loopback() {
            bail!(
                "--listen {address}: this version serves its own machine only, where nobody needs to prove who they \
                 are; expected an address of 127.0.0.0/8 or [::1]"
            );
        }
        if config.listen.is_empty()
            && config.port == 0
            && let Some(first) = listeners.first()
        {
            address.set_port(first.local_addr()?.port());
        }
        match TcpListener::bind(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => bail!("{}", taken(address)),
            Err(error) if config.listen.is_empty() && !listeners.is_empty() && address.is_ipv6() => {
                warn!("not listening on {address}: {error}");
            }
            Err(error) => bail!("cannot listen on {address}: {error}"),
        }
    }
    Ok(listeners)
}

/// One line that says by whom an address is taken.
fn taken(address: SocketAddr) -> String {
    if let Some(other) = health::ask(address) {
        return format!(
            "{address} is taken by psiod {} (pid {}); stop it with `psio stop` or choose another --port",
            other.version, other.pid
        );
    }
    let owner = match psio_probe::listener_owner(address) {
        Some(owner) => format!("{} (pid {})", text::escape_controls(&owner.name), owner.pid),
        None => "another program".to_owned(),
    };
    format!("{address} is taken by {owner}; choose another --port")
}

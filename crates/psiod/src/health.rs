//! Asking an address whether a psiod is behind it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

/// A psiod on this machine answers within microseconds; whatever takes longer is something else.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a running psiod says of itself on `/healthz`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Running {
    name: String,
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// The protocol version it speaks.
    pub protocol: u32,
    /// Seconds since it started.
    pub uptime: f64,
}

/// The psiod that listens on this address; `None` where nothing or something else does.
pub fn ask(address: SocketAddr) -> Option<Running> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).max_redirects(0).build().into();
    let mut response = agent.get(format!("http://{address}/healthz")).call().ok()?;
    let body = response.body_mut().with_config().limit(4096).read_to_string().ok()?;
    serde_json::from_str::<Running>(&body).ok().filter(|running| running.name == "psiod")
}

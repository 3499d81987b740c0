//! Asking an address whether a psiod is behind it.

use std::net::SocketAddr;
use std::time::Duration;

use psio_api::PROTOCOL_VERSION;
use serde::Deserialize;

/// Who listens on an address, as the kernel has it: what `/healthz` says of itself proves nothing.
pub use psio_probe::listener_owner as owner_of;

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

impl Running {
    /// In what it differs from this version, where it speaks another protocol.
    pub fn other_protocol(&self) -> Option<String> {
        let spoken = self.protocol;
        (spoken != PROTOCOL_VERSION).then(|| format!("it speaks protocol {spoken}, this version {PROTOCOL_VERSION}"))
    }
}

/// The psiod that listens on this address; `None` where nothing or something else does.
pub fn ask(address: SocketAddr) -> Option<Running> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).max_redirects(0).build().into();
    let mut response = agent.get(format!("http://{address}/healthz")).call().ok()?;
    let body = response.body_mut().with_config().limit(4096).read_to_string().ok()?;
    serde_json::from_str::<Running>(&body).ok().filter(|running| running.name == "psiod")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaking(protocol: u32) -> Running {
        Running { name: "psiod".to_owned(), version: "0.1.0".to_owned(), pid: 1, protocol, uptime: 0.0 }
    }

    #[test]
    fn another_protocol_is_told_with_both_numbers() {
        let told = speaking(PROTOCOL_VERSION + 1).other_protocol().unwrap();
        assert!(told.contains(&(PROTOCOL_VERSION + 1).to_string()), "{told}");
        assert!(told.contains(&PROTOCOL_VERSION.to_string()), "{told}");
    }

    #[test]
    fn our_own_protocol_is_not_worth_a_word() {
        assert_eq!(speaking(PROTOCOL_VERSION).other_protocol(), None);
    }
}

//! Who may ask at all: the rules for Host and Origin that keep web pages from elsewhere out (EVIDENCE §4).
//!
//! A page on another site can make a browser connect here, but cannot choose these two headers. Its name
//! may be rebound to 127.0.0.1, so the Host must be a name or address that nobody else can own; and a
//! request that carries an Origin must come from a page of this machine. Scripts send no Origin and pass.
//!
//! Addresses count only as RFC 3986 writes them. Other spellings of 127.0.0.1 (`127.1`, `2130706433`,
//! `0x7f.1`) never leave a browser, which normalises them, and IPv4-mapped IPv6 (`[::ffff:127.0.0.1]`) never
//! reaches a daemon that listens on 127.0.0.1 and ::1: all of them are refused rather than interpreted.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use http::request::Parts;

use crate::text::escape_controls;

/// How much of a refused value an answer quotes.
const QUOTED: usize = 120;

/// Why a request was turned away, and what would have been accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No Host header.
    #[error("the request has no Host header; psiod wants exactly one, such as localhost:3000")]
    NoHost,
    /// More than one Host header.
    #[error("the request has more than one Host header; psiod wants exactly one, such as localhost:3000")]
    SeveralHosts,
    /// A host that may be someone else's.
    #[error(
        "the host \"{0}\" is not this machine's loopback; psiod answers to localhost, to 127.0.0.0/8 addresses \
         and to [::1], with or without a port"
    )]
    Host(String),
    /// More than one Origin header.
    #[error("the request has more than one Origin header; psiod wants one, or none from a script")]
    SeveralOrigins,
    /// A page from elsewhere, or one that will not say where it is from.
    #[error(
        "the origin \"{0}\" is not on this machine's loopback; psiod answers pages served over http or https from \
         localhost, a 127.0.0.0/8 address or [::1] (any port), and programs that send no Origin"
    )]
    Origin(String),
}

/// Judges a request by its headers.
///
/// # Errors
/// The reason to answer 403 with.
pub fn admit_request(request: &Parts) -> Result<(), Refusal> {
    let values = |name| request.headers.get_all(name).into_iter().map(http::HeaderValue::as_bytes);
    let target = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    admit(target, values(HOST), values(ORIGIN))
}

/// Judges a request by the host in its target (`GET http://host/`; usually none), its Host headers and its
/// Origin headers, as they arrived.
///
/// # Errors
/// The first rule that it breaks.
pub fn admit<'a>(
    target: Option<&[u8]>,
    hosts: impl IntoIterator<Item = &'a [u8]>,
    origins: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), Refusal> {
    let mut hosts = hosts.into_iter();
    let host = hosts.next().ok_or(Refusal::NoHost)?;
    if hosts.next().is_some() {
        return Err(Refusal::SeveralHosts);
    }
    for host in target.into_iter().chain([host]) {
        if !is_loopback_authority(host) {
            return Err(Refusal::Host(quote(host)));
        }
    }

    let mut origins = origins.into_iter();
    let Some(origin) = origins.next() else {
        return Ok(());
    };
    if origins.next().is_some() {
        return Err(Refusal::SeveralOrigins);
    }
    if !is_loopback_origin(origin) {
        return Err(Refusal::Origin(quote(origin)));
    }
    Ok(())
}

/// `http://localhost:5173`: a scheme of the web and a loopback host, nothing after it.
fn is_loopback_origin(origin: &[u8]) -> bool {
    [&b"http://"[..], b"https://"].iter().any(|scheme| {
        origin
            .split_at_checked(scheme.len())
            .is_some_and(|(start, host)| start.eq_ignore_ascii_case(scheme) && is_loopback_authority(host))
    })
}

/// `host` or `host:port`, without user information.
fn is_loopback_authority(authority: &[u8]) -> bool {
    let Ok(authority) = std::str::from_utf8(authority) else {
        return false;
    };
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        return address.parse() == Ok(Ipv6Addr::LOCALHOST)
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let host = host.strip_suffix('.').unwrap_or(host);
    port.is_none_or(is_port)
        && (host.eq_ignore_ascii_case("localhost")
            || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()))
}

/// 1 to 65535 in plain digits: `u16::from_str` alone would take `+80` and `080` too.
fn is_port(port: &str) -> bool {
    port.starts_with(|first: char| matches!(first, '1'..='9')) && port.parse::<u16>().is_ok()
}

fn quote(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let short = &text[..text.floor_char_boundary(QUOTED)];
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", escape_controls(short))
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;

//! Which of the client's offers of permessage-deflate is accepted (RFC 7692 §5 and §7.1).
//!
//! Whatever is offered, the answer obliges both sides to take no context over, and leaves the client its window: its
//! messages are inflated in a full one. An offer that asks for what psiod cannot do, or that is not understood, is passed over.

use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};

use super::deflate::Window;
use super::handshake::items;

/// The first offer that can be accepted: the window to compress in, and what to answer.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<(Window, HeaderValue)> {
    items(headers, SEC_WEBSOCKET_EXTENSIONS)
        .find_map(accept)
        .map(|(window, answer)| (window, HeaderValue::from_static(answer)))
}

fn accept(offer: &str) -> Option<(Window, &'static str)> {
    let mut items = offer.split(';').map(str::trim);
    if items.next() != Some("permessage-deflate") {
        return None;
    }
    let mut seen = Vec::new();
    let mut window_bits = None;
    for item in items {
        let (name, value) =
            item.split_once('=').map_or((item, None), |(name, value)| (name.trim(), Some(value.trim())));
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(value)) => _ = bits(value)?,
            ("server_max_window_bits", Some(value)) => window_bits = Some(bits(value)?),
            _ => return None,
        }
    }
    match window_bits {
        None => Some((Window::Full, "permessage-deflate; server_no_context_takeover; client_no_context_takeover")),
        Some(15) => Some((
            Window::Full,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15",
        )),
        Some(9..) => Some((
            Window::Small,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
        )),
        // The library's smallest window is 9.
        Some(_) => None,
    }
}

/// 8 to 15, without leading zeros, perhaps in quotes.
fn bits(value: &str) -> Option<u8> {
    let digits = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    (8..=15).find(|bits| bits.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn negotiated(lines: &[&'static str]) -> Option<(Window, String)> {
        let named = |line: &&'static str| (SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(line));
        negotiate(&lines.iter().map(named).collect())
            .map(|(window, answer)| (window, answer.to_str().unwrap().to_owned()))
    }

    #[test]
    fn the_answer_names_the_window_that_is_used() {
        for bits in [Window::Full, Window::Small] {
            let offer = format!("permessage-deflate; server_max_window_bits={}", bits.bits());
            let (window, answer) = accept(&offer).unwrap();
            assert_eq!((window, answer), (bits, &*format!("{PLAIN}; server_max_window_bits={}", bits.bits())));
        }
    }

    #[test]
    fn offers_are_accepted() {
        let with = |more: &str| format!("{PLAIN}{more}");
        for (offer, window, answer) in [
            ("permessage-deflate", Window::Full, with("")),
            ("permessage-deflate; client_max_window_bits", Window::Full, with("")),
            ("permessage-deflate;client_max_window_bits=8", Window::Full, with("")),
            ("permessage-deflate; client_max_window_bits=\"10\"", Window::Full, with("")),
            ("permessage-deflate; client_no_context_takeover; server_no_context_takeover", Window::Full, with("")),
            ("permessage-deflate; server_max_window_bits=15", Window::Full, with("; server_max_window_bits=15")),
            ("permessage-deflate; server_max_window_bits=\"9\"", Window::Small, with("; server_max_window_bits=9")),
            ("permessage-deflate; server_max_window_bits=14", Window::Small, with("; server_max_window_bits=9")),
            ("\tpermessage-deflate ;  server_max_window_bits = 12 ", Window::Small, with("; server_max_window_bits=9")),
        ] {
            assert_eq!(negotiated(&[offer]), Some((window, answer)), "{offer}");
        }
    }

    #[test]
    fn offers_are_passed_over() {
        for offer in [
            "",
            "permessage-bzip2",
            "x-webkit-deflate-frame",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"9",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=abc",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate; memory_level=9",
            "permessage-deflate;",
        ] {
            assert_eq!(negotiated(&[offer]), None, "{offer}");
        }
        assert_eq!(negotiated(&[]), None);
    }

    #[test]
    fn the_first_acceptable_of_several_offers_is_taken() {
        let small = format!("{PLAIN}; server_max_window_bits=9");
        let in_one_line = "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10, \
                           permessage-deflate";
        assert_eq!(negotiated(&[in_one_line]), Some((Window::Small, small.clone())));
        let lines = ["x-foo", "permessage-deflate; unknown", "permessage-deflate; server_max_window_bits=9"];
        assert_eq!(negotiated(&lines), Some((Window::Small, small)));
    }
}

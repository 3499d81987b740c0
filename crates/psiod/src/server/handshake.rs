//! The opening handshake of RFC 6455 §4.2: judges the headers and makes the answer.

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use sha1::{Digest, Sha1};

use super::deflate::Window;
use super::extension;
use super::handler::Subprotocol;

/// By name as a client offers them. Who offers none, or only others, gets none and speaks JSON.
const SUBPROTOCOLS: [(&str, Subprotocol); 2] =
    [("psio.v1.json", Subprotocol::Json), ("psio.v1.msgpack", Subprotocol::MsgPack)];

/// What RFC 6455 appends to the client's key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether the client asks for a WebSocket, well or badly.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE, "websocket")
}

/// What is wrong with a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadHandshake {
    #[error("a WebSocket handshake needs HTTP/1.1")]
    OldHttp,
    #[error("a WebSocket handshake needs the header Connection: Upgrade")]
    NoConnectionUpgrade,
    #[error("psiod speaks version 13 of the WebSocket protocol (Sec-WebSocket-Version: 13)")]
    OtherVersion,
    #[error("a WebSocket handshake needs exactly one Sec-WebSocket-Key")]
    NotOneKey,
    #[error("Sec-WebSocket-Key must be 16 bytes in base64")]
    MalformedKey,
}

impl IntoResponse for BadHandshake {
    fn into_response(self) -> Response {
        let text = format!("{self}\n");
        match self {
            Self::OtherVersion => {
                let wanted = [(SEC_WEBSOCKET_VERSION, "13"), (UPGRADE, "websocket"), (CONNECTION, "upgrade")];
                (StatusCode::UPGRADE_REQUIRED, wanted, text).into_response()
            }
            _ => (StatusCode::BAD_REQUEST, text).into_response(),
        }
    }
}

/// What both sides agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub subprotocol: Subprotocol,
    /// The window to compress in, if messages may be compressed.
    pub deflate: Option<Window>,
}

/// The answer 101, with which the connection becomes a WebSocket. Compression is agreed to only if `deflate` allows it.
pub(super) fn answer(version: Version, headers: &HeaderMap, deflate: bool) -> Result<(Response, Agreed), BadHandshake> {
    if version != Version::HTTP_11 {
        return Err(BadHandshake::OldHttp);
    }
    if !has_token(headers, CONNECTION, "upgrade") {
        return Err(BadHandshake::NoConnectionUpgrade);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(BadHandshake::OtherVersion);
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).into_iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(BadHandshake::NotOneKey);
    };
    if BASE64.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(BadHandshake::MalformedKey);
    }

    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let set = response.headers_mut();
    set.insert(UPGRADE, HeaderValue::from_static("websocket"));
    set.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    set.insert(SEC_WEBSOCKET_ACCEPT, accept(key.as_bytes()));
    let mut agreed = Agreed { subprotocol: Subprotocol::Json, deflate: None };
    if let Some((name, subprotocol)) = subprotocol(headers) {
        set.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
        agreed.subprotocol = subprotocol;
    }
    if deflate && let Some((window, answer)) = extension::negotiate(headers) {
        set.insert(SEC_WEBSOCKET_EXTENSIONS, answer);
        agreed.deflate = Some(window);
    }
    Ok((response, agreed))
}

/// The first of the client's offers that we know.
fn subprotocol(headers: &HeaderMap) -> Option<(&'static str, Subprotocol)> {
    items(headers, SEC_WEBSOCKET_PROTOCOL).find_map(|offer| SUBPROTOCOLS.into_iter().find(|(name, _)| *name == offer))
}

/// Proof that the server understood the key (RFC 6455 §4.2.2).
fn accept(key: &[u8]) -> HeaderValue {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    HeaderValue::try_from(BASE64.encode(digest)).expect("invariant: base64 is a valid header value")
}

/// Whether a comma-separated header, however often it is given, contains `token`.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    items(headers, name).any(|item| item.eq_ignore_ascii_case(token))
}

/// The items of a comma-separated header, however often it is given.
pub(super) fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn headers(changes: &[(&'static str, &'static str)]) -> HeaderMap {
        let kept = GOOD.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let given = changes.iter().filter(|(_, value)| !value.is_empty());
        kept.chain(given)
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn refused(changes: &[(&'static str, &'static str)]) -> BadHandshake {
        answer(Version::HTTP_11, &headers(changes), false).unwrap_err()
    }

    #[test]
    fn the_example_of_the_rfc_is_answered_as_the_rfc_says() {
        let (response, agreed) = answer(Version::HTTP_11, &headers(&[]), true).unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS));
        assert_eq!(agreed, Agreed { subprotocol: Subprotocol::Json, deflate: None });
    }

    #[test]
    fn the_first_subprotocol_that_we_know_is_chosen() {
        for (offers, chosen, spoken) in [
            (&["psio.v1.json"][..], Some("psio.v1.json"), Subprotocol::Json),
            (&["psio.v1.msgpack"], Some("psio.v1.msgpack"), Subprotocol::MsgPack),
            (&["chat, psio.v1.msgpack,psio.v1.json"], Some("psio.v1.msgpack"), Subprotocol::MsgPack),
            (&["psio.v2.msgpack", "psio.v1.json, psio.v1.msgpack"], Some("psio.v1.json"), Subprotocol::Json),
            (&["chat, psio.v2.json"], None, Subprotocol::Json),
            // The name goes back as it is ours; a browser would take it for another.
            (&["PSIO.V1.MSGPACK"], None, Subprotocol::Json),
        ] {
            let offered: Vec<_> = offers.iter().map(|offer| ("sec-websocket-protocol", *offer)).collect();
            let (response, agreed) = answer(Version::HTTP_11, &headers(&offered), false).unwrap();
            let answered = response.headers().get(SEC_WEBSOCKET_PROTOCOL).map(|value| value.to_str().unwrap());
            assert_eq!((answered, agreed.subprotocol), (chosen, spoken), "{offers:?}");
        }
    }

    #[test]
    fn compression_is_agreed_where_it_is_allowed_and_offered() {
        let offer = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")];
        let (response, agreed) = answer(Version::HTTP_11, &headers(&offer), true).unwrap();
        assert_eq!(agreed.deflate, Some(Window::Full));
        assert!(response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS));
        let (response, agreed) = answer(Version::HTTP_11, &headers(&offer), false).unwrap();
        assert_eq!(agreed.deflate, None);
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS));
    }

    #[test]
    fn a_plain_request_is_no_handshake() {
        assert!(is_wanted(&headers(&[])));
        assert!(!is_wanted(&headers(&[("upgrade", "")])));
        assert!(!is_wanted(&headers(&[("upgrade", "h2c")])));
    }

    #[test]
    fn what_is_wrong_with_a_handshake_decides_its_refusal() {
        assert_eq!(refused(&[("sec-websocket-version", "8")]), BadHandshake::OtherVersion);
        assert_eq!(refused(&[("sec-websocket-version", "")]), BadHandshake::OtherVersion);
        assert_eq!(refused(&[("sec-websocket-key", "")]), BadHandshake::NotOneKey);
        assert_eq!(refused(&[("sec-websocket-key", "c2hvcnQ=")]), BadHandshake::MalformedKey);
        assert_eq!(refused(&[("sec-websocket-key", "not base64 at all!!!!!==")]), BadHandshake::MalformedKey);
        assert_eq!(refused(&[("connection", "keep-alive")]), BadHandshake::NoConnectionUpgrade);
        assert_eq!(answer(Version::HTTP_10, &headers(&[]), false).unwrap_err(), BadHandshake::OldHttp);
    }

    #[test]
    fn the_refusal_of_a_version_names_the_right_one() {
        let refusal = BadHandshake::OtherVersion.into_response();
        assert_eq!(refusal.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(refusal.headers()[SEC_WEBSOCKET_VERSION], "13");
    }
}

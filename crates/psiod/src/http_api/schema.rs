//! `GET /api/schema.json`: the JSON Schema of the protocol, the same that is committed as `api/schema.json`.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};
use sha1::{Digest, Sha1};

use super::with_headers;

struct Document {
    text: Bytes,
    etag: HeaderValue,
}

/// It stays the same as long as psiod runs.
static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&psio_api::schema::document()).expect("invariant: a schema is JSON");
    text.push('\n');
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha1::digest(&text)));
    Document { etag: HeaderValue::try_from(etag).expect("invariant: base64 is ASCII"), text: text.into() }
});

pub(super) async fn document(request: Request) -> Response {
    let known = request.headers().get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == DOCUMENT.etag.as_bytes()
    });
    let body = if is_known { Bytes::new() } else { DOCUMENT.text.clone() };
    let mut response = with_headers(body, "application/json", "no-cache");
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    response.headers_mut().insert(ETAG, DOCUMENT.etag.clone());
    response
}

//! Routes requests: the WebSocket and the UI at `/`, `/healthz`, and the UI's files.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::FutureExt;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, watch};

use super::admission::admit_request;
use super::deflate::Deflate;
use super::handler::{Application, Peer};
use super::handshake::Agreed;
use super::limits::Limits;
use super::websocket::{Socket, WebSocket};
use super::write_deadline::WriteDeadline;
use super::{assets, handshake};
use crate::text::escape_controls;

/// What every answer says about how a browser may use it. There is no CORS header on purpose: no page from
/// elsewhere may read anything.
const PROTECTION: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; img-src 'self' data:; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What all connections of a server share.
pub(super) struct Shared {
    pub application: Arc<dyn Application>,
    pub limits: Arc<Limits>,
    pub deflate: Deflate,
    pub shutdown: watch::Receiver<bool>,
    alive: mpsc::WeakSender<std::convert::Infallible>,
}

impl Shared {
    pub fn new(
        application: Arc<dyn Application>,
        limits: Limits,
        deflate: Deflate,
        shutdown: watch::Receiver<bool>,
        alive: mpsc::WeakSender<std::convert::Infallible>,
    ) -> Self {
        Self { application, limits: Arc::new(limits), deflate, shutdown, alive }
    }
}

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .with_state(Arc::clone(shared))
        .merge(shared.application.routes())
        .merge(assets::routes())
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(shared), front))
}

/// Stands before every route: judges the request, opens WebSockets, protects the answer.
async fn front(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    if let Err(refusal) = admit_request(&head) {
        tracing::debug!(address = %peer.address, %refusal, "refused");
        return protect((StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response());
    }
    let path = head.uri.path().to_owned();
    let request = Request::from_parts(head, body);
    let mut response = if request.method() == Method::GET && handshake::is_wanted(request.headers()) {
        open_websocket(&shared, peer, request)
    } else if path == "/"
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && let Some(page) = shared.application.front_page(request.headers())
    {
        page
    } else {
        next.run(request).await
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    assets::limit_caching(&path, &mut response);
    protect(response)
}

fn protect(mut response: Response) -> Response {
    for (name, value) in PROTECTION {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Answers a handshake; once hyper has sent the answer, the socket is the transport's.
fn open_websocket(shared: &Arc<Shared>, peer: Peer, mut request: Request) -> Response {
    if request.uri().path() != "/" {
        let text = format!("no WebSocket at {}; psiod's is at /\n", escape_controls(request.uri().path()));
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    let deflate = shared.deflate.is_for(peer.address.ip());
    let (response, agreed) = match handshake::answer(request.version(), request.headers(), deflate) {
        Ok(answered) => answered,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(alive) = shared.alive.upgrade() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "psiod is stopping\n").into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let address = peer.address;
        match upgraded(upgrade, &shared, &peer, agreed).await {
            // A task of its own: what the handshake needed is given back.
            Some(websocket) => drop(tokio::spawn(websocket.map(move |end| {
                tracing::debug!(%address, %end, "WebSocket ended");
                drop(alive);
            }))),
            None => drop(alive),
        }
    });
    response
}

/// The WebSocket, once hyper has sent the answer to the handshake; `None` where the client did not wait for that.
async fn upgraded(
    upgrade: hyper::upgrade::OnUpgrade,
    shared: &Shared,
    peer: &Peer,
    agreed: Agreed,
) -> Option<WebSocket> {
    let upgraded = upgrade
        .await
        .inspect_err(|error| tracing::debug!(address = %peer.address, %error, "the client left during the handshake"));
    let Ok(parts) = upgraded.ok()?.downcast::<TokioIo<WriteDeadline>>() else {
        tracing::error!("invariant: the server's connections are TCP streams with a write deadline");
        return None;
    };
    let handler = shared.application.connect(peer, agreed.subprotocol);
    let socket =
        Socket { stream: parts.io.into_inner().into_stream(), read_ahead: parts.read_buf, deflate: agreed.deflate };
    Some(WebSocket::new(socket, handler, shared.limits.clone(), shared.shutdown.clone()))
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    match serde_json::to_vec(&shared.application.health()) {
        Ok(body) => (headers, body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn not_found(uri: Uri) -> Response {
    let text = format!(
        "nothing at {}\n\nThe process monitor is at /, the WebSocket at / too, the health check at /healthz.\n",
        escape_controls(uri.path())
    );
    (StatusCode::NOT_FOUND, text).into_response()
}

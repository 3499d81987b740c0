//! Takes connections and gives each to hyper, until the daemon stops.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::handler::Peer;
use super::http::Shared;
use super::stopped;
use super::write_deadline::WriteDeadline;

/// Never used to send: a task is alive as long as it holds one.
pub(super) type Alive = mpsc::Sender<Infallible>;

/// How long to wait when the system can give no more sockets.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The most a request's line and headers may take.
const MAX_HEAD: usize = 16 * 1024;

/// How long a plain request in progress may take when the daemon stops.
const LAST_REQUEST: Duration = Duration::from_millis(500);

pub(super) fn nonblocking(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Accepts until `shutdown`, whatever goes wrong: running out of descriptors is a pause, not an end.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    shared: Arc<Shared>,
    alive: Alive,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut exhausted = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut shutdown) => return,
        };
        match accepted {
            Ok((stream, address)) => {
                exhausted = false;
                let peer = Peer::new(address);
                tokio::spawn(serve_http(stream, peer, router.clone(), Arc::clone(&shared), alive.clone()));
            }
            Err(error) if is_exhaustion(&error) => {
                if !exhausted {
                    tracing::warn!(%error, "cannot accept connections; trying again until it works");
                    exhausted = true;
                }
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
            // The client gave up before it was accepted.
            Err(error) => tracing::debug!(%error, "a connection was not accepted"),
        }
    }
}

/// No descriptors or no memory: what accept would say again at once, for ever.
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| exhausted.iter().any(|errno| errno.raw_os_error() == code))
}

/// Serves one connection until it is closed or becomes a WebSocket, which lives on in a task of its own.
async fn serve_http(stream: TcpStream, peer: Peer, router: Router, shared: Arc<Shared>, _alive: Alive) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was lost at once");
        return;
    }
    let address = peer.address;
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.call(request)
    });
    let stream = WriteDeadline::new(stream, shared.limits.write_timeout);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.header_timeout)
        .max_buf_size(MAX_HEAD)
        // `printf … | nc` shuts its side before it has its answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut shutdown = shared.shutdown.clone();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_REQUEST, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "HTTP connection ended");
    }
}

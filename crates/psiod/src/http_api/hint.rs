//! What a stranger with curl is told: a few lines that can be typed.

use axum::body::Body;
use axum::response::Response;
use http::HeaderMap;
use http::header::HOST;

use super::with_headers;

/// `GET /api`, and `/` where the page cannot be shown.
pub(super) fn page(headers: &HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:3000");
    with_headers(Body::from(text(host)), "text/plain; charset=utf-8", "no-store")
}

fn text(host: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "psiod {version} tells what this machine is doing.

  curl http://{host}/api/v1/                      every command
  curl http://{host}/api/v1/memory.getall
  curl http://{host}/api/v1/cpu.getall
  curl 'http://{host}/api/v1/process.getall?sort=-cpu_percent&limit=5&fields=pid,name,cpu_percent'
  curl 'http://{host}/api/v1/process.getall?filter=username=root%20memory_info%3E100M'
  curl http://{host}/metrics                      for Prometheus
  curl http://{host}/api/schema.json              JSON Schema of all of it

The same over a WebSocket, ws://{host}/, as {{\"type\":\"command\",\"data\":{{\"name\":\"cpu.getall\"}}}}.
The process monitor, in a browser: http://{host}/
"
    )
}

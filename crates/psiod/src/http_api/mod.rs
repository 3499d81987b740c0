//! The same over plain HTTP (PROTOCOL §7): every read command at `/api/v1/NAME`, the schema, and metrics for Prometheus.
//!
//! `query` makes parameters of a query string, `refusal` says which status an error has, `layout` writes JSON for people,
//! `events` turns a subscription into server-sent events. Admission stands in front, as before every route.

mod commands;
mod events;
mod hint;
mod layout;
mod metrics;
mod query;
mod refusal;
mod schema;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::any;
use http::header::{ACCEPT, ALLOW, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use psio_api::error::ApiError;

use crate::dispatch::Service;
use refusal::refuse;

/// What the person who started psiod chose about its HTTP side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Processes told on `/metrics`: so many by CPU, and so many by memory.
    pub metrics_processes: usize,
}

/// What the handlers share.
struct Shared {
    service: Arc<Service>,
    options: Options,
}

/// The routes, for [`Application::routes`](crate::server::Application::routes).
pub fn routes(service: &Arc<Service>, options: Options) -> Router {
    Router::new()
        .route("/api", any(hint))
        .route("/api/", any(hint))
        .route("/api/{*path}", any(refusal::nothing_there))
        .route("/api/schema.json", any(schema::document))
        .route("/api/v1", any(commands::list))
        .route("/api/v1/", any(commands::list))
        .route("/api/v1/{*command}", any(commands::answer))
        .route("/metrics", any(metrics::scrape))
        .layer(from_fn(only_reading))
        .with_state(Arc::new(Shared { service: service.clone(), options }))
}

/// What a person gets at `/` whose program cannot show the page, for
/// [`Application::front_page`](crate::server::Application::front_page).
pub fn front_page(headers: &HeaderMap) -> Option<Response> {
    (is_for_people(headers) && !accepts(headers, "text/html")).then(|| hint::page(headers))
}

async fn hint(headers: HeaderMap) -> Response {
    hint::page(&headers)
}

/// Nothing behind these routes can be changed, so only GET and HEAD are understood.
async fn only_reading(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let message = format!("{} is not understood here; expected GET or HEAD", request.method());
    let error = ApiError::bad_request(message);
    let mut response = refuse(&error, StatusCode::METHOD_NOT_ALLOWED, is_for_people(request.headers()));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
    response
}

/// Whether the answer will be looked at as it is. curl and its like are a person's unless they ask for JSON by name, so is
/// the address bar of a browser; every other program gets JSON without a space to spare.
fn is_for_people(headers: &HeaderMap) -> bool {
    const PEOPLES_PROGRAMS: [&str; 4] = ["curl/", "Wget/", "HTTPie/", "xh/"];
    if accepts(headers, "application/json") {
        return false;
    }
    let program = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    PEOPLES_PROGRAMS.iter().any(|known| program.starts_with(known)) || accepts(headers, "text/html")
}

/// Whether the Accept header names this media type itself, and not with `q=0`.
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let names_it = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(wanted));
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        names_it && quality.is_none_or(|quality| quality.parse().is_ok_and(|quality: f32| quality > 0.0))
    })
}

/// JSON that is never kept by whoever passes it on: it tells of one moment.
fn json(body: impl Into<axum::body::Body>) -> Response {
    with_headers(body, "application/json", "no-store")
}

fn with_headers(body: impl Into<axum::body::Body>, content_type: &'static str, caching: &'static str) -> Response {
    let mut response = Response::new(body.into());
    let headers: [(HeaderName, &'static str); 2] =
        [(http::header::CONTENT_TYPE, content_type), (http::header::CACHE_CONTROL, caching)];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &'static str, program: &'static str) -> HeaderMap {
        HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static(accept)),
            (USER_AGENT, HeaderValue::from_static(program)),
        ])
    }

    #[test]
    fn curl_as_it_is_belongs_to_a_person() {
        assert!(is_for_people(&headers("*/*", "curl/7.88.1")));
        assert!(!is_for_people(&headers("application/json", "curl/7.88.1")));
    }

    #[test]
    fn the_address_bar_of_a_browser_belongs_to_a_person_and_its_scripts_do_not() {
        assert!(is_for_people(&headers("text/html,application/xhtml+xml,*/*;q=0.8", "Mozilla/5.0")));
        assert!(!is_for_people(&headers("*/*", "Mozilla/5.0")));
    }

    #[test]
    fn a_program_that_says_nothing_of_itself_gets_plain_json() {
        assert!(!is_for_people(&HeaderMap::new()));
        assert!(!is_for_people(&headers("*/*", "python-requests/2.32")));
    }

    #[test]
    fn a_media_type_is_found_among_others_whatever_its_parameters() {
        let accept = "text/plain;q=0.5, Application/OpenMetrics-Text; version=1.0.0; q=0.9, */*;q=0.1";
        assert!(accepts(&headers(accept, ""), "application/openmetrics-text"));
        assert!(!accepts(&headers(accept, ""), "application/json"));
    }

    #[test]
    fn a_media_type_with_quality_zero_is_not_accepted() {
        assert!(!accepts(&headers("text/event-stream;q=0.0", ""), "text/event-stream"));
    }
}

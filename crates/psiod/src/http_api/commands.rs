//! `GET /api/v1/NAME?param=value`: a read command. The `data` is the body; `Psio-Time` and `Psio-Meta` carry the rest.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::HOST;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use psio_api::command::{Example, Kind};
use psio_api::data::access::Viewer;
use psio_api::error::ApiError;
use psio_api::registry::{self, COMMANDS};
use psio_api::request::{DEFAULT_INTERVAL_MS, Mode, parse_interval, parse_mode};
use serde_json::{Value, json};

use super::query::Query;
use super::refusal::{refuse, status};
use super::{Shared, accepts, events, is_for_people, json, layout};
use crate::shared_answer::SharedAnswer;

/// When the newest sample that the answer tells of was taken, milliseconds since the epoch.
const TIME: HeaderName = HeaderName::from_static("psio-time");
/// What a WebSocket's answer has as `meta`, as JSON.
const META: HeaderName = HeaderName::from_static("psio-meta");

/// What may stand in a query as it is.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b',');

/// Runs the command that the path names.
pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.service.stats.requests.fetch_add(1, Ordering::Relaxed);
    let for_people = is_for_people(request.headers());
    let path = request.uri().path();
    let name = path.strip_prefix("/api/v1/").unwrap_or(path);
    let name = percent_decode_str(name.strip_suffix('/').unwrap_or(name)).decode_utf8_lossy();
    let query = request.uri().query().unwrap_or_default();
    let answered = if accepts(request.headers(), events::MEDIA_TYPE) {
        stream(&shared, &name, query).await
    } else {
        read(&shared, &name, query).await.map(|answer| told(&answer, for_people))
    };
    answered.unwrap_or_else(|error| refuse(&error, status(error.code), for_people))
}

async fn read(shared: &Shared, name: &str, query: &str) -> Result<Arc<SharedAnswer>, ApiError> {
    let query = Query::parse(name, query)?;
    let of_streams = [("interval", &query.interval), ("mode", &query.mode)];
    if let Some((parameter, _)) = of_streams.into_iter().find(|(_, given)| given.is_some())
        && registry::find(name).is_some()
    {
        let expected = "the header `Accept: text/event-stream`";
        let message = format!("`{parameter}` is for a stream of events, which is asked for with {expected}");
        return Err(ApiError::bad_param(parameter, expected, message));
    }
    shared.service.read(name, query.params, Viewer::STRANGER).await
}

/// Answers again and again, as events.
async fn stream(shared: &Shared, name: &str, query: &str) -> Result<Response, ApiError> {
    let Query { params, interval, mode } = Query::parse(name, query)?;
    let interval_ms = interval.map_or(Ok(DEFAULT_INTERVAL_MS), |text| parse_interval(&text))?;
    let mode = mode.map_or(Ok(Mode::Whole), |text| parse_mode(&Value::String(text).to_string()))?;
    let feed = shared.service.subscribe(name, params, interval_ms, mode, Viewer::STRANGER).await?;
    Ok(events::response(feed))
}

fn told(answer: &SharedAnswer, for_people: bool) -> Response {
    let data = answer.data();
    let mut response = json(if for_people { layout::for_people(&data).into() } else { data });
    if let Some(time) = answer.time_ms() {
        response.headers_mut().insert(TIME, HeaderValue::from(time));
    }
    let meta = answer.meta();
    // Names of fields and reasons: always ASCII, as a header must be.
    if !meta.is_empty()
        && let Ok(meta) = serde_json::to_string(meta)
        && let Ok(meta) = HeaderValue::try_from(meta)
    {
        response.headers_mut().insert(META, meta);
    }
    response
}

/// Every command that can be asked for here, with an example that works.
pub(super) async fn list(request: Request) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:3000");
    let commands: Value = COMMANDS
        .iter()
        .filter(|command| command.kind == Kind::Read)
        .map(|command| {
            let doc = command.doc().split_whitespace().collect::<Vec<_>>().join(" ");
            let sentence = doc.split_once(". ").map_or(doc.as_str(), |(first, _)| first);
            let query = (command.examples)().first().map(query_of).unwrap_or_default();
            json!({
                "name": command.name,
                "tells": sentence.trim_end_matches('.'),
                "example": format!("http://{host}/api/v1/{}{query}", command.name),
            })
        })
        .collect();
    let body = commands.to_string().into_bytes();
    json(if is_for_people(request.headers()) { layout::for_people(&body) } else { body })
}

/// The parameters of an example as they stand in a URL.
fn query_of(example: &Example) -> String {
    let pairs = example.params.iter().map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let items = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
                items.collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        format!("{name}={}", utf8_percent_encode(&text, IN_QUERY))
    });
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_survives_the_way_through_a_url() {
        for command in COMMANDS {
            for example in (command.examples)() {
                let query = query_of(&example);
                let parsed = Query::parse(command.name, query.trim_start_matches('?')).unwrap();
                assert_eq!(parsed.params, example.params, "{}: {query}", command.name);
            }
        }
    }
}

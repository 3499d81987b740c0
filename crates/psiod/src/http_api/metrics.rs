//! `GET /metrics`: the machine for a Prometheus, in OpenMetrics text or the older format.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::future::join_all;
use psio_api::data::access::Viewer;
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::error::ApiError;
use psio_api::metrics::{self, Syntax};

use super::refusal::{refuse, status};
use super::{Shared, accepts, is_for_people, with_headers};
use crate::dispatch::Service;

const OPENMETRICS: &str = "application/openmetrics-text";

pub(super) async fn scrape(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (syntax, content_type) = if accepts(request.headers(), OPENMETRICS) {
        (Syntax::OpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    } else {
        (Syntax::Prometheus, "text/plain; version=0.0.4; charset=utf-8")
    };
    match view(&shared.service).await {
        Ok(view) => {
            let text = metrics::text(&view, shared.options.metrics_processes, syntax);
            with_headers(text, content_type, "no-store")
        }
        Err(error) => refuse(&error, status(error.code), is_for_people(request.headers())),
    }
}

/// A view of all that can be read here: what one topic lacks must not hide the others.
async fn view(service: &Service) -> Result<View, ApiError> {
    let topics: Vec<_> = Topics::each().filter(|&topic| metrics::topics().contains(topic)).collect();
    let sampled = join_all(topics.iter().map(|&topic| service.sampler.sampled(topic))).await;
    let readable = topics.into_iter().zip(sampled).filter(|(_, sampled)| sampled.is_ok()).map(|(topic, _)| topic);
    service.view(readable.fold(Topics::NONE, |all, topic| all | topic), Viewer::STRANGER).await
}

//! `GET /metrics`: the machine for a Prometheus, in OpenMetrics text or the older format.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::future::join_all;
use psio_api::data::access::Viewer;
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::metrics::{self, Syntax};

use super::{Shared, accepts, with_headers};
use crate::dispatch::Service;

const OPENMETRICS: &str = "application/openmetrics-text";

pub(super) async fn scrape(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (syntax, content_type) = if accepts(request.headers(), OPENMETRICS) {
        (Syntax::OpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    } else {
        (Syntax::Prometheus, "text/plain; version=0.0.4; charset=utf-8")
    };
    let view = view(&shared.service, shared.options.metrics_processes).await;
    with_headers(metrics::text(&view, shared.options.metrics_processes, syntax), content_type, "no-store")
}

/// A view of all that can be read here: what one topic lacks must not hide the others. Sweeps are dear, so there is
/// only one of them unless processes are told with their rates.
async fn view(service: &Service, top_processes: usize) -> View {
    let topics: Vec<_> = Topics::each().filter(|&topic| metrics::topics().contains(topic)).collect();
    let sampled = join_all(topics.iter().map(|&topic| async move {
        if topic == Topics::CPU || (topic == Topics::PROCESSES && top_processes > 0) {
            service.sampler.sampled(topic).await
        } else {
            service.sampler.counted(topic).await
        }
    }));
    let sampled = sampled.await;
    let readable = topics.into_iter().zip(sampled).filter(|(_, sampled)| sampled.is_ok()).map(|(topic, _)| topic);
    service.newest_view(readable.fold(Topics::NONE, |all, topic| all | topic), Viewer::STRANGER)
}

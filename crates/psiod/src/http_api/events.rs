//! A subscription as server-sent events: `id:` is the number of the tick, `data:` the event as on a WebSocket, and
//! `event: end` says why the daemon ended it. A comment every so often keeps what lies between from giving up.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep};

use super::with_headers;
use crate::subscriptions::Said;

/// What a client accepts that wants events.
pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// After so long without an event a comment is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Events up to this size leave in one piece; larger ones share their bytes with every other watcher.
const SMALL: usize = 4096;

/// The response that tells a subscription until it ends or the client goes. The subscription is dropped with it, and is
/// not polled while the client does not read.
pub(super) fn response(feed: impl Stream<Item = Said> + Send + 'static) -> Response {
    let events =
        Events { feed: Box::pin(feed), pieces: VecDeque::new(), keep_alive: Box::pin(sleep(KEEP_ALIVE)), ended: false };
    with_headers(Body::from_stream(events), MEDIA_TYPE, "no-store")
}

struct Events<S> {
    feed: Pin<Box<S>>,
    pieces: VecDeque<Bytes>,
    keep_alive: Pin<Box<Sleep>>,
    ended: bool,
}

impl<S: Stream<Item = Said>> Stream for Events<S> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let events = self.get_mut();
        loop {
            if let Some(piece) = events.pieces.pop_front() {
                return Poll::Ready(Some(Ok(piece)));
            }
            if events.ended {
                return Poll::Ready(None);
            }
            match events.feed.as_mut().poll_next(cx) {
                Poll::Ready(Some(said)) => events.write(&said),
                Poll::Ready(None) => events.ended = true,
                Poll::Pending => {
                    ready!(events.keep_alive.as_mut().poll(cx));
                    events.pieces.push_back(Bytes::from_static(b":\n\n"));
                }
            }
            events.keep_alive.as_mut().reset(Instant::now() + KEEP_ALIVE);
        }
    }
}

impl<S> Events<S> {
    fn write(&mut self, said: &Said) {
        match said {
            Said::Event(seq, answer) => {
                let tail = answer.json_tail().plain();
                let head = format!("id: {seq}\ndata: {{\"type\":\"event\",\"seq\":{seq}");
                let pieces = [Bytes::from(head), tail.clone(), Bytes::from_static(b"\n\n")];
                if tail.len() <= SMALL {
                    self.pieces.push_back(pieces.concat().into());
                } else {
                    self.pieces.extend(pieces);
                }
            }
            Said::End(error) => {
                let error = serde_json::to_string(&**error).expect("invariant: an error is always JSON");
                self.pieces.push_back(format!("event: end\ndata: {error}\n\n").into());
                self.ended = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::stream::{self, StreamExt};
    use psio_api::error::{ApiError, ErrorCode};
    use psio_api::reply::Rendered;

    use super::*;
    use crate::shared_answer::{SharedAnswer, Stamp};

    async fn text(feed: impl Stream<Item = Said> + Send + 'static) -> String {
        let body = response(feed).into_body();
        String::from_utf8(axum::body::to_bytes(body, usize::MAX).await.unwrap().into()).unwrap()
    }

    fn event(seq: u64, data: &str) -> Said {
        let rendered = Rendered { json: data.into(), total: Some(5), unknown: [].into() };
        Said::Event(seq, Arc::new(SharedAnswer::new(&rendered, &Stamp::default())))
    }

    #[tokio::test]
    async fn an_event_is_its_number_and_the_message() {
        let text = text(stream::iter([event(1, "[]"), event(3, "7")])).await;
        assert_eq!(
            text,
            "id: 1\ndata: {\"type\":\"event\",\"seq\":1,\"meta\":{\"total\":5},\"data\":[]}\n\n\
             id: 3\ndata: {\"type\":\"event\",\"seq\":3,\"meta\":{\"total\":5},\"data\":7}\n\n"
        );
    }

    #[tokio::test]
    async fn a_large_event_is_whole_though_its_bytes_are_shared() {
        let data = format!("\"{}\"", "x".repeat(2 * SMALL));
        let text = text(stream::iter([event(1, &data)])).await;
        assert_eq!(
            text,
            format!("id: 1\ndata: {{\"type\":\"event\",\"seq\":1,\"meta\":{{\"total\":5}},\"data\":{data}}}\n\n")
        );
    }

    #[tokio::test]
    async fn the_end_says_why_and_is_the_last() {
        let end = Said::End(Arc::new(ApiError::new(ErrorCode::NotFound, "process 412 exited")));
        let text = text(stream::iter([end, event(1, "[]")])).await;
        assert_eq!(text, "event: end\ndata: {\"code\":\"not_found\",\"message\":\"process 412 exited\"}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_comments() {
        let began = Instant::now();
        let mut body = response(stream::pending()).into_body().into_data_stream();
        for _ in 0..2 {
            assert_eq!(body.next().await.unwrap().unwrap(), ":\n\n");
        }
        assert_eq!(began.elapsed().as_secs(), 30);
    }
}

//! One WebSocket connection: messages in, answers and events out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::{Duration, Instant};

use bytes::Bytes;
use psio_api::error::{ApiError, ErrorCode};
use psio_api::message::{self, Encoding, Opening, Tail};
use psio_api::request::{self, Call, Mode, Refused, Request, RequestId};
use psio_probe::coarse_now;
use serde_json::{Map, json};

use crate::dispatch::{Asker, Look, prepare, prepare_subscription};
use crate::server::{Answer, Handler, Kind, Message, Order, Outgoing, Subprotocol};
use crate::shared_answer::{SharedAnswer, kind};
use crate::subscriptions::{GroupKey, Said, Seat};

/// One connection.
pub struct Connection {
    asker: Arc<Asker>,
    encoding: Encoding,
    /// Made when it first subscribes.
    seat: Option<Seat>,
    repeated: Option<Box<Repeated>>,
}

/// The request without an id that was answered last: who polls sends the same again, and as long as there is no newer
/// sample the answer is the same too.
struct Repeated {
    text: Box<str>,
    answer: Outgoing,
    /// Samples taken when it was answered.
    taken: u64,
    /// How long those samples may be told, by [`coarse_now`].
    until: Duration,
}

/// Longer requests are read anew each time.
const MAX_REPEATED: usize = 256;

impl Connection {
    /// A connection over which this asker asks.
    pub fn new(asker: Asker, subprotocol: Subprotocol) -> Self {
        asker.service.stats.clients.fetch_add(1, Ordering::Relaxed);
        let encoding = match subprotocol {
            Subprotocol::Json => Encoding::Json,
            Subprotocol::MsgPack => Encoding::MsgPack,
        };
        Self { asker: Arc::new(asker), encoding, seat: None, repeated: None }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let service = &self.asker.service;
        if service.stats.clients.fetch_sub(1, Ordering::Relaxed) == 1 {
            service.answers.forget();
        }
    }
}

impl Handler for Connection {
    fn message(&mut self, message: Message<'_>) -> Answer {
        self.asker.service.stats.requests.fetch_add(1, Ordering::Relaxed);
        if let Message::Text(text) = message
            && let Some(answer) = self.repeat(text)
        {
            return answer;
        }
        let request = match (message, self.encoding) {
            (Message::Text(text), Encoding::Json) => request::parse(text),
            (Message::Binary(bytes), Encoding::MsgPack) => request::parse_packed(bytes),
            (Message::Binary(_), Encoding::Json) => Err(Refused { id: None, error: request::binary_refused().into() }),
            (Message::Text(_), Encoding::MsgPack) => Err(Refused { id: None, error: request::text_refused().into() }),
        };
        match request {
            Ok(Request::Command { id, call }) => self.answer(message, id, call),
            Ok(Request::Subscribe { id, interval_ms, mode, call }) => self.subscribe(id, interval_ms, mode, call),
            Ok(Request::Unsubscribe { id, subscription }) => self.unsubscribe(id.as_ref(), &subscription),
            Err(Refused { id, error }) => self.refuse(id.as_ref(), &error),
        }
    }

    fn poll_push(&mut self, cx: &mut Context<'_>, push: &mut dyn FnMut(Outgoing)) {
        let Some(seat) = &self.seat else { return };
        seat.poll(cx, |id, said| {
            push(match said {
                Said::Event(seq, answer) => answer.message(self.encoding, &Opening::Event(Some(id), seq)),
                Said::End(error) => whole(self.encoding, &Opening::End(id), &Tail::error(self.encoding, &error)),
            });
        });
    }
}

impl Connection {
    /// The answer to a request that was answered just now.
    fn repeat(&self, text: &str) -> Option<Answer> {
        let repeated = self.repeated.as_ref().filter(|repeated| *repeated.text == *text)?;
        let is_newest = repeated.taken == self.asker.service.sampler.taken();
        (is_newest && coarse_now() <= repeated.until).then(|| Answer::now(Order::Kept, repeated.answer.clone()))
    }

    fn answer(&mut self, message: Message<'_>, id: Option<RequestId>, call: Call) -> Answer {
        let (question, command) = match prepare(&call.name, call.params, Mode::Whole, self.asker.viewer) {
            Ok(prepared) => prepared,
            Err(error) => return self.refuse(id.as_ref(), &error),
        };
        let (asker, order, encoding) = (self.asker.clone(), order(id.as_ref()), self.encoding);
        let taken = asker.service.sampler.taken();
        if let Some(until) = asker.service.sampler.fresh_until(command.needs()) {
            return match asker.look(&question, command.as_ref()) {
                Look::Answer(answer) => {
                    let is_small = answer.as_ref().is_ok_and(|answer| answer.is_small());
                    let answer = response(encoding, id.as_ref(), answer);
                    if let (None, Message::Text(text), true) = (&id, message, is_small)
                        && text.len() <= MAX_REPEATED
                    {
                        let until = coarse_now() + until.saturating_duration_since(Instant::now());
                        let (text, answer) = (text.into(), answer.clone());
                        self.repeated = Some(Box::new(Repeated { text, answer, taken, until }));
                    }
                    Answer::now(order, answer)
                }
                Look::Details(view, selected) => Answer::later(order, async move {
                    let answer = asker.detailed(command.as_ref(), &view, selected).await;
                    response(encoding, id.as_ref(), answer)
                }),
            };
        }
        Answer::later(order, async move {
            let answer = asker.sample_and_answer(&question, command.as_ref()).await;
            response(encoding, id.as_ref(), answer)
        })
    }

    fn subscribe(&mut self, id: RequestId, interval_ms: u32, mode: Mode, call: Call) -> Answer {
        let hub = &self.asker.service.hub;
        let subscriber = Arc::clone(self.seat.get_or_insert_with(|| Seat::new(hub.clone())));
        let prepared = prepare_subscription(&call.name, call.params, mode, self.asker.viewer);
        let reserved = prepared.and_then(|(question, wanted)| Ok((question, wanted, subscriber.reserve(&id)?)));
        let (question, wanted, reservation) = match reserved {
            Ok(reserved) => reserved,
            Err(error) => return self.refuse(Some(&id), &error),
        };
        let (asker, encoding) = (self.asker.clone(), self.encoding);
        Answer::later(Order::Free, async move {
            let key = GroupKey { question, interval_ms };
            match asker.subscribe(&subscriber, reservation, key, wanted).await {
                Ok(()) => done(encoding, Some(&id), &json!({"interval": interval_ms})),
                Err(error) => refusal(encoding, Some(&id), &error),
            }
        })
    }

    fn unsubscribe(&self, id: Option<&RequestId>, subscription: &RequestId) -> Answer {
        if self.seat.as_ref().is_some_and(|seat| seat.release(subscription)) {
            return Answer::now(order(id), done(self.encoding, id, &serde_json::Value::Null));
        }
        let message = format!("this connection has no subscription {}", subscription.as_json());
        let details = json!({"subscription": subscription.to_value()});
        self.refuse(id, &ApiError::new(ErrorCode::NotFound, message).with(details))
    }

    fn refuse(&self, id: Option<&RequestId>, error: &ApiError) -> Answer {
        Answer::now(order(id), refusal(self.encoding, id, error))
    }
}

fn order(id: Option<&RequestId>) -> Order {
    if id.is_some() { Order::Free } else { Order::Kept }
}

fn response(encoding: Encoding, id: Option<&RequestId>, answer: Result<Arc<SharedAnswer>, ApiError>) -> Outgoing {
    match answer {
        Ok(answer) => answer.message(encoding, &Opening::Response(id)),
        Err(error) => refusal(encoding, id, &error),
    }
}

/// A response that nobody else is sent.
fn done(encoding: Encoding, id: Option<&RequestId>, data: &serde_json::Value) -> Outgoing {
    let tail = Tail::new(encoding, None, &Map::new(), data.to_string().as_bytes());
    whole(encoding, &Opening::Response(id), &tail)
}

fn refusal(encoding: Encoding, id: Option<&RequestId>, error: &ApiError) -> Outgoing {
    whole(encoding, &Opening::Error(id), &Tail::error(encoding, error))
}

fn whole(encoding: Encoding, opening: &Opening<'_>, tail: &Tail) -> Outgoing {
    let bytes = Bytes::from(message::whole(encoding, opening, tail));
    match kind(encoding) {
        Kind::Text => Outgoing::text([bytes]),
        Kind::Binary => Outgoing::binary([bytes]),
    }
}

//! One answer, rendered once, in every form in which it is sent: with an id or without, as an event of any
//! subscription, as JSON or `MessagePack`.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::message::{Encoding, JSON_DATA, Opening, Tail, meta};
use psio_api::reply::Rendered;
use serde_json::{Map, Value};

use crate::server::{Head, Kind, Outgoing, Shared};

/// Up to here an answer without id is kept framed whole, so that a batch of them is a few copies.
const SMALL: usize = 4096;

/// When an answer's samples were taken, and over which window its rates were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stamp {
    time_ms: Option<u64>,
    window_ms: Option<f64>,
}

impl Stamp {
    /// Of something that was noticed then, milliseconds since the epoch.
    pub fn at(time_ms: u64) -> Self {
        Self { time_ms: Some(time_ms), window_ms: None }
    }

    /// What there is to say about these topics of the view.
    pub fn of(view: &View, topics: Topics) -> Self {
        Self {
            time_ms: view.now.newest(topics).map(|at| at.wall_ms),
            window_ms: view.window(topics).map(|window| window.as_secs_f64() * 1e3),
        }
    }
}

/// An answer whose bytes are shared by everybody who is told the same.
#[derive(Debug)]
pub struct SharedAnswer {
    time_ms: Option<u64>,
    meta: Map<String, Value>,
    json: SharedTail,
    packed: OnceLock<SharedTail>,
    /// The whole frame of the answer to a request without id; empty when the answer is large.
    without_id: Bytes,
}

/// The end of a message, its bytes shared.
#[derive(Debug)]
struct SharedTail {
    /// Without its bytes.
    tail: Tail,
    stamped: Arc<Shared>,
    bare: Arc<Shared>,
}

impl SharedTail {
    fn new(mut tail: Tail) -> Self {
        let bytes = Bytes::from(tail.take_bytes());
        let bare = bytes.slice(tail.bare_from()..);
        Self { stamped: Arc::new(Shared::new(bytes)), bare: Arc::new(Shared::new(bare)), tail }
    }

    fn message(&self, encoding: Encoding, opening: &Opening<'_>) -> Outgoing {
        let mut head = Head::new();
        opening.write(encoding, &self.tail, &mut head).expect("invariant: a vector takes every byte");
        Outgoing::shared(kind(encoding), head, if opening.is_stamped() { &self.stamped } else { &self.bare })
    }
}

impl SharedAnswer {
    /// What was rendered, with what there is to say about it.
    pub fn new(rendered: &Rendered, stamp: &Stamp) -> Self {
        let meta = meta(stamp.window_ms, rendered);
        let json = SharedTail::new(Tail::new(Encoding::Json, stamp.time_ms, &meta, &rendered.json));
        let without_id = if rendered.json.len() <= SMALL {
            json.message(Encoding::Json, &Opening::Response(None)).into_frame()
        } else {
            Bytes::new()
        };
        Self { time_ms: stamp.time_ms, meta, json, packed: OnceLock::new(), without_id }
    }

    /// The `data` alone, as JSON.
    pub fn data(&self) -> Bytes {
        let bare = self.json.bare.plain();
        bare.slice(JSON_DATA.len()..bare.len() - 1)
    }

    /// All that follows the opening of a JSON message that says when its data was sampled.
    pub fn json_tail(&self) -> &Arc<Shared> {
        &self.json.stamped
    }

    /// When the newest sample it tells of was taken, milliseconds since the epoch.
    pub fn time_ms(&self) -> Option<u64> {
        self.time_ms
    }

    /// What there is to say about it; empty when there is nothing.
    pub fn meta(&self) -> &Map<String, Value> {
        &self.meta
    }

    /// Whether it is so short that anybody may keep it.
    pub fn is_small(&self) -> bool {
        !self.without_id.is_empty()
    }

    /// What keeping it costs.
    pub fn kept_bytes(&self) -> usize {
        let packed = self.packed.get().map_or(0, |packed| packed.stamped.plain().len());
        self.json.stamped.plain().len() + packed + self.without_id.len()
    }

    /// The message that begins so.
    pub fn message(&self, encoding: Encoding, opening: &Opening<'_>) -> Outgoing {
        match encoding {
            Encoding::Json if *opening == Opening::Response(None) && !self.without_id.is_empty() => {
                Outgoing::preframed(self.without_id.clone())
            }
            Encoding::Json => self.json.message(encoding, opening),
            Encoding::MsgPack => self.packed().message(encoding, opening),
        }
    }

    fn packed(&self) -> &SharedTail {
        let pack = || SharedTail::new(Tail::new(Encoding::MsgPack, self.time_ms, &self.meta, &self.data()));
        self.packed.get_or_init(pack)
    }
}

/// The kind of WebSocket message that an encoding travels in.
pub fn kind(encoding: Encoding) -> Kind {
    match encoding {
        Encoding::Json => Kind::Text,
        Encoding::MsgPack => Kind::Binary,
    }
}

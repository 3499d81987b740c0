//! What psiod sends, as bytes: an opening that differs from one receiver to the next (id, seq), and a [`Tail`] that is
//! the same for everybody who is told the same.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::msgpack;
use crate::reply::Rendered;
use crate::request::RequestId;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text.
    Json,
    /// The same objects as `MessagePack`.
    MsgPack,
}

/// How a message begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Opening<'a> {
    /// The answer to a request. Without an id it has exactly `type` and `data`, as the first protocol had it.
    Response(Option<&'a RequestId>),
    /// A tick of a subscription. Server-sent events have no id: there is one subscription to a stream.
    Event(Option<&'a RequestId>, u64),
    /// A refusal.
    Error(Option<&'a RequestId>),
    /// The daemon ends a subscription.
    End(&'a RequestId),
}

impl<'a> Opening<'a> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Response(_) => "response",
            Self::Event(..) => "event",
            Self::Error(_) => "error",
            Self::End(_) => "end",
        }
    }

    fn id(&self) -> Option<&'a RequestId> {
        match *self {
            Self::Response(id) | Self::Event(id, _) | Self::Error(id) => id,
            Self::End(id) => Some(id),
        }
    }

    fn seq(&self) -> Option<u64> {
        if let Self::Event(_, seq) = *self { Some(seq) } else { None }
    }

    /// Whether the message says when its data was sampled, and what there is to say about it.
    pub fn is_stamped(&self) -> bool {
        matches!(self, Self::Response(Some(_)) | Self::Event(..))
    }

    /// Writes it, to be followed by a tail of the same encoding, stamped or bare.
    ///
    /// # Errors
    /// As those of the writer.
    pub fn write(&self, encoding: Encoding, tail: &Tail, mut out: impl Write) -> io::Result<()> {
        match encoding {
            Encoding::Json => self.write_json(out),
            Encoding::MsgPack => {
                let tail = if self.is_stamped() { tail.entries } else { 1 };
                let entries = 1 + u8::from(self.id().is_some()) + u8::from(self.seq().is_some()) + tail;
                // A map of at most fifteen entries says so in one byte.
                out.write_all(&[0x80 | entries])?;
                msgpack::entry(&mut out, "type", &json!(self.kind()))?;
                if let Some(id) = self.id() {
                    msgpack::entry(&mut out, "id", &id.to_value())?;
                }
                self.seq().map_or(Ok(()), |seq| msgpack::entry(&mut out, "seq", &json!(seq)))
            }
        }
    }

    fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(br#"{"type":""#)?;
        out.write_all(self.kind().as_bytes())?;
        out.write_all(b"\"")?;
        if let Some(id) = self.id() {
            out.write_all(br#","id":"#)?;
            out.write_all(id.as_json().as_bytes())?;
        }
        self.seq().map_or(Ok(()), |seq| write!(out, r#","seq":{seq}"#))
    }
}

/// The end of a message: `time` and `meta` where they are known, and `data`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    bytes: Vec<u8>,
    bare_from: usize,
    entries: u8,
}

impl Tail {
    /// The tail of a message whose data is `data`, as JSON.
    pub fn new(encoding: Encoding, time_ms: Option<u64>, meta: &Map<String, Value>, data: &[u8]) -> Self {
        let mut stamps: Vec<(&str, Value)> = Vec::new();
        stamps.extend(time_ms.map(|time| ("time", json!(time))));
        stamps.extend((!meta.is_empty()).then(|| ("meta", Value::Object(meta.clone()))));
        let entries = 1 + stamps.len() as u8;
        let mut bytes = Vec::with_capacity(data.len() + 64);
        for (name, value) in stamps {
            match encoding {
                Encoding::Json => bytes.extend_from_slice(format!(r#","{name}":{value}"#).as_bytes()),
                Encoding::MsgPack => msgpack::entry(&mut bytes, name, &value).expect(TAKES_ALL),
            }
        }
        let bare_from = bytes.len();
        match encoding {
            Encoding::Json => {
                bytes.extend_from_slice(JSON_DATA);
                bytes.extend_from_slice(data);
                bytes.push(b'}');
            }
            Encoding::MsgPack => {
                let value = serde_json::from_slice(data).expect("invariant: what a command renders is JSON");
                msgpack::entry(&mut bytes, "data", &value).expect(TAKES_ALL);
            }
        }
        Self { bytes, bare_from, entries }
    }

    /// The tail of a message that tells an error.
    pub fn error(encoding: Encoding, error: &ApiError) -> Self {
        let data = serde_json::to_vec(error).expect("invariant: an error is always JSON");
        Self::new(encoding, None, &Map::new(), &data)
    }

    /// Its bytes, `time` and `meta` included. What follows from [`Tail::bare_from`] on is `data` alone.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in [`Tail::bytes`] the tail begins that has neither `time` nor `meta`.
    pub fn bare_from(&self) -> usize {
        self.bare_from
    }

    /// The same, its bytes taken out: what is left still says how an [`Opening`] is to count it.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

const TAKES_ALL: &str = "invariant: a vector takes every byte";

/// Stands in a JSON tail right before the data itself.
pub const JSON_DATA: &[u8] = br#","data":"#;

/// A whole message.
pub fn whole(encoding: Encoding, opening: &Opening<'_>, tail: &Tail) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 + tail.bytes.len());
    opening.write(encoding, tail, &mut bytes).expect(TAKES_ALL);
    bytes.extend_from_slice(if opening.is_stamped() { &tail.bytes } else { &tail.bytes[tail.bare_from..] });
    bytes
}

/// A whole message of type `error`.
pub fn error(encoding: Encoding, id: Option<&RequestId>, error: &ApiError) -> Vec<u8> {
    whole(encoding, &Opening::Error(id), &Tail::error(encoding, error))
}

/// What there is to say about an answer: the window of its rates, the rows before `limit`, why fields are null.
pub fn meta(window_ms: Option<f64>, answer: &Rendered) -> Map<String, Value> {
    let mut meta = Map::new();
    if let Some(window) = window_ms {
        meta.insert("window_ms".to_owned(), json!(window.round() as u64));
    }
    if let Some(total) = answer.total {
        meta.insert("total".to_owned(), json!(total));
    }
    if !answer.unknown.is_empty() {
        meta.insert("unknown".to_owned(), json!(answer.unknown));
    }
    meta
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> RequestId {
        RequestId::from_json(json).unwrap()
    }

    fn meta() -> Map<String, Value> {
        Map::from_iter([("total".to_owned(), json!(3))])
    }

    fn message(encoding: Encoding, opening: &Opening<'_>) -> Value {
        let tail = Tail::new(encoding, Some(17), &meta(), b"[1,null]");
        let bytes = whole(encoding, opening, &tail);
        match encoding {
            Encoding::Json => serde_json::from_slice(&bytes).unwrap(),
            Encoding::MsgPack => serde_json::from_str(&msgpack::to_json(&bytes).unwrap()).unwrap(),
        }
    }

    #[test]
    fn a_response_without_id_has_exactly_type_and_data() {
        let tail = Tail::new(Encoding::Json, Some(1), &meta(), b"[]");
        let bytes = whole(Encoding::Json, &Opening::Response(None), &tail);
        assert_eq!(bytes, br#"{"type":"response","data":[]}"#);
    }

    #[test]
    fn a_response_with_id_says_when_and_what_there_is_to_say() {
        let bytes = message(Encoding::Json, &Opening::Response(Some(&id("7"))));
        assert_eq!(bytes.to_string(), r#"{"type":"response","id":7,"time":17,"meta":{"total":3},"data":[1,null]}"#);
    }

    #[test]
    fn an_event_has_its_seq() {
        let event = message(Encoding::Json, &Opening::Event(Some(&id(r#""a""#)), 12));
        assert_eq!(
            event.to_string(),
            r#"{"type":"event","id":"a","seq":12,"time":17,"meta":{"total":3},"data":[1,null]}"#
        );
    }

    #[test]
    fn both_encodings_say_the_same() {
        let (number, text) = (id("-3"), id(r#""ü""#));
        for opening in [
            Opening::Response(None),
            Opening::Response(Some(&number)),
            Opening::Event(Some(&text), 300),
            Opening::Event(None, 1),
            Opening::Error(None),
            Opening::End(&text),
        ] {
            assert_eq!(message(Encoding::Json, &opening), message(Encoding::MsgPack, &opening), "{opening:?}");
        }
    }

    #[test]
    fn an_error_is_told_in_either_encoding() {
        let error = ApiError::no_process(5);
        let text = super::error(Encoding::Json, Some(&id("1")), &error);
        let packed = super::error(Encoding::MsgPack, Some(&id("1")), &error);
        assert_eq!(msgpack::to_json(&packed).unwrap().as_bytes(), text);
    }
}

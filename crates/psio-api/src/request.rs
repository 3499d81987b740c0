//! What clients send, `{type, id?, data}`: read strictly, refused with what was wrong and what was expected.

use compact_str::{CompactString, ToCompactString};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::error::{ApiError, ErrorCode, did_you_mean, nearest, shortened};
use crate::msgpack;

/// Longest id in bytes, as it stands in the message, quotes not counted.
pub const MAX_ID_BYTES: usize = 128;

/// The id of a request: a JSON string or number, kept as it was written so that it is echoed to the letter; a
/// short one without an allocation of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(CompactString);

impl RequestId {
    /// The id as JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The id that is written so, if it is one.
    pub fn from_json(json: &str) -> Result<Self, ApiError> {
        let raw: &RawValue = serde_json::from_str(json).map_err(|error| ApiError::bad_request(error.to_string()))?;
        parse_id(raw, "id")
    }

    /// The id as a value; as it was written where it is none: JSON allows `1e999` and halves of surrogate pairs.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_else(|_| Value::from(&*self.0))
    }
}

impl From<u32> for RequestId {
    fn from(number: u32) -> Self {
        Self(number.to_compact_string())
    }
}

/// What somebody sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `command`: do this once.
    Command {
        /// Echoed in the answer.
        id: Option<RequestId>,
        /// What to do.
        call: Call,
    },
    /// `subscribe`: tell this again and again.
    Subscribe {
        /// Names the subscription as long as it lives.
        id: RequestId,
        /// Milliseconds from one telling to the next.
        interval_ms: u32,
        /// What an event tells.
        mode: Mode,
        /// What to tell.
        call: Call,
    },
    /// `unsubscribe`: end a subscription.
    Unsubscribe {
        /// Echoed in the answer.
        id: Option<RequestId>,
        /// The id that the subscription was made with.
        subscription: RequestId,
    },
}

/// A command's name and parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Name of the command.
    pub name: String,
    /// Its parameters, without the name.
    pub params: Map<String, Value>,
}

/// What an event of a subscription tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything, as the command would answer it.
    #[default]
    Whole,
    /// What has changed since the event before; for commands that list.
    Delta,
}

/// Intervals of subscriptions, in milliseconds.
pub const INTERVALS_MS: std::ops::RangeInclusive<u32> = 100..=3_600_000;
/// The interval of who names none.
pub const DEFAULT_INTERVAL_MS: u32 = 1000;

/// A message that is no request, and the id to answer it under.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The id of the message, where one could be made out.
    pub id: Option<RequestId>,
    /// What was wrong with it.
    pub error: Box<ApiError>,
}

#[derive(Deserialize)]
struct RawEnvelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    host: Option<&'a RawValue>,
    #[serde(borrow)]
    interval: Option<&'a RawValue>,
    #[serde(borrow)]
    mode: Option<&'a RawValue>,
    #[serde(borrow)]
    subscription: Option<&'a RawValue>,
}

const SHAPE: &str = r#"{"type":"command","data":{"name":"cpu.getall"}}"#;
const TYPES: [&str; 3] = ["command", "subscribe", "unsubscribe"];

/// Reads one message.
pub fn parse(text: &str) -> Result<Request, Refused> {
    let refuse = |error: ApiError| Refused { id: None, error: error.into() };
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| refuse(not_json(text, &error)))?;
    if !raw.get().starts_with('{') {
        let message = format!("expected a JSON object such as {SHAPE}, got {}", kind_of(raw));
        return Err(refuse(ApiError::bad_request(message)));
    }
    let envelope: RawEnvelope<'_> = serde_json::from_str(raw.get())
        .map_err(|error| refuse(ApiError::bad_request(format!("the envelope is wrong: {error}"))))?;
    let id = envelope.id.map(|raw| parse_id(raw, "id")).transpose().map_err(refuse)?;
    parse_request(&envelope, id.clone()).map_err(|error| Refused { id, error: error.into() })
}

fn parse_request(envelope: &RawEnvelope<'_>, id: Option<RequestId>) -> Result<Request, ApiError> {
    let Some(kind) = envelope.kind else {
        return Err(ApiError::bad_request(format!("`type` is missing; expected an object such as {SHAPE}")));
    };
    let kind: &str = &serde_json::from_str::<String>(kind.get())
        .map_err(|_| ApiError::bad_request(format!("`type` must be a string, got {}", kind_of(kind))))?;
    match kind {
        "command" => Ok(Request::Command { id, call: parse_call(envelope)? }),
        "subscribe" => {
            let Some(id) = id else {
                let message = "`id` is missing: a subscription is told apart by it; expected a string or a number";
                return Err(ApiError::bad_request(message));
            };
            let interval_ms = envelope.interval.map_or(Ok(DEFAULT_INTERVAL_MS), |raw| parse_interval(raw.get()))?;
            let mode = envelope.mode.map_or(Ok(Mode::Whole), |raw| parse_mode(raw.get()))?;
            Ok(Request::Subscribe { id, interval_ms, mode, call: parse_call(envelope)? })
        }
        "unsubscribe" => {
            let Some(subscription) = envelope.subscription else {
                let message = "`subscription` is missing: the id that the subscription was made with";
                return Err(ApiError::bad_request(message));
            };
            Ok(Request::Unsubscribe { id, subscription: parse_id(subscription, "subscription")? })
        }
        other => {
            let hint = did_you_mean(&nearest(other, TYPES));
            let message = format!("unknown type `{}`{hint}; expected {}", shortened(other), TYPES.join(", "));
            Err(ApiError::bad_request(message))
        }
    }
}

/// Reads the interval of a subscription, in milliseconds, from its JSON text.
pub fn parse_interval(json: &str) -> Result<u32, ApiError> {
    let number: Option<f64> = serde_json::from_str(json).ok();
    let whole = number.filter(|number| number.fract() == 0.0);
    let interval = whole.map(|number| number as u32).filter(|interval| INTERVALS_MS.contains(interval));
    interval.ok_or_else(|| {
        let expected = format!("whole milliseconds from {} to {}", INTERVALS_MS.start(), INTERVALS_MS.end());
        ApiError::bad_param("interval", &expected, format!("interval: expected {expected}, got {}", shortened(json)))
    })
}

/// Reads the mode of a subscription from its JSON text.
pub fn parse_mode(json: &str) -> Result<Mode, ApiError> {
    serde_json::from_str(json).map_err(|_| {
        let expected = "\"delta\" or \"whole\"";
        ApiError::bad_param("mode", expected, format!("mode: expected {expected}, got {}", shortened(json)))
    })
}

fn not_json(text: &str, error: &serde_json::Error) -> ApiError {
    if text.trim() == "[object Object]" {
        let message = "got the text `[object Object]`: the client sent an object without turning it into JSON; \
                       send JSON.stringify(message) instead of message";
        return ApiError::new(ErrorCode::BadJson, message);
    }
    let message = format!("the message is not JSON: {error}; expected an object such as {SHAPE}");
    ApiError::new(ErrorCode::BadJson, message)
}

fn parse_id(raw: &RawValue, key: &str) -> Result<RequestId, ApiError> {
    let text = raw.get();
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let is_text = text.starts_with('"');
    if !is_number && !is_text {
        let message = format!("`{key}` must be a string or a number, got {}", kind_of(raw));
        return Err(ApiError::bad_request(message));
    }
    let length = if is_text { text.len() - 2 } else { text.len() };
    if length > MAX_ID_BYTES {
        let message = format!("`{key}` is {length} bytes long, expected at most {MAX_ID_BYTES}");
        return Err(ApiError::bad_request(message));
    }
    Ok(RequestId(text.into()))
}

fn parse_call(envelope: &RawEnvelope<'_>) -> Result<Call, ApiError> {
    if envelope.host.is_some() {
        let message = "`host`: this version answers for its own machine only; leave it out";
        return Err(ApiError::new(ErrorCode::Unsupported, message));
    }
    let Some(data) = envelope.data else {
        return Err(ApiError::bad_request(format!("`data` is missing; expected an object such as {SHAPE}")));
    };
    if !data.get().starts_with('{') {
        let message = format!("`data` must be an object with the `name` of a command, got {}", kind_of(data));
        return Err(ApiError::bad_request(message));
    }
    let mut params: Map<String, Value> = serde_json::from_str(data.get())
        .map_err(|error| ApiError::bad_request(format!("`data` cannot be read: {error}")))?;
    match params.shift_remove("name") {
        Some(Value::String(name)) => Ok(Call { name, params }),
        Some(other) => {
            let message = format!("`data.name` must be a string, got {}", kind_of_value(&other));
            Err(ApiError::bad_request(message))
        }
        None => Err(ApiError::bad_request("`data.name` is missing: the name of a command, such as `cpu.getall`")),
    }
}

/// The error for a command that does not exist.
pub fn unknown_command<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> ApiError {
    let nearest = nearest(name, known);
    let hint =
        if nearest.is_empty() { "; `daemon.describe` lists them all".to_owned() } else { did_you_mean(&nearest) };
    let message = format!("no command `{}`{hint}", shortened(name));
    ApiError::new(ErrorCode::UnknownCommand, message).with(json!({"name": shortened(name), "nearest": nearest}))
}

/// The answer to a binary message on a connection that speaks JSON.
pub fn binary_refused() -> ApiError {
    ApiError::bad_request(format!("got a binary message; this connection speaks JSON in text messages such as {SHAPE}"))
}

/// The answer to a text message on a connection that speaks `MessagePack`.
pub fn text_refused() -> ApiError {
    ApiError::bad_request("got a text message; this connection chose psio.v1.msgpack: MessagePack in binary messages")
}

/// Reads one message in `MessagePack`.
pub fn parse_packed(bytes: &[u8]) -> Result<Request, Refused> {
    match msgpack::to_json(bytes) {
        Ok(text) => parse(&text),
        Err(error) => {
            let message = format!("the message is not MessagePack: {error}; expected an object such as {SHAPE}");
            Err(Refused { id: None, error: ApiError::bad_request(message).into() })
        }
    }
}

fn kind_of(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn kind_of_value(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::String(_) => "a string",
        Value::Bool(_) => "a boolean",
        Value::Null => "null",
        Value::Number(_) => "a number",
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;

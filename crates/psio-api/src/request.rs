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
mod tests {
    use super::*;

    fn refused(text: &str) -> Refused {
        parse(text).unwrap_err()
    }

    #[test]
    fn the_first_protocols_request_is_understood() {
        let request = parse(r#"{"type":"command","data":{"name":"process.getall"}}"#).unwrap();
        let call = Call { name: "process.getall".to_owned(), params: Map::new() };
        assert_eq!(request, Request::Command { id: None, call });
    }

    #[test]
    fn ids_are_kept_to_the_letter() {
        for id in ["7", "-0.50e3", r#""a\u0041""#, "18446744073709551617"] {
            let request = parse(&format!(r#"{{"type":"command","id":{id},"data":{{"name":"x"}}}}"#)).unwrap();
            let Request::Command { id: Some(parsed), .. } = request else { panic!("{request:?}") };
            assert_eq!(parsed.as_json(), id);
        }
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        for id in ["[1]", "{}", "true"] {
            let refused = refused(&format!(r#"{{"type":"command","id":{id},"data":{{"name":"x"}}}}"#));
            assert!(refused.error.message.contains("`id` must be a string or a number"), "{id}");
        }
    }

    #[test]
    fn an_id_that_is_no_value_is_one_all_the_same() {
        for id in ["1e999", r#""\ud800""#] {
            assert_eq!(RequestId::from_json(id).unwrap().to_value(), json!(id));
        }
    }

    #[test]
    fn an_id_may_have_128_bytes_and_no_more() {
        let message = |length| format!(r#"{{"type":"command","id":"{}","data":{{"name":"x"}}}}"#, "i".repeat(length));
        assert!(parse(&message(128)).is_ok());
        assert!(refused(&message(129)).error.message.contains("129 bytes"));
    }

    #[test]
    fn an_id_of_null_is_no_id() {
        let request = parse(r#"{"type":"command","id":null,"data":{"name":"x"}}"#).unwrap();
        assert!(matches!(request, Request::Command { id: None, .. }));
    }

    #[test]
    fn an_object_that_was_not_stringified_gets_the_advice() {
        let error = refused("[object Object]").error;
        assert_eq!(error.code, ErrorCode::BadJson);
        assert!(error.message.contains("JSON.stringify"));
    }

    #[test]
    fn what_is_not_json_is_bad_json() {
        for text in ["", "hello", "{", "{\"type\":}", "\u{0}", "{}{}"] {
            assert_eq!(refused(text).error.code, ErrorCode::BadJson, "{text:?}");
        }
    }

    #[test]
    fn json_that_is_no_object_is_named() {
        for (text, kind) in [("[1]", "an array"), ("3", "a number"), ("\"x\"", "a string"), ("null", "null")] {
            let error = refused(text).error;
            assert_eq!(error.code, ErrorCode::BadRequest);
            assert!(error.message.ends_with(&format!("got {kind}")), "{}", error.message);
        }
    }

    #[test]
    fn a_missing_type_is_named() {
        assert!(refused(r#"{"data":{}}"#).error.message.contains("`type` is missing"));
    }

    #[test]
    fn an_unknown_type_is_named_and_the_id_kept() {
        let refused = refused(r#"{"type":"comand","id":3,"data":{}}"#);
        assert_eq!(refused.id.unwrap().as_json(), "3");
        assert!(refused.error.message.contains("`comand`; did you mean command?"), "{}", refused.error.message);
    }

    #[test]
    fn nesting_ten_thousand_deep_is_refused_without_harm() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(refused(&deep).error.code, ErrorCode::BadRequest);
        let in_params = format!(r#"{{"type":"command","id":1,"data":{{"name":"cpu.getall","fields":{deep}}}}}"#);
        assert!(refused(&in_params).error.message.contains("recursion limit"));
        assert_eq!(refused(&"[".repeat(10_000)).error.code, ErrorCode::BadJson);
    }

    #[test]
    fn unknown_envelope_keys_are_ignored() {
        assert!(parse(r#"{"type":"command","data":{"name":"x"},"extra":[1]}"#).is_ok());
    }

    #[test]
    fn host_is_unsupported_until_built() {
        let error = refused(r#"{"type":"command","host":"db1","data":{"name":"x"}}"#).error;
        assert_eq!(error.code, ErrorCode::Unsupported);
    }

    fn subscribe(rest: &str) -> Result<Request, Refused> {
        parse(&format!(r#"{{"type":"subscribe",{rest}"data":{{"name":"cpu.getall","limit":1}}}}"#))
    }

    #[test]
    fn a_subscription_has_an_id_an_interval_and_a_mode() {
        let request = subscribe(r#""id":2,"interval":250,"mode":"delta","#).unwrap();
        let Request::Subscribe { id, interval_ms, mode, call } = request else { panic!("{request:?}") };
        assert_eq!((id.as_json(), interval_ms, mode, call.name.as_str()), ("2", 250, Mode::Delta, "cpu.getall"));
        assert_eq!(call.params.len(), 1);
    }

    #[test]
    fn a_subscription_is_whole_and_each_second_unless_it_says_otherwise() {
        let request = subscribe(r#""id":2,"#).unwrap();
        assert!(matches!(request, Request::Subscribe { interval_ms: 1000, mode: Mode::Whole, .. }), "{request:?}");
    }

    #[test]
    fn a_subscription_without_id_is_refused() {
        assert!(subscribe("").unwrap_err().error.message.contains("`id` is missing"));
    }

    #[test]
    fn an_interval_out_of_range_is_refused_and_the_range_named() {
        for interval in ["99", "0", "-5", "3600001", "1e300", "250.5", "\"1000\"", "[]"] {
            let refused = subscribe(&format!(r#""id":2,"interval":{interval},"#)).unwrap_err();
            assert_eq!(refused.error.code, ErrorCode::BadParams, "{interval}");
            assert!(refused.error.message.contains("from 100 to 3600000"), "{}", refused.error.message);
            assert_eq!(refused.id.unwrap().as_json(), "2");
        }
        assert!(subscribe(r#""id":2,"interval":3.6e6,"#).is_ok());
    }

    #[test]
    fn another_mode_is_refused() {
        assert!(subscribe(r#""id":2,"mode":"diff","#).unwrap_err().error.message.contains("expected \"delta\""));
    }

    #[test]
    fn an_unsubscription_names_its_subscription() {
        let request = parse(r#"{"type":"unsubscribe","id":3,"subscription":"a"}"#).unwrap();
        let Request::Unsubscribe { id, subscription } = request else { panic!("{request:?}") };
        assert_eq!((id.unwrap().as_json(), subscription.as_json()), ("3", r#""a""#));
        assert!(refused(r#"{"type":"unsubscribe","id":3}"#).error.message.contains("`subscription` is missing"));
        let other = refused(r#"{"type":"unsubscribe","id":3,"subscription":{}}"#);
        assert!(other.error.message.contains("`subscription` must be"), "{}", other.error.message);
    }

    #[test]
    fn messagepack_is_read_like_json() {
        let text = r#"{"type":"command","id":7,"data":{"name":"cpu.getall","limit":2}}"#;
        let packed = rmp_serde::to_vec(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
        assert_eq!(parse_packed(&packed).unwrap(), parse(text).unwrap());
        assert!(parse_packed(b"\xc1").unwrap_err().error.message.contains("not MessagePack"));
    }

    #[test]
    fn long_names_are_shortened_in_messages() {
        let error = unknown_command(&"ü".repeat(5_000), ["cpu.getall"]);
        assert!(error.message.len() < 300);
    }
}

//! The envelope around every message, both ways: `{type, id?, data}`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::error::{ApiError, ErrorCode, did_you_mean, nearest, shortened};
use crate::reply::Rendered;

/// Longest id in bytes, as it stands in the message, quotes not counted.
pub const MAX_ID_BYTES: usize = 128;

/// The id of a request: a JSON string or number, kept as it was written so that it is echoed to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The id as JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// A command that somebody sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Echoed in the answer.
    pub id: Option<RequestId>,
    /// Name of the command.
    pub name: String,
    /// Its parameters, without the name.
    pub params: Map<String, Value>,
}

/// A message that is no request, and the id to answer it under.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The id of the message, where one could be made out.
    pub id: Option<RequestId>,
    /// What was wrong with it.
    pub error: ApiError,
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
}

const SHAPE: &str = r#"{"type":"command","data":{"name":"cpu.getall"}}"#;
const TYPES: [&str; 3] = ["command", "subscribe", "unsubscribe"];

/// Reads one message.
pub fn parse(text: &str) -> Result<Request, Refused> {
    let refuse = |error| Refused { id: None, error };
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| refuse(not_json(text, &error)))?;
    if !raw.get().starts_with('{') {
        let message = format!("expected a JSON object such as {SHAPE}, got {}", kind_of(raw));
        return Err(refuse(ApiError::bad_request(message)));
    }
    let envelope: RawEnvelope<'_> = serde_json::from_str(raw.get())
        .map_err(|error| refuse(ApiError::bad_request(format!("the envelope is wrong: {error}"))))?;
    let id = envelope.id.map(parse_id).transpose().map_err(refuse)?;
    match parse_command(&envelope) {
        Ok((name, params)) => Ok(Request { id, name, params }),
        Err(error) => Err(Refused { id, error }),
    }
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

fn parse_id(raw: &RawValue) -> Result<RequestId, ApiError> {
    let text = raw.get();
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let is_text = text.starts_with('"');
    if !is_number && !is_text {
        let message = format!("`id` must be a string or a number, got {}", kind_of(raw));
        return Err(ApiError::bad_request(message));
    }
    let length = if is_text { text.len() - 2 } else { text.len() };
    if length > MAX_ID_BYTES {
        let message = format!("`id` is {length} bytes long, expected at most {MAX_ID_BYTES}");
        return Err(ApiError::bad_request(message));
    }
    Ok(RequestId(text.into()))
}

fn parse_command(envelope: &RawEnvelope<'_>) -> Result<(String, Map<String, Value>), ApiError> {
    let Some(kind) = envelope.kind else {
        return Err(ApiError::bad_request(format!("`type` is missing; expected an object such as {SHAPE}")));
    };
    let kind: &str = &serde_json::from_str::<String>(kind.get())
        .map_err(|_| ApiError::bad_request(format!("`type` must be a string, got {}", kind_of(kind))))?;
    match kind {
        "command" => {}
        "subscribe" | "unsubscribe" => {
            let message = format!("`{kind}` is not built in this version; send the command again for a new answer");
            return Err(ApiError::new(ErrorCode::Unsupported, message));
        }
        other => {
            let hint = did_you_mean(&nearest(other, TYPES));
            let message = format!("unknown type `{}`{hint}; expected `command`", shortened(other));
            return Err(ApiError::bad_request(message));
        }
    }
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
        Some(Value::String(name)) => Ok((name, params)),
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

/// What precedes and follows an answer's shared `data` in its message. Without an id the message has exactly `type`
/// and `data`, as the first protocol had it.
pub fn response(id: Option<&RequestId>, time_ms: Option<u64>, window_ms: Option<f64>, answer: &Rendered) -> String {
    let Some(id) = id else { return r#"{"type":"response","data":"#.to_owned() };
    let mut head = format!(r#"{{"type":"response","id":{}"#, id.as_json());
    if let Some(time) = time_ms {
        head.push_str(&format!(r#","time":{time}"#));
    }
    let meta = meta(window_ms, answer);
    if !meta.is_empty() {
        head.push_str(&format!(r#","meta":{}"#, Value::Object(meta)));
    }
    head.push_str(r#","data":"#);
    head
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

/// What closes a message begun by [`response`].
pub const RESPONSE_END: &str = "}";

/// A whole message of type `error`.
pub fn error(id: Option<&RequestId>, error: &ApiError) -> String {
    let data = serde_json::to_string(error).expect("invariant: an error is always JSON");
    match id {
        Some(id) => format!(r#"{{"type":"error","id":{},"data":{data}}}"#, id.as_json()),
        None => format!(r#"{{"type":"error","data":{data}}}"#),
    }
}

/// The answer to a binary message on a connection that speaks JSON.
pub fn binary_refused() -> ApiError {
    ApiError::bad_request(format!("got a binary message; this connection speaks JSON in text messages such as {SHAPE}"))
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
        assert_eq!((request.id, request.name.as_str(), request.params.len()), (None, "process.getall", 0));
    }

    #[test]
    fn ids_are_kept_to_the_letter() {
        for id in ["7", "-0.50e3", r#""a\u0041""#, "18446744073709551617"] {
            let request = parse(&format!(r#"{{"type":"command","id":{id},"data":{{"name":"x"}}}}"#)).unwrap();
            assert_eq!(request.id.unwrap().as_json(), id);
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
    fn an_id_may_have_128_bytes_and_no_more() {
        let message = |length| format!(r#"{{"type":"command","id":"{}","data":{{"name":"x"}}}}"#, "i".repeat(length));
        assert!(parse(&message(128)).is_ok());
        assert!(refused(&message(129)).error.message.contains("129 bytes"));
    }

    #[test]
    fn an_id_of_null_is_no_id() {
        assert_eq!(parse(r#"{"type":"command","id":null,"data":{"name":"x"}}"#).unwrap().id, None);
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

    #[test]
    fn a_response_without_id_has_exactly_type_and_data() {
        let answer = Rendered { json: vec![], total: Some(1), unknown: Default::default() };
        assert_eq!(response(None, Some(1), Some(1.0), &answer), r#"{"type":"response","data":"#);
    }

    #[test]
    fn a_response_with_id_says_when_and_over_what_window() {
        let answer = Rendered { json: vec![], total: Some(3), unknown: Default::default() };
        let id = RequestId("7".into());
        let head = response(Some(&id), Some(17), Some(1000.4), &answer);
        let message: Value = serde_json::from_str(&format!("{head}[]}}")).unwrap();
        assert_eq!(
            message,
            json!({"type": "response", "id": 7, "time": 17, "meta": {"window_ms": 1000, "total": 3}, "data": []})
        );
    }

    #[test]
    fn long_names_are_shortened_in_messages() {
        let error = unknown_command(&"ü".repeat(5_000), ["cpu.getall"]);
        assert!(error.message.len() < 300);
    }
}

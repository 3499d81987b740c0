//! A query string as the parameters of a command: the command's schema says what is a number, a truth or a list.

use std::collections::HashMap;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use psio_api::command::GivenParams;
use psio_api::error::{ApiError, ErrorCode, shortened};
use psio_api::registry;
use psio_api::schema::Describer;
use serde_json::{Map, Value};

/// Bytes of a query beyond which nobody has typed it; the request's head as a whole may have twice as many.
pub(super) const MAX_BYTES: usize = 8 * 1024;

/// What the query of one request says.
#[derive(Debug, PartialEq)]
pub(super) struct Query {
    /// The parameters of the command.
    pub params: GivenParams,
    /// `interval`, as it was given: only a stream of events has one.
    pub interval: Option<String>,
    /// `mode`, likewise.
    pub mode: Option<String>,
}

/// What a parameter is, as far as its text must be told apart.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Text,
    Number,
    Truth,
    List(Box<Kind>),
}

type Kinds = HashMap<String, Kind>;

/// The parameters of every command.
static KINDS: LazyLock<HashMap<&'static str, Kinds>> = LazyLock::new(|| {
    let mut describer = Describer::new();
    registry::COMMANDS.iter().map(|command| (command.name, kinds(&describer.params(command)))).collect()
});

impl Query {
    /// Reads the query of a request for this command, which need not exist.
    pub fn parse(command: &str, query: &str) -> Result<Self, ApiError> {
        if query.len() > MAX_BYTES {
            let message = format!("the query has {} bytes, expected at most {MAX_BYTES}", query.len());
            return Err(ApiError::new(ErrorCode::TooLarge, message));
        }
        parse(query, KINDS.get(command).unwrap_or(&Kinds::new()))
    }
}

fn parse(query: &str, kinds: &Kinds) -> Result<Query, ApiError> {
    let mut params = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name, "the name of a parameter")?;
        let text = decoded(text, &format!("`{}`", shortened(&name)))?;
        let kind = kinds.get(&name).unwrap_or(&Kind::Text);
        match (kind.value(&text), params.get_mut(&name)) {
            (Value::Array(more), Some(Value::Array(list))) => list.extend(more),
            (_, Some(_)) => {
                let message = format!("`{}` is given twice; expected it once", shortened(&name));
                return Err(ApiError::bad_param(&shortened(&name), "one value", message));
            }
            (value, None) => drop(params.insert(name, value)),
        }
    }
    if params.contains_key("host") && !kinds.contains_key("host") {
        let message = "`host`: this version answers for its own machine only; leave it out";
        return Err(ApiError::new(ErrorCode::Unsupported, message));
    }
    let mut envelope = |name| match params.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (interval, mode) = (envelope("interval"), envelope("mode"));
    Ok(Query { params, interval, mode })
}

/// Text of a query as it was meant: `+` is a space, `%41` an A.
fn decoded(text: &str, whose: &str) -> Result<String, ApiError> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| {
        ApiError::new(ErrorCode::BadParams, format!("{whose} is not UTF-8 once its percent signs are resolved"))
    })
}

impl Kind {
    /// The text as what it is meant to be. One that cannot be that stays text, so that the command refuses it and
    /// says what it expected.
    fn value(&self, text: &str) -> Value {
        let as_text = || Value::String(text.to_owned());
        match self {
            Self::Text => as_text(),
            Self::Truth => text.parse().map_or_else(|_| as_text(), Value::Bool),
            Self::Number if text.contains(char::is_whitespace) => as_text(),
            Self::Number => serde_json::from_str(text).ok().filter(Value::is_number).unwrap_or_else(as_text),
            Self::List(kind) => text.split(',').map(|item| kind.value(item)).collect(),
        }
    }
}

fn kinds(schema: &Value) -> Kinds {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, schema)| (name.clone(), kind(schema))).collect()
}

/// `{"type":["integer","null"]}` and the like; whatever refers elsewhere is one of several words.
fn kind(schema: &Value) -> Kind {
    let is = |word: &str| match &schema["type"] {
        Value::String(only) => only == word,
        Value::Array(several) => several.iter().any(|one| one == word),
        _ => false,
    };
    if is("integer") || is("number") {
        Kind::Number
    } else if is("boolean") {
        Kind::Truth
    } else if is("array") {
        Kind::List(Box::new(kind(&schema["items"])))
    } else {
        Kind::Text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(command: &str, query: &str) -> Value {
        Value::Object(Query::parse(command, query).unwrap().params)
    }

    fn refusal(query: &str) -> ApiError {
        Query::parse("process.getall", query).unwrap_err()
    }

    #[test]
    fn the_schema_of_the_command_says_what_is_what() {
        let query = "fields=pid,name&limit=3&sort=-cpu_percent&filter=1893&format=columns";
        let expected = json!({
            "fields": ["pid", "name"], "limit": 3, "sort": "-cpu_percent", "filter": "1893", "format": "columns"
        });
        assert_eq!(params("process.getall", query), expected);
        assert_eq!(params("process.get", "pid=412&started=99"), json!({"pid": 412, "started": 99}));
    }

    #[test]
    fn a_list_may_be_repeated_and_nothing_else() {
        assert_eq!(params("process.getall", "fields=pid&fields=name,nice"), json!({"fields": ["pid", "name", "nice"]}));
        let refusal = refusal("limit=1&limit=1");
        assert_eq!(refusal.code, ErrorCode::BadParams);
        assert!(refusal.message.contains("`limit` is given twice"), "{}", refusal.message);
    }

    #[test]
    fn an_unknown_parameter_given_twice_is_refused_too() {
        assert!(refusal("x=1&x=2").message.contains("`x` is given twice"));
    }

    #[test]
    fn what_is_no_number_is_left_for_the_command_to_refuse() {
        for text in ["", "ten", "+3", "0x10", "1e999", "NaN", "3%20", "1,2", "null", "true"] {
            let encoded = text.replace('+', "%2B");
            let given = params("process.getall", &format!("limit={encoded}"));
            assert!(given["limit"].is_string(), "{text}: {given}");
        }
    }

    #[test]
    fn truths_and_lists_of_numbers_are_told_from_text() {
        let schema = json!({"properties": {
            "deep": {"type": ["boolean", "null"]}, "pids": {"type": "array", "items": {"type": "integer"}}
        }});
        let parsed = parse("deep=true&pids=1,2&pids=x", &kinds(&schema)).unwrap();
        assert_eq!(Value::Object(parsed.params), json!({"deep": true, "pids": [1, 2, "x"]}));
        let parsed = parse("deep=yes", &kinds(&schema)).unwrap();
        assert_eq!(Value::Object(parsed.params), json!({"deep": "yes"}));
    }

    #[test]
    fn percent_signs_and_plus_signs_are_resolved() {
        let given = params("process.getall", "f%69lter=name~a%26b+%3E+%C3%BC%2B%00");
        assert_eq!(given, json!({"filter": "name~a&b > ü+\0"}));
    }

    #[test]
    fn a_percent_sign_that_encodes_nothing_stays() {
        assert_eq!(params("process.getall", "filter=100%&sort=%zz"), json!({"filter": "100%", "sort": "%zz"}));
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused_with_the_parameter() {
        assert!(refusal("filter=%ff").message.contains("`filter` is not UTF-8"));
        assert!(refusal("%ff=1").message.contains("the name of a parameter is not UTF-8"));
    }

    #[test]
    fn what_belongs_to_the_stream_never_reaches_the_command() {
        let query = Query::parse("cpu.getall", "interval=500&limit=1&mode=delta").unwrap();
        assert_eq!(Value::Object(query.params), json!({"limit": 1}));
        assert_eq!((query.interval.as_deref(), query.mode.as_deref()), (Some("500"), Some("delta")));
    }

    #[test]
    fn empty_pairs_are_nothing() {
        assert_eq!(params("cpu.getall", "&&limit=1&"), json!({"limit": 1}));
    }

    #[test]
    fn what_nobody_types_is_too_large() {
        assert_eq!(refusal(&"x".repeat(MAX_BYTES + 1)).code, ErrorCode::TooLarge);
    }

    #[test]
    fn another_host_is_unsupported() {
        assert_eq!(refusal("host=db1").code, ErrorCode::Unsupported);
    }
}

//! Parameters of commands: parsed strictly, refused with the name of the parameter and what was expected.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{ApiError, ErrorCode, did_you_mean, nearest, shortened};

/// Parameters of a command. The type refuses unknown fields (`#[serde(deny_unknown_fields)]`).
pub trait Params: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Checks what the types alone cannot: names of fields, filters, ranges.
    fn check(&self) -> Result<(), ApiError> {
        Ok(())
    }
}

/// For commands that take none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

impl Params for NoParams {}

/// Parses the parameters of the named command.
pub fn parse<P: Params>(command: &str, given: Map<String, Value>) -> Result<P, ApiError> {
    if given.contains_key("at") {
        let message = "`at`: this version keeps no history yet, it tells the present; leave the parameter out";
        return Err(ApiError::new(ErrorCode::Unsupported, message));
    }
    let names: Vec<String> = given.keys().cloned().collect();
    let params: P = serde_path_to_error::deserialize(Value::Object(given))
        .map_err(|error| explain::<P>(command, &names, &error))?;
    params.check()?;
    Ok(params)
}

/// Turns serde's complaint into one that names the parameter. Only here is the schema consulted, so that requests
/// without mistakes do not pay for it.
fn explain<P: Params>(
    command: &str,
    given: &[String],
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> ApiError {
    let schema = schema_for!(P).to_value();
    let no_properties = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&no_properties);
    if let Some(name) = given.iter().find(|name| !known.contains_key(*name)) {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let expected = match names.as_slice() {
            [] => "no parameters".to_owned(),
            names => format!("one of {}", names.join(", ")),
        };
        let hint = did_you_mean(&nearest(name, names));
        let name = shortened(name);
        let message = format!("{command}: unknown parameter `{name}`{hint} (expected {expected})");
        return ApiError::bad_param(&name, &expected, message);
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        if !given.iter().any(|given| given == name) {
            let expected = expected(&known[name]);
            let message = format!("{command}: missing parameter `{name}`: {expected}");
            return ApiError::bad_param(name, &expected, message);
        }
    }
    let path = error.path().to_string();
    let name = path.split(['.', '[']).next().unwrap_or_default();
    let complaint = error.inner().to_string();
    let complaint = match (known.get(name), complaint.split_once(", expected ")) {
        // The schema says it in the words of JSON, serde in those of Rust.
        (Some(property), Some((what, _))) if path == name && !property["type"].is_null() => shortened(what),
        _ => shortened(&complaint),
    };
    let expected = known.get(name).map_or_else(String::new, expected);
    let message = format!("{command}: parameter `{path}`: {complaint}; expected {expected}");
    ApiError::bad_param(name, &expected, message)
}

/// What a property's schema asks for, in words: `integer ≥ 0 (Process id.)`.
fn expected(property: &Value) -> String {
    let variants: Vec<String> = [&property["type"], &property["enum"]]
        .into_iter()
        .flat_map(|words| match words {
            Value::String(word) => vec![word.clone()],
            Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        })
        .filter(|word| word != "null")
        .collect();
    let mut text = variants.join(" or ");
    if let Some(minimum) = property["minimum"].as_i64() {
        text.push_str(&format!(" ≥ {minimum}"));
    }
    if let Some(maximum) = property["maximum"].as_i64() {
        text.push_str(&format!(" ≤ {maximum}"));
    }
    match property["description"].as_str() {
        Some(description) if text.is_empty() => description.replace('\n', " "),
        Some(description) => format!("{text} ({})", description.replace('\n', " ")),
        None => text,
    }
}

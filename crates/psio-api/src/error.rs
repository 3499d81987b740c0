//! What psiod says when it cannot do what was asked.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What went wrong, as a word a program can act on. The list is closed within protocol version 1 as far as clients
/// may rely on it: codes are only ever added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The message is not JSON.
    BadJson,
    /// It is JSON, but not a request.
    BadRequest,
    /// There is no command of that name; `details.nearest` lists similar ones.
    UnknownCommand,
    /// A parameter is missing, unknown or of the wrong kind; `details` says which and what was expected.
    BadParams,
    /// What was asked about does not exist (any more).
    NotFound,
    /// The pid now belongs to another process.
    Conflict,
    /// This connection lacks the access level.
    Unauthorized,
    /// The kernel refused.
    Denied,
    /// Not built, or not possible on this machine.
    Unsupported,
    /// The request is larger than HTTP allows it to be.
    TooLarge,
    /// More than a limit allows.
    TooMany,
    /// It should work, but does not at the moment.
    Unavailable,
    /// A mistake of psiod's.
    Internal,
}

/// A refusal: the `data` of a message of type `error`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ApiError {
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong and what was expected, for people.
    pub message: String,
    /// The values the message speaks of, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl ApiError {
    /// An error without details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    /// The same error with details.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// `bad_request`.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    /// `bad_params` about one parameter.
    pub fn bad_param(parameter: &str, expected: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadParams, message).with(json!({"parameter": parameter, "expected": expected}))
    }

    /// `unavailable`.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    /// `not_found` for a pid.
    pub fn no_process(pid: u32) -> Self {
        Self::new(ErrorCode::NotFound, format!("no process {pid}")).with(json!({"pid": pid}))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

/// The names most like `wanted`, best first, at most three: for messages that help whoever mistyped.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted, name), name))
        .filter(|&(score, _)| score > 0.7)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `; did you mean a, b?`, or nothing where nothing is near.
pub fn did_you_mean(nearest: &[&str]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; did you mean {}?", nearest.join(", ")) }
}

/// Enough of a stranger's text to recognise it by in a message.
pub fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        let known = ["process.getall", "process.get", "cpu.getall"];
        assert_eq!(nearest("proces.getall", known).first(), Some(&"process.getall"));
    }

    #[test]
    fn nothing_is_near_to_nonsense() {
        assert!(nearest("zzzz", ["process.getall"]).is_empty());
    }
}

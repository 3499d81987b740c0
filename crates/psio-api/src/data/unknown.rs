//! Why a value is `null`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a value is not known. Sent in an answer's `meta.unknown`, by field name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The kernel refused, or the asker lacks the access level.
    Denied,
    /// This platform or source cannot tell.
    Unsupported,
    /// There is no such thing here (yet): no first reading to measure a rate against, no terminal.
    Absent,
    /// The process ended while it was being read.
    Vanished,
    /// Reading did not finish in time.
    Timeout,
    /// Reading it for so many rows would have cost too much.
    Budget,
    /// The recording does not contain it.
    NotRecorded,
    /// There is no limit where a limit would stand.
    Unlimited,
}

/// Reasons by field name; a field that is known everywhere is not in it.
pub type Unknown = BTreeMap<String, Reason>;

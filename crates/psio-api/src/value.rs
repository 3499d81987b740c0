//! One cell of a row: what `fields`, `sort`, `filter` and `columns` work on, and how it is written.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

use crate::data::process::{CpuTime, ProcessMemory, ProcessStatus};

/// A value borrowed from a row.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Not known.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// Text.
    Text(&'a str),
    /// Several texts.
    Texts(&'a [Arc<str>]),
    /// Two whole numbers, ordered by the first.
    Integers([u64; 2]),
    /// Two numbers, ordered by their sum.
    Numbers([f64; 2]),
}

impl Value<'_> {
    /// The number this value counts as in comparisons; `None` for texts and the unknown.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Self::Integer(number) => Some(number as f64),
            Self::Number(number) => Some(number),
            Self::Integers([first, _]) => Some(first as f64),
            Self::Numbers([a, b]) => Some(a + b),
            Self::Null | Self::Text(_) | Self::Texts(_) => None,
        }
    }

    /// Whether the value is not known.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether both are written the same.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Texts(a), Self::Texts(b)) => std::ptr::eq(*a, *b) || a == b,
            (Self::Integers(a), Self::Integers(b)) => a == b,
            (Self::Numbers(a), Self::Numbers(b)) => a.map(f64::to_bits) == b.map(f64::to_bits),
            _ => false,
        }
    }

    /// Order for sorting: numbers by size, texts without regard to case. The unknown is for the caller to place.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => compare_texts(a, b),
            (Self::Texts(a), Self::Texts(b)) => {
                let mut pairs = a.iter().zip(b.iter());
                let first = pairs.find_map(|(a, b)| Some(compare_texts(a, b)).filter(|order| order.is_ne()));
                first.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => Ordering::Equal,
            },
        }
    }
}

fn compare_texts(a: &str, b: &str) -> Ordering {
    a.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// As the value stands in a key.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            _ => f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Null => serializer.serialize_none(),
            Self::Integer(number) => serializer.serialize_i64(number),
            Self::Number(number) => serializer.serialize_f64(number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Texts(texts) => serializer.collect_seq(texts),
            Self::Integers(ref pair) => serialize_pair(serializer, pair),
            Self::Numbers(ref pair) => serialize_pair(serializer, pair),
        }
    }
}

fn serialize_pair<S: Serializer, T: Serialize>(serializer: S, [first, second]: &[T; 2]) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(2)?;
    tuple.serialize_element(first)?;
    tuple.serialize_element(second)?;
    tuple.end()
}

/// A type that can stand in a row.
pub trait Cell {
    /// Its value.
    fn value(&self) -> Value<'_>;
}

macro_rules! integer_cells {
    ($($integer:ty),*) => {
        $(impl Cell for $integer {
            fn value(&self) -> Value<'_> {
                // Everything psio counts stays below 2^53 (DESIGN), so this holds it.
                Value::Integer(*self as i64)
            }
        })*
    };
}
// A macro, because std has no trait for "an integer that fits an i64 by our own rule".
integer_cells!(u8, i8, u32, i32, u64);

impl Cell for f64 {
    fn value(&self) -> Value<'_> {
        Value::Number(*self)
    }
}

impl Cell for Arc<str> {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Cell for Arc<[Arc<str>]> {
    fn value(&self) -> Value<'_> {
        Value::Texts(self)
    }
}

impl Cell for ProcessStatus {
    fn value(&self) -> Value<'_> {
        Value::Text(self.as_str())
    }
}

impl<T: Cell> Cell for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Cell::value)
    }
}

/// A percentage cut to hundredths: from clock ticks nothing finer is known.
pub fn hundredths(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// `[user, system]` CPU time in seconds. Sorts and filters by the sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CpuSeconds(pub f64, pub f64);

impl CpuSeconds {
    /// From nanoseconds; `None` where user and system time are not told apart.
    pub fn of(time: CpuTime) -> Option<Self> {
        Some(Self(time.user_ns()? as f64 / 1e9, time.system_ns? as f64 / 1e9))
    }
}

impl Cell for CpuSeconds {
    fn value(&self) -> Value<'_> {
        Value::Numbers([self.0, self.1])
    }
}

/// `[rss, vms]` in bytes: resident set size and virtual memory size. Sorts and filters by rss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryBytes(pub u64, pub u64);

impl From<ProcessMemory> for MemoryBytes {
    fn from(memory: ProcessMemory) -> Self {
        Self(memory.rss_bytes, memory.vms_bytes)
    }
}

impl Cell for MemoryBytes {
    fn value(&self) -> Value<'_> {
        Value::Integers([self.0, self.1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_without_regard_to_case() {
        assert_eq!(Value::Text("Zebra").compare(&Value::Text("apple")), Ordering::Greater);
    }

    #[test]
    fn cpu_times_sort_by_their_sum() {
        assert_eq!(Value::Numbers([1.0, 5.0]).compare(&Value::Numbers([3.0, 1.0])), Ordering::Greater);
    }

    #[test]
    fn memory_sorts_by_resident_size() {
        assert_eq!(Value::Integers([1, 900]).compare(&Value::Integers([2, 5])), Ordering::Less);
    }

    #[test]
    fn ticks_become_the_same_seconds_that_psutil_computes() {
        let seconds = CpuSeconds::of(CpuTime::of(8629 * 10_000_000, 8235 * 10_000_000));
        assert_eq!(seconds, Some(CpuSeconds(8629.0 / 100.0, 8235.0 / 100.0)));
    }
}

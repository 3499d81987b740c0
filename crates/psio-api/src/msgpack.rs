//! `MessagePack` beside JSON: the same objects, turned one into the other, so that nothing is described twice.

use std::io::{self, Cursor, Write};

use serde::Deserialize;
use serde_json::Value;

/// Deeper nesting than any request has; beyond it a message is refused.
const MAX_DEPTH: usize = 64;

/// Writes a map's entry.
///
/// # Errors
/// As those of the writer.
pub fn entry(out: &mut impl Write, name: &str, value: &Value) -> io::Result<()> {
    rmp_serde::encode::write(out, name).map_err(io::Error::other)?;
    rmp_serde::encode::write(out, value).map_err(io::Error::other)
}

/// A message as JSON text.
///
/// # Errors
/// What is wrong with the bytes, in words.
pub fn to_json(bytes: &[u8]) -> Result<String, String> {
    let mut cursor = Cursor::new(bytes);
    let mut reader = rmp_serde::Deserializer::new(&mut cursor);
    reader.set_max_depth(MAX_DEPTH);
    let value = Value::deserialize(&mut reader).map_err(|error| error.to_string())?;
    let rest = bytes.len().saturating_sub(cursor.position() as usize);
    if rest > 0 {
        return Err(format!("{rest} bytes follow the first object"));
    }
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn packed(value: &Value) -> Vec<u8> {
        rmp_serde::to_vec(value).unwrap()
    }

    #[test]
    fn what_was_packed_comes_back() {
        let value = json!({"a": [1, -2, 2.5, null, true, "ü"], "b": {"c": u64::MAX, "d": i64::MIN}});
        assert_eq!(to_json(&packed(&value)).unwrap(), value.to_string());
    }

    #[test]
    fn what_is_no_messagepack_is_refused() {
        for bytes in [&b""[..], b"\xc1", b"\x81\xa1a", b"\xdd\xff\xff\xff\xff", b"\x01\x01", b"\xc4\x01x"] {
            assert!(to_json(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn nesting_ten_thousand_deep_is_refused_without_harm() {
        assert!(to_json(&[b"\x91".repeat(10_000), vec![0xc0]].concat()).is_err());
    }
}

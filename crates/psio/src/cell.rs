//! One value as a person reads it on a terminal.

use psiod::text::escape_controls;
use serde_json::{Number, Value};

use crate::columns::Unit;

/// `-` for what is not known, bytes and percentages rounded, lists with spaces between. Texts come from processes and
/// may carry terminal escapes, so nothing of them reaches the terminal as it is.
pub fn text(value: &Value, unit: Unit) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => figure(number, unit),
        Value::String(text) => escape_controls(text).into_owned(),
        Value::Array(values) if !values.iter().any(is_nested) => {
            values.iter().map(|value| text(value, unit)).collect::<Vec<_>>().join(" ")
        }
        Value::Array(_) | Value::Object(_) => escape_controls(&value.to_string()).into_owned(),
    }
}

fn is_nested(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

fn figure(number: &Number, unit: Unit) -> String {
    match (unit, number.as_f64()) {
        (Unit::Bytes, Some(bytes)) => size(bytes),
        (Unit::Percent, Some(percent)) => format!("{percent:.1}"),
        (Unit::Plain, Some(float)) if number.is_f64() => format!("{float:.2}"),
        _ => number.to_string(),
    }
}

/// `12.3M`: multiples of 1024, as in filters.
fn size(bytes: f64) -> String {
    const STEP: f64 = 1024.0;
    // What would be rounded to 1024.0 belongs to the next unit.
    const LIMIT: f64 = STEP - 0.05;
    if bytes.abs() < STEP {
        return format!("{bytes:.0}B");
    }
    let mut amount = bytes / STEP;
    let mut units = "KMGTPE".chars();
    let mut unit = units.next();
    while amount.abs() >= LIMIT
        && let Some(larger) = units.next()
    {
        amount /= STEP;
        unit = Some(larger);
    }
    format!("{amount:.1}{}", unit.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_the_fitting_unit() {
        for (bytes, shown) in [
            (0_u64, "0B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (1_048_524, "1023.9K"),
            (1_048_575, "1.0M"),
            (12_897_485, "12.3M"),
            (1 << 40, "1.0T"),
            (u64::MAX, "16.0E"),
        ] {
            assert_eq!(text(&json!(bytes), Unit::Bytes), shown, "{bytes}");
        }
    }

    #[test]
    fn each_kind_of_value_has_its_text() {
        for (value, unit, shown) in [
            (json!(null), Unit::Bytes, "-"),
            (json!(true), Unit::Plain, "true"),
            (json!(7.26), Unit::Percent, "7.3"),
            (json!(7), Unit::Percent, "7.0"),
            (json!(u64::MAX), Unit::Plain, "18446744073709551615"),
            (json!(86.295912448), Unit::Plain, "86.30"),
            (json!([72105984, 4062593024_u64]), Unit::Bytes, "68.8M 3.8G"),
            (json!(["/bin/sh", "-c", "true"]), Unit::Plain, "/bin/sh -c true"),
            (json!([]), Unit::Plain, ""),
            (json!([{"a": 1}]), Unit::Plain, r#"[{"a":1}]"#),
        ] {
            assert_eq!(text(&value, unit), shown, "{value}");
        }
    }

    #[test]
    fn no_text_reaches_the_terminal_as_it_is() {
        assert_eq!(text(&json!("\u{1b}[31mred\n"), Unit::Plain), r"\u{1b}[31mred\n");
        assert_eq!(text(&json!(["\u{202e}a"]), Unit::Plain), r"\u{202e}a");
        assert_eq!(text(&json!([{"a": "\u{9b}31m"}]), Unit::Plain), r#"[{"a":"\u{9b}31m"}]"#);
    }
}

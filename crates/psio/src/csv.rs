//! Rows and single objects as comma-separated values (RFC 4180).

use std::borrow::Cow;

use psiod::text::escape_controls;
use serde_json::Value;

use crate::columns::Column;

/// One record as its line, quoted where RFC 4180 asks for it.
pub fn record<T: AsRef<[u8]>>(fields: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(fields).expect("invariant: memory takes any record");
    writer.into_inner().expect("invariant: memory can be flushed")
}

/// The names of the columns.
pub fn names(columns: &[Column], on_terminal: bool) -> impl Iterator<Item = String> {
    columns.iter().map(move |column| shown(column.name.clone(), on_terminal))
}

/// The fields of one row. What is not known is empty, lists and what else has no form in CSV are JSON.
pub fn fields(columns: &[Column], row: &Value, on_terminal: bool) -> impl Iterator<Item = String> {
    columns.iter().map(move |column| match column.value(row) {
        Value::Null => String::new(),
        Value::String(text) => shown(text.clone(), on_terminal),
        other => shown(other.to_string(), on_terminal),
    })
}

/// On a terminal, texts must not carry its escapes; a file gets them as they are.
fn shown(text: String, on_terminal: bool) -> String {
    match escape_controls(&text) {
        Cow::Owned(escaped) if on_terminal => escaped,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use psio_api::registry;
    use serde_json::json;

    use super::*;
    use crate::columns::{Described, Pairs};

    fn line(row: &Value, on_terminal: bool) -> String {
        let described = Described::reply(registry::find("process.getall").unwrap());
        let columns = described.columns(Some(row), &[], Pairs::Apart);
        String::from_utf8(record(fields(&columns, row, on_terminal))).unwrap()
    }

    #[test]
    fn only_what_needs_quotes_gets_them() {
        let row = json!({"name": "a", "status": "x,y", "username": "say \"hi\"", "terminal": "two\nlines"});
        assert_eq!(line(&row, false), "a,\"x,y\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n");
    }

    #[test]
    fn numbers_are_as_psiod_wrote_them_and_the_unknown_is_empty() {
        let row = json!({"pid": 7, "cpu_percent": 0.125, "nice": null, "started": u64::MAX, "uid": 0});
        assert_eq!(line(&row, false), "7,0.125,,18446744073709551615,0\r\n");
    }

    #[test]
    fn pairs_are_two_fields_and_lists_are_json() {
        let row = json!({"cpu_times": [1.5, 2.0], "memory_info": null, "cmdline": ["a", "b c"]});
        assert_eq!(line(&row, false), "1.5,2.0,,,\"[\"\"a\"\",\"\"b c\"\"]\"\r\n");
    }

    #[test]
    fn values_are_as_they_are_except_on_a_terminal() {
        let row = json!({"name": "=1+1\u{1b}[31m", "pid": 1});
        assert_eq!(line(&row, false), "=1+1\u{1b}[31m,1\r\n");
        assert_eq!(line(&row, true), "=1+1\\u{1b}[31m,1\r\n");
    }
}

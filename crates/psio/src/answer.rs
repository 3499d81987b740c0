//! What psiod answered, in the form that was asked for.

use anyhow::Context;
use psio_api::command::Command;
use serde_json::{Map, Value};

use crate::columns::{Column, Described, Pairs};
use crate::{csv, table};

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table,
    Json,
    Csv,
}

/// The answers to one command: what is known of them before they come.
pub struct Answers {
    described: Described,
    wanted: Vec<String>,
}

/// An answer, sorted out.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Rows(Vec<Value>),
    Object(Value),
    /// A single value.
    Value(Value),
}

impl Answers {
    /// Of a command with these parameters.
    pub fn of(command: &Command, params: &Map<String, Value>) -> Self {
        let wanted = params.get("fields").and_then(Value::as_array).into_iter().flatten();
        let wanted = wanted.filter_map(Value::as_str).map(str::to_owned).collect();
        Self { described: Described::reply(command), wanted }
    }

    /// Reads the `data` of an answer or an event.
    pub fn read(&self, data: &str) -> anyhow::Result<Answer> {
        let data: Value = serde_json::from_str(data).context("psiod sent what cannot be read")?;
        Ok(match data {
            Value::Array(rows) if rows.iter().all(Value::is_object) => Answer::Rows(rows),
            Value::Object(mut object) if self.described.tells_events() => {
                match object.get_mut("events").map(Value::take) {
                    Some(Value::Array(events)) => Answer::Rows(events),
                    _ => Answer::Rows(Vec::new()),
                }
            }
            Value::Object(object) => match transposed(&object) {
                Some(rows) => Answer::Rows(rows),
                None => Answer::Object(Value::Object(object)),
            },
            other => Answer::Value(other),
        })
    }

    /// Whether each answer tells what has happened since the one before, rather than how things are.
    pub fn tell_events(&self) -> bool {
        self.described.tells_events()
    }

    fn columns(&self, answer: &Answer, pairs: Pairs) -> Vec<Column> {
        let sample = match answer {
            Answer::Rows(rows) => rows.first(),
            Answer::Object(object) => Some(object),
            Answer::Value(_) => None,
        };
        self.described.columns(sample, &self.wanted, pairs)
    }

    /// The lines of a table, or of names and values. Rows are cut to the width.
    pub fn table(&self, answer: &Answer, width: Option<usize>) -> Vec<String> {
        let columns = self.columns(answer, Pairs::Together);
        match answer {
            Answer::Rows(rows) => table::rows(&columns, rows, width),
            Answer::Object(object) => table::object(&columns, object, width),
            Answer::Value(value) => vec![crate::cell::text(value, crate::columns::Unit::Plain)],
        }
    }

    /// The columns that CSV has for answers such as this one.
    pub fn csv_columns(&self, answer: &Answer) -> Vec<Column> {
        self.columns(answer, Pairs::Apart)
    }
}

/// The header of CSV, with `first` before everything else.
pub fn csv_header(first: Option<&str>, columns: &[Column], on_terminal: bool) -> Vec<u8> {
    csv::record(first.map(str::to_owned).into_iter().chain(csv::names(columns, on_terminal)))
}

/// A record of CSV for each row, with `first` before everything else.
pub fn csv_records(first: Option<&str>, columns: &[Column], answer: &Answer, on_terminal: bool) -> Vec<u8> {
    let record = |row| {
        let first = first.map(str::to_owned).into_iter();
        csv::record(first.chain(csv::fields(columns, row, on_terminal)))
    };
    match answer {
        Answer::Rows(rows) => rows.iter().flat_map(record).collect(),
        Answer::Object(row) | Answer::Value(row) => record(row),
    }
}

/// The rows of an answer that came as columns.
fn transposed(object: &Map<String, Value>) -> Option<Vec<Value>> {
    let columns = object.get("columns")?.as_object()?;
    let count = usize::try_from(object.get("rows")?.as_u64()?).ok()?;
    let longest = columns.values().filter_map(Value::as_array).map(Vec::len).max().unwrap_or(0);
    let row = |at: usize| columns.iter().map(|(name, values)| (name.clone(), values[at].clone())).collect();
    (count == longest && columns.values().all(|values| values.as_array().is_some_and(|values| values.len() == count)))
        .then(|| (0..count).map(|at| Value::Object(row(at))).collect())
}

#[cfg(test)]
pub mod tests {
    use psio_api::registry;
    use serde_json::json;

    use super::*;

    /// Answers that tell what has happened to processes, as `{"events":[…]}`.
    pub fn answers_with_events() -> Answers {
        let event = json!({"properties": {"event": {"type": "string"}, "time": {"type": "integer"}}});
        let reply = json!({"properties": {"events": {"type": "array", "items": event}}});
        Answers { described: Described::of(&reply, Map::new()), wanted: Vec::new() }
    }

    fn answers(command: &str, params: &Value) -> Answers {
        Answers::of(registry::find(command).unwrap(), params.as_object().unwrap())
    }

    fn csv(answers: &Answers, data: &Value) -> String {
        let answer = answers.read(&data.to_string()).unwrap();
        let columns = answers.csv_columns(&answer);
        let lines =
            [csv_header(Some("time"), &columns, false), csv_records(Some("5"), &columns, &answer, false)].concat();
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn columns_are_shown_as_the_rows_they_stand_for() {
        let answers = answers("cpu.getall", &json!({}));
        let rows = json!([{"num": 0, "usage": 1.5}, {"num": 1, "usage": null}]);
        let columns = json!({"columns": {"num": [0, 1], "usage": [1.5, null]}, "rows": 2});
        let [rows, columns] = [rows, columns].map(|data| answers.read(&data.to_string()).unwrap());
        assert_eq!(rows, columns);
    }

    #[test]
    fn of_what_tells_events_those_are_the_rows() {
        let answers = answers_with_events();
        let rows = |data: Value| answers.read(&data.to_string()).unwrap();
        let told = json!({"lost": null, "list": [{"pid": 1}], "events": [{"event": "exited", "time": 5}]});
        assert_eq!(rows(told), Answer::Rows(vec![json!({"event": "exited", "time": 5})]));
        assert_eq!(rows(json!({"list": []})), Answer::Rows(Vec::new()));
    }

    #[test]
    fn an_object_is_one_record_with_dotted_names() {
        let answers = answers("memory.getall", &json!({}));
        let data = json!({"virtual": {"total": 5, "free": null}, "swap": {"percent": 0.5}});
        assert_eq!(csv(&answers, &data), "time,virtual.total,virtual.free,swap.percent\r\n5,5,,0.5\r\n");
    }

    #[test]
    fn csv_of_no_rows_has_the_header_that_rows_would_have() {
        let answers = answers("process.getall", &json!({"fields": ["name", "cpu_times"]}));
        assert_eq!(csv(&answers, &json!([])), "time,name,cpu_times.0,cpu_times.1\r\n");
        let row = json!([{"name": "a", "cpu_times": null}]);
        assert_eq!(csv(&answers, &row), "time,name,cpu_times.0,cpu_times.1\r\n5,a,,\r\n");
    }

    #[test]
    fn what_is_no_object_is_shown_too() {
        let answers = answers("cpu.getall", &json!({}));
        let answer = answers.read("\"\\u001b[2J\"").unwrap();
        assert_eq!(answers.table(&answer, None), [r"\u{1b}[2J"]);
        assert!(answers.read("{").is_err());
    }
}

//! The columns of an answer: which there are, and what the schema of the answer says about each.

use psio_api::command::Command;
use psio_api::schema::Describer;
use serde_json::{Map, Value};

use crate::parameter::{resolved, types};

/// What a number counts, as far as it changes how a person reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Percent,
    /// Anything else.
    Plain,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name, with the names of the objects it stands in: `virtual.free`.
    pub name: String,
    /// What its numbers count.
    pub unit: Unit,
    /// Whether it holds numbers, which stand on the right.
    pub numeric: bool,
    path: Vec<String>,
}

impl Column {
    /// Its value in a row.
    pub fn value<'a>(&self, row: &'a Value) -> &'a Value {
        self.path.iter().fold(row, |value, step| match value {
            Value::Array(values) => step.parse().ok().and_then(|at: usize| values.get(at)).unwrap_or(&Value::Null),
            _ => value.get(step).unwrap_or(&Value::Null),
        })
    }
}

/// What becomes of values of a fixed number of parts, such as `[user, system]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// One column.
    Together,
    /// A column for each part: `cpu_times.0`, `cpu_times.1`.
    Apart,
}

/// The schema of the rows, or of the one object, that a command answers with.
pub struct Described {
    row: Value,
    definitions: Map<String, Value>,
    tells_events: bool,
}

impl Described {
    /// What the registry says of the answers to this command.
    pub fn reply(command: &Command) -> Self {
        let mut describer = Describer::new();
        let reply = describer.reply(command);
        let definitions = describer.definitions();
        Self::of(&reply, definitions)
    }

    /// What this schema says, which may refer to `definitions`.
    pub fn of(reply: &Value, definitions: Map<String, Value>) -> Self {
        let reply = resolved(reply, &definitions);
        let events = resolved(&reply["properties"]["events"], &definitions);
        let tells_events = events["type"] == "array";
        let row = if reply["type"] == "array" { &reply["items"] } else { reply };
        let row = if tells_events { &events["items"] } else { row };
        let row = resolved(row, &definitions).clone();
        Self { row, definitions, tells_events }
    }

    /// Whether the answers are objects whose `events` tell what has happened: those are the rows.
    pub fn tells_events(&self) -> bool {
        self.tells_events
    }

    /// Its fields with their documentation.
    pub fn fields(&self) -> impl Iterator<Item = (&str, String)> {
        let fields = self.row["properties"].as_object().into_iter().flatten();
        fields
            .map(|(name, field)| (name.as_str(), field["description"].as_str().unwrap_or_default().replace('\n', " ")))
    }

    /// The columns for rows such as `sample`. A psiod newer than this psio may send fields the schema does not have;
    /// without a row to look at, the columns are those of `wanted`, or all that the schema has.
    pub fn columns(&self, sample: Option<&Value>, wanted: &[String], pairs: Pairs) -> Vec<Column> {
        let names: Vec<&str> = match sample {
            Some(Value::Object(row)) => row.keys().map(String::as_str).collect(),
            _ if !wanted.is_empty() => wanted.iter().map(String::as_str).collect(),
            _ => self.fields().map(|(name, _)| name).collect(),
        };
        let mut columns = Vec::new();
        for name in names {
            let value = sample.map_or(&Value::Null, |row| &row[name]);
            self.add(&mut columns, vec![name.to_owned()], &self.row["properties"][name], &self.row, value, pairs);
        }
        columns
    }

    /// Adds the columns of one field: several where it holds an object.
    fn add(
        &self,
        columns: &mut Vec<Column>,
        path: Vec<String>,
        field: &Value,
        around: &Value,
        value: &Value,
        pairs: Pairs,
    ) {
        let schema = resolved(field, &self.definitions);
        let below = |step: &str| [path.as_slice(), &[step.to_owned()]].concat();
        let names: Vec<&String> = match (schema["properties"].as_object(), value.as_object()) {
            (_, Some(object)) => object.keys().collect(),
            (Some(properties), None) => properties.keys().collect(),
            (None, None) => Vec::new(),
        };
        for name in &names {
            let inner = &schema["properties"][name.as_str()];
            // What the object says goes for all that is in it: `Swap, in bytes but for percent`.
            self.add(columns, below(name), inner, schema, &value[name.as_str()], pairs);
        }
        let parts = schema["prefixItems"].as_array().map_or(&[][..], Vec::as_slice);
        if pairs == Pairs::Apart {
            for (at, part) in parts.iter().enumerate() {
                self.add(columns, below(&at.to_string()), part, schema, &value[at], pairs);
            }
        }
        if names.is_empty() && (parts.is_empty() || pairs == Pairs::Together) {
            let numeric = is_numeric(schema, &self.definitions) || holds_numbers(value);
            let unit = unit(&path, field, schema, around, numeric);
            columns.push(Column { name: path.join("."), unit, numeric, path });
        }
    }
}

fn unit(path: &[String], field: &Value, schema: &Value, around: &Value, numeric: bool) -> Unit {
    let own = [says(field), says(schema)].concat();
    if !numeric {
        Unit::Plain
    } else if path.last().is_some_and(|name| name.ends_with("percent")) || own.iter().any(|word| word == "percent") {
        Unit::Percent
    } else if own.iter().chain(&says(around)).any(|word| word == "bytes") {
        Unit::Bytes
    } else {
        Unit::Plain
    }
}

/// The words of a schema's documentation.
fn says(schema: &Value) -> Vec<String> {
    let text = schema["description"].as_str().unwrap_or_default().to_lowercase();
    text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
}

fn is_numeric(schema: &Value, definitions: &Map<String, Value>) -> bool {
    match types(schema).as_slice() {
        ["integer" | "number"] => true,
        ["array"] => {
            let items = resolved(&schema["items"], definitions);
            let first = resolved(&schema["prefixItems"][0], definitions);
            [items, first].iter().any(|item| matches!(types(item).as_slice(), ["integer" | "number"]))
        }
        _ => false,
    }
}

fn holds_numbers(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Array(values) => !values.is_empty() && values.iter().all(Value::is_number),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use psio_api::registry;
    use serde_json::json;

    use super::*;

    fn of(command: &str) -> Described {
        Described::reply(registry::find(command).unwrap())
    }

    fn units(command: &str, pairs: Pairs) -> Vec<(String, Unit)> {
        of(command).columns(None, &[], pairs).into_iter().map(|column| (column.name, column.unit)).collect()
    }

    fn unit_of(command: &str, name: &str) -> Unit {
        units(command, Pairs::Together).into_iter().find(|(column, _)| column == name).unwrap().1
    }

    #[test]
    fn units_follow_from_what_the_schema_says() {
        for (command, name, unit) in [
            ("process.getall", "memory_info", Unit::Bytes),
            ("process.getall", "memory_percent", Unit::Percent),
            ("process.getall", "cpu_percent", Unit::Percent),
            ("process.getall", "cpu_times", Unit::Plain),
            ("process.getall", "name", Unit::Plain),
            ("process.getall", "pid", Unit::Plain),
            ("cpu.getall", "usage", Unit::Percent),
            ("cpu.getall", "num", Unit::Plain),
            ("memory.getall", "virtual.total", Unit::Bytes),
            ("memory.getall", "virtual.percent", Unit::Percent),
            ("memory.getall", "swap.sin", Unit::Bytes),
            ("daemon.getstats", "rss", Unit::Bytes),
            ("daemon.getstats", "descriptors", Unit::Plain),
            ("daemon.getstats", "sweep.last_us", Unit::Plain),
        ] {
            assert_eq!(unit_of(command, name), unit, "{command} {name}");
        }
    }

    #[test]
    fn pairs_can_be_taken_apart() {
        let names: Vec<_> = units("process.getall", Pairs::Apart).into_iter().map(|(name, _)| name).collect();
        assert!(names.ends_with(&["cmdline".to_owned()]));
        assert!(names.iter().any(|name| name == "memory_info.1") && !names.iter().any(|name| name == "memory_info"));
        let bytes = units("process.getall", Pairs::Apart).into_iter().filter(|(_, unit)| *unit == Unit::Bytes);
        assert_eq!(bytes.map(|(name, _)| name).collect::<Vec<_>>(), ["memory_info.0", "memory_info.1"]);
    }

    #[test]
    fn the_columns_are_those_of_the_rows_that_came_known_or_not() {
        let row = json!({"newer": {"a": 1, "b": "x"}, "memory_info": null, "pid": 1});
        let columns = of("process.getall").columns(Some(&row), &[], Pairs::Apart);
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["newer.a", "newer.b", "memory_info.0", "memory_info.1", "pid"]);
        let values: Vec<_> = columns.iter().map(|column| column.value(&row).clone()).collect();
        assert_eq!(values, [json!(1), json!("x"), json!(null), json!(null), json!(1)]);
        assert_eq!(columns.iter().map(|column| column.numeric).collect::<Vec<_>>(), [true, false, true, true, true]);
    }

    #[test]
    fn what_tells_events_has_them_as_its_rows() {
        let definitions = json!({"Event": {"properties": {"pid": {"type": "integer"}}}});
        let reply = json!({"properties": {"events": {"type": "array", "items": {"$ref": "#/$defs/Event"}}}});
        let described = Described::of(&reply, definitions.as_object().unwrap().clone());
        assert!(described.tells_events());
        assert_eq!(described.columns(None, &[], Pairs::Apart)[0].name, "pid");
        assert!(!of("process.getall").tells_events() && !of("memory.getall").tells_events());
    }

    #[test]
    fn without_rows_the_columns_are_those_asked_for() {
        let wanted = ["name".to_owned(), "pid".to_owned()];
        let columns = of("process.getall").columns(None, &wanted, Pairs::Together);
        assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["name", "pid"]);
    }
}

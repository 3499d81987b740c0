//! One parameter of a command as an option of the command line: its kind, its help and its value all follow from the
//! parameter's JSON Schema.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value};

/// What a parameter takes, as far as a shell can tell the kinds apart.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// A switch; `--name=false` turns it off.
    Boolean,
    Integer {
        minimum: Option<i64>,
        maximum: Option<i64>,
    },
    Number,
    /// Anything goes.
    Text,
    /// One of these words, each with what it means.
    Word(Vec<(String, Option<String>)>),
    /// Values of one kind, divided by commas.
    List(Box<Kind>),
    /// Whatever else: JSON, or the text itself where that is none, such as a time of day.
    Other,
}

/// A parameter of a command.
pub struct Parameter {
    name: String,
    help: String,
    required: bool,
    kind: Kind,
}

impl Parameter {
    /// The parameters in the schema of a command's parameters; `definitions` holds what it refers to.
    pub fn all(schema: &Value, definitions: &Map<String, Value>) -> Vec<Self> {
        let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
        let properties = schema["properties"].as_object().into_iter().flatten();
        let parameter = |(name, property): (&String, &Value)| Self {
            name: name.clone(),
            help: property["description"].as_str().unwrap_or_default().replace('\n', " "),
            required: required(name),
            kind: kind(property, definitions),
        };
        properties.map(parameter).collect()
    }

    /// The option of the command line.
    pub fn option(&self) -> Arg {
        let option = Arg::new(self.name.clone()).long(self.name.clone()).required(self.required);
        let option = option.value_name(self.kind.placeholder()).help(self.help());
        let kind = self.kind.clone();
        match &self.kind {
            Kind::Boolean => option.num_args(0..=1).require_equals(true).default_missing_value("true"),
            Kind::Integer { .. } | Kind::Number => option.allow_negative_numbers(true),
            Kind::Text | Kind::Other => option.allow_hyphen_values(true),
            Kind::Word(_) => option,
            Kind::List(_) => option.allow_hyphen_values(true).value_delimiter(',').action(ArgAction::Append),
        }
        .value_parser(ValueParser::new(move |text: &str| kind.one(text)))
    }

    fn help(&self) -> String {
        let words = match &self.kind {
            Kind::Word(words) => words.iter().map(word_help).collect::<Vec<_>>().join("; "),
            Kind::List(_) => "divide several by commas".to_owned(),
            _ => return self.help.clone(),
        };
        format!("{} [{words}]", self.help)
    }

    /// What was given for it.
    pub fn given(&self, matches: &ArgMatches) -> Option<Value> {
        let mut values = matches.get_many::<Value>(&self.name)?.cloned();
        match self.kind {
            Kind::List(_) => Some(Value::Array(values.collect())),
            _ => values.next(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn word_help((word, meaning): &(String, Option<String>)) -> String {
    meaning.as_ref().map_or(word.clone(), |meaning| format!("{word}: {}", meaning.trim_end_matches('.')))
}

impl Kind {
    fn placeholder(&self) -> String {
        match self {
            Self::Boolean => "true|false".to_owned(),
            Self::Integer { .. } => "INTEGER".to_owned(),
            Self::Number => "NUMBER".to_owned(),
            Self::Text => "TEXT".to_owned(),
            Self::Word(words) => words.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join("|"),
            Self::List(kind) => format!("{},…", kind.placeholder()),
            Self::Other => "JSON".to_owned(),
        }
    }

    /// The JSON value of one text.
    fn one(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Boolean => text.parse().map(Value::Bool).map_err(|_| "expected true or false".to_owned()),
            Self::Integer { minimum, maximum } => integer(text, *minimum, *maximum),
            Self::Number => match text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => Ok(Value::Number(number)),
                None => Err("expected a number".to_owned()),
            },
            Self::Text => Ok(text.into()),
            Self::Word(words) if words.iter().any(|(word, _)| word == text) => Ok(text.into()),
            Self::Word(_) => Err(format!("expected {}", self.placeholder().replace('|', " or "))),
            Self::List(kind) => kind.one(text),
            Self::Other => Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
        }
    }
}

fn integer(text: &str, minimum: Option<i64>, maximum: Option<i64>) -> Result<Value, String> {
    let lowest = minimum.map_or_else(String::new, |minimum| format!(" ≥ {minimum}"));
    let highest = maximum.map_or_else(String::new, |maximum| format!(" ≤ {maximum}"));
    let fits = |number: i128| {
        minimum.is_none_or(|minimum| number >= minimum.into()) && maximum.is_none_or(|maximum| number <= maximum.into())
    };
    let number = text.parse::<i128>().ok().filter(|&number| fits(number));
    let number = number.and_then(serde_json::Number::from_i128);
    number.map(Value::Number).ok_or_else(|| format!("expected an integer{lowest}{highest}"))
}

fn kind(property: &Value, definitions: &Map<String, Value>) -> Kind {
    let property = resolved(property, definitions);
    if let Some(words) = words(property) {
        return Kind::Word(words);
    }
    match types(property).as_slice() {
        ["boolean"] => Kind::Boolean,
        ["integer"] => Kind::Integer { minimum: property["minimum"].as_i64(), maximum: property["maximum"].as_i64() },
        ["number"] => Kind::Number,
        ["string"] => Kind::Text,
        ["array"] => match kind(&property["items"], definitions) {
            // A list in a list has no notation of its own here.
            Kind::List(_) | Kind::Other => Kind::Other,
            kind => Kind::List(Box::new(kind)),
        },
        _ => Kind::Other,
    }
}

/// The schema behind a reference, or behind "this or null".
pub fn resolved<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        return definitions.get(name).map_or(schema, |schema| resolved(schema, definitions));
    }
    let mut choices = schema["anyOf"].as_array().into_iter().flatten().filter(|choice| choice["type"] != "null");
    match (choices.next(), choices.next()) {
        (Some(only), None) => resolved(only, definitions),
        _ => schema,
    }
}

/// The types a schema names, `null` left out.
pub fn types(schema: &Value) -> Vec<&str> {
    let named = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    named.into_iter().filter(|&name| name != "null").collect()
}

fn words(schema: &Value) -> Option<Vec<(String, Option<String>)>> {
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).map(|word| (word.to_owned(), None)).collect());
    }
    let described = |choice: &Value| {
        let meaning = choice["description"].as_str().map(|meaning| meaning.replace('\n', " "));
        Some((choice["const"].as_str()?.to_owned(), meaning))
    };
    schema["oneOf"].as_array()?.iter().map(described).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parameters() -> Vec<Parameter> {
        let definitions = json!({"Unit": {"oneOf": [{"const": "ms", "description": "Milliseconds."}, {"const": "s"}]}});
        let schema = json!({
            "properties": {
                "pid": {"type": "integer", "minimum": 0, "maximum": 9},
                "share": {"type": ["number", "null"]},
                "wait": {"type": "boolean"},
                "name": {"type": ["string", "null"]},
                "unit": {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}]},
                "level": {"enum": ["low", "high"]},
                "fields": {"type": ["array", "null"], "items": {"type": "string"}},
                "pids": {"type": "array", "items": {"type": "integer"}},
                "at": {"description": "A time."},
            },
            "required": ["pid"],
        });
        Parameter::all(&schema, definitions.as_object().unwrap())
    }

    fn given(arguments: &[&str]) -> Result<Value, String> {
        let parameters = parameters();
        let command = parameters.iter().fold(clap::Command::new("x"), |command, p| command.arg(p.option()));
        let arguments = ["x"].iter().chain(arguments);
        let matches = command.try_get_matches_from(arguments).map_err(|error| error.to_string())?;
        let pairs = parameters.iter().filter_map(|p| Some((p.name().to_owned(), p.given(&matches)?)));
        Ok(Value::Object(pairs.collect()))
    }

    #[test]
    fn each_kind_becomes_its_json() {
        let pid = ["--pid", "4"];
        let cases: [(&[&str], Value); 12] = [
            (&[], json!({"pid": 4})),
            (&["--share", "-0.5"], json!({"pid": 4, "share": -0.5})),
            (&["--wait"], json!({"pid": 4, "wait": true})),
            (&["--wait=false"], json!({"pid": 4, "wait": false})),
            (&["--name", "-x y"], json!({"pid": 4, "name": "-x y"})),
            (&["--name=12"], json!({"pid": 4, "name": "12"})),
            (&["--unit", "ms"], json!({"pid": 4, "unit": "ms"})),
            (&["--level", "high"], json!({"pid": 4, "level": "high"})),
            (&["--fields", "a,b", "--fields", "c"], json!({"pid": 4, "fields": ["a", "b", "c"]})),
            (&["--pids", "1,2"], json!({"pid": 4, "pids": [1, 2]})),
            (&["--at", "-15m"], json!({"pid": 4, "at": "-15m"})),
            (&["--at", "1763816400123"], json!({"pid": 4, "at": 1_763_816_400_123_i64})),
        ];
        for (arguments, expected) in cases {
            assert_eq!(given(&[arguments, &pid].concat()).unwrap(), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_was_expected() {
        let cases: [(&[&str], &[&str]); 7] = [
            (&[], &["--pid <INTEGER>", "required"]),
            (&["--pid", "x"], &["'x'", "--pid", "expected an integer ≥ 0 ≤ 9"]),
            (&["--pid", "-1"], &["'-1'", "expected an integer ≥ 0"]),
            (&["--pid", "10"], &["≤ 9"]),
            (&["--pid", "1", "--share", "nan"], &["'nan'", "expected a number"]),
            (&["--pid", "1", "--unit", "h"], &["'h'", "expected ms or s"]),
            (&["--pid", "1", "--wait=maybe"], &["'maybe'", "expected true or false"]),
        ];
        for (arguments, told) in cases {
            let error = given(arguments).unwrap_err();
            assert!(told.iter().all(|told| error.contains(told)), "{error}");
        }
    }

    #[test]
    fn the_words_of_an_option_are_in_its_help() {
        let unit = parameters().into_iter().find(|p| p.name() == "unit").unwrap();
        assert!(unit.help().ends_with("[ms: Milliseconds; s]"), "{}", unit.help());
    }
}

//! The filter language, one for every face.
//!
#![doc = include_str!("filter.md")]

use crate::data::access::Viewer;
use crate::error::{ApiError, did_you_mean, nearest};
use crate::rows::{Field, Row, field};
use crate::value::Value;

/// The language, for people: the reference prints it.
pub const GRAMMAR: &str = include_str!("filter.md");

/// A parsed filter for rows of one kind.
#[derive(Debug)]
pub struct Filter<R: 'static> {
    terms: Vec<Term<R>>,
}

#[derive(Debug)]
struct Term<R: 'static> {
    negated: bool,
    test: Test<R>,
}

#[derive(Debug)]
enum Test<R: 'static> {
    Search(String),
    Compare { field: &'static Field<R>, operator: Operator, operand: Operand },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Contains,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Debug)]
struct Operand {
    text: String,
    number: Option<f64>,
    null: bool,
}

// Longer spellings first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=", Operator::Equal),
    ("~", Operator::Contains),
    (">", Operator::Greater),
    ("<", Operator::Less),
];

/// Every term is tried on every row.
const MAX_TERMS: usize = 32;

const EXPECTED: &str = "terms such as `firefox`, `cpu_percent>5`, `username=root`, `!name~kworker`";

impl<R: Row> Filter<R> {
    /// Parses a filter; `viewer` may not compare what it may not see.
    pub fn parse(text: &str, viewer: Viewer) -> Result<Self, ApiError> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if terms.len() == MAX_TERMS {
                return Err(refusal(&format!("more than {MAX_TERMS} terms")));
            }
            let (term, after) = Term::parse(rest, viewer)?;
            terms.push(term);
            rest = after.trim_start();
        }
        Ok(Self { terms })
    }

    /// Whether the row passes.
    pub fn passes(&self, row: &R) -> bool {
        self.terms.iter().all(|term| term.holds(row))
    }
}

impl<R: Row> Term<R> {
    fn parse(text: &str, viewer: Viewer) -> Result<(Self, &str), ApiError> {
        let (negated, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (left, rest) = word(text)?;
        let operator = OPERATORS.iter().find_map(|&(sign, operator)| Some((operator, rest.strip_prefix(sign)?)));
        let Some((operator, rest)) = operator else {
            if left.is_empty() {
                return Err(refusal("expected a word after `!`"));
            }
            return Ok((Self { negated, test: Test::Search(left) }, rest));
        };
        let field = field::<R>(&left).filter(|field| viewer.may(field.access)).ok_or_else(|| {
            let hint = did_you_mean(&nearest(&left, R::FIELDS.iter().map(|field| field.name)));
            refusal(&format!("no field `{left}` to compare{hint}"))
        })?;
        let (text, rest) = word(rest)?;
        let operand = Operand { number: number(&text), null: text == "null", text };
        let ordering = !matches!(operator, Operator::Equal | Operator::NotEqual | Operator::Contains);
        if ordering && operand.number.is_none() {
            return Err(refusal(&format!("`{left}` is compared with `{}`, which is not a number", operand.text)));
        }
        Ok((Self { negated, test: Test::Compare { field, operator, operand } }, rest))
    }

    fn holds(&self, row: &R) -> bool {
        let holds = match &self.test {
            Test::Search(needle) => R::SEARCHED
                .iter()
                .any(|&name| field::<R>(name).is_some_and(|field| contains((field.value)(row), needle))),
            Test::Compare { field, operator, operand } => operand.compare(*operator, (field.value)(row)),
        };
        holds != self.negated
    }
}

impl Operand {
    fn compare(&self, operator: Operator, value: Value<'_>) -> bool {
        if self.null && !matches!(value, Value::Text(_)) {
            return match operator {
                Operator::Equal => value.is_null(),
                Operator::NotEqual => !value.is_null(),
                _ => false,
            };
        }
        if value.is_null() {
            return false;
        }
        let ordered = |holds: fn(&f64, &f64) -> bool| match (value.number(), self.number) {
            (Some(value), Some(operand)) => holds(&value, &operand),
            _ => false,
        };
        match operator {
            Operator::Equal => self.equals(value),
            Operator::NotEqual => !self.equals(value),
            Operator::Contains => contains(value, &self.text),
            Operator::Greater => ordered(f64::gt),
            Operator::GreaterOrEqual => ordered(f64::ge),
            Operator::Less => ordered(f64::lt),
            Operator::LessOrEqual => ordered(f64::le),
        }
    }

    fn equals(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => text.eq_ignore_ascii_case(&self.text),
            Value::Texts(texts) => texts.join(" ").eq_ignore_ascii_case(&self.text),
            _ => value.number().is_some_and(|number| Some(number) == self.number),
        }
    }
}

/// Whether the value, written as text, contains the needle.
fn contains(value: Value<'_>, needle: &str) -> bool {
    match value {
        Value::Text(text) => text_contains(text, needle),
        Value::Texts(texts) if needle.contains(' ') => text_contains(&texts.join(" "), needle),
        Value::Texts(texts) => texts.iter().any(|text| text_contains(text, needle)),
        Value::Integer(number) => number.to_string().contains(needle),
        Value::Null | Value::Number(_) | Value::Integers(_) | Value::Numbers(_) => false,
    }
}

fn text_contains(text: &str, needle: &str) -> bool {
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    needle.is_empty() || text.windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle))
}

/// A number with an optional binary unit: `5`, `1.5g`, `200M`.
fn number(text: &str) -> Option<f64> {
    let shift = match text.chars().next_back()?.to_ascii_lowercase() {
        'k' => 10,
        'm' => 20,
        'g' => 30,
        't' => 40,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { &text[..text.len() - 1] };
    let number: f64 = digits.parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(number * (1_u64 << shift) as f64)
}

/// The word the text begins with, and what follows it: up to a space or operator, or between quotes.
fn word(text: &str) -> Result<(String, &str), ApiError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let is_end = |(at, c): (usize, char)| {
            c.is_whitespace() || matches!(c, '=' | '~' | '<' | '>') || text[at..].starts_with("!=")
        };
        let end = text.char_indices().find(|&at| is_end(at)).map_or(text.len(), |(at, _)| at);
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut word = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((word, &quoted[at + 1..])),
            '\\' => word.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => word.push(c),
        }
    }
    Err(refusal("a quote is opened but not closed"))
}

fn refusal(what: &str) -> ApiError {
    ApiError::bad_param("filter", EXPECTED, format!("filter: {what}; expected {EXPECTED}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::process_getall::ProcessRow;
    use crate::example_machine;

    fn pids(filter: &str) -> Vec<u32> {
        let filter = Filter::<ProcessRow>::parse(filter, Viewer::STRANGER).unwrap();
        let view = example_machine::view();
        let rows = crate::commands::process_getall::rows(&view).unwrap();
        rows.into_iter().filter(|row| filter.passes(row)).map(|row| row.pid).collect()
    }

    fn message(filter: &str) -> String {
        Filter::<ProcessRow>::parse(filter, Viewer::STRANGER).unwrap_err().message
    }

    #[test]
    fn an_empty_filter_passes_everything() {
        assert_eq!(pids("  ").len(), example_machine::PROCESS_COUNT);
    }

    #[test]
    fn a_word_is_searched_in_name_user_command_line_and_pid() {
        assert_eq!(pids("FIREFOX"), [1893]);
        assert_eq!(pids("--worker"), [2210]);
        assert_eq!(pids("1893"), [1893]);
        assert!(pids("marcus").contains(&1893));
    }

    #[test]
    fn every_term_must_hold() {
        assert_eq!(pids("marcus firefox"), [1893]);
        assert!(pids("root firefox").is_empty());
    }

    #[test]
    fn numbers_compare_with_units() {
        assert_eq!(pids("memory_info>500M"), [1893]);
        assert_eq!(pids("cpu_percent>=50"), [2210]);
    }

    #[test]
    fn a_negated_term_removes_rows() {
        assert!(!pids("!username=root").contains(&1));
        assert!(pids("!username=root").contains(&1893));
    }

    #[test]
    fn quotes_make_operators_literal() {
        assert_eq!(pids("\"data=/srv\""), [2210]);
    }

    #[test]
    fn null_asks_for_the_unknown() {
        assert!(pids("terminal=null").contains(&1));
        assert_eq!(pids("terminal!=null"), [2034]);
    }

    #[test]
    fn an_unknown_value_passes_no_comparison() {
        assert!(!pids("terminal!=/dev/pts/9").contains(&1));
    }

    #[test]
    fn an_unknown_field_is_named_with_its_nearest() {
        assert!(message("cpu_procent>5").contains("no field `cpu_procent`"));
        assert!(message("cpu_procent>5").contains("cpu_percent"));
    }

    #[test]
    fn comparing_a_number_with_a_word_is_refused() {
        assert!(message("cpu_percent>much").contains("`much`, which is not a number"));
    }

    #[test]
    fn more_terms_than_anybody_types_are_refused() {
        assert!(message(&"a ".repeat(33)).contains("more than 32 terms"));
        assert!(pids(&"init ".repeat(32)).contains(&1));
    }

    #[test]
    fn an_open_quote_is_refused() {
        assert!(message("\"abc").contains("opened but not closed"));
    }

    #[test]
    fn filters_of_odd_bytes_are_refused_or_parsed_but_never_panic() {
        for text in ["!", "!!", "=", "~~", "\"\\", "é=ü", "!=", "a!=", "\u{202e}>1", "name=\"\"", "k", "cpu_percent>k"]
        {
            let _ = Filter::<ProcessRow>::parse(text, Viewer::STRANGER);
        }
    }
}

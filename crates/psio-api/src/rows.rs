//! What every command that lists shares: rows with a declared key, and the choosing of fields, order and number.

use std::marker::PhantomData;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::data::access::{Access, Viewer};
use crate::data::unknown::{Reason, Unknown};
use crate::delta::{Listed, Listing};
use crate::error::{ApiError, ErrorCode, did_you_mean, nearest, shortened};
use crate::filter::Filter;
use crate::params::Params;
use crate::reply::{Rendered, Reply};
use crate::table::{Columns, Table};
use crate::value::Value;

/// One row of a list. Declared with [`row!`](crate::row).
pub trait Row: Clone + Serialize + JsonSchema + Send + Sync + Sized + 'static {
    /// Its fields, in the order they are written.
    const FIELDS: &'static [Field<Self>];
    /// The fields that together tell one row from another.
    const KEY: &'static [&'static str];
    /// The fields a bare word of a filter is searched in.
    const SEARCHED: &'static [&'static str];
}

/// One field of a row.
#[derive(Debug)]
pub struct Field<R> {
    /// Its name on the wire.
    pub name: &'static str,
    /// Who may see it.
    pub access: Access,
    /// Its value.
    pub value: fn(&R) -> Value<'_>,
}

/// The field of that name.
pub fn field<R: Row>(name: &str) -> Option<&'static Field<R>> {
    R::FIELDS.iter().find(|field| field.name == name)
}

/// Declares a row: the struct, its schema and its table of fields from one list. A macro, because the table must name
/// exactly the fields of the struct, in its order, and Rust cannot list the fields of a struct otherwise.
///
/// A field that needs more than [`Access::Read`] says so: `pub exe: Option<Arc<str>> => Inspect,`.
#[macro_export]
macro_rules! row {
    (
        $(#[$meta:meta])*
        pub struct $Row:ident, key [$($key:ident),+], searched [$($searched:ident),*] {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty $(=> $access:ident)?,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
        pub struct $Row {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl $crate::rows::Row for $Row {
            const FIELDS: &'static [$crate::rows::Field<Self>] = &[$($crate::rows::Field {
                name: stringify!($field),
                access: $crate::row!(@access $($access)?),
                value: |row| $crate::value::Cell::value(&row.$field),
            },)+];
            const KEY: &'static [&'static str] = &[$(stringify!($key)),+];
            const SEARCHED: &'static [&'static str] = &[$(stringify!($searched)),*];
        }
    };
    (@access) => { $crate::data::access::Access::Read };
    (@access $access:ident) => { $crate::data::access::Access::$access };
}

/// Rows that a command found, before the asker's choice among them.
#[derive(Clone, Debug)]
pub struct Rows<R> {
    rows: Vec<R>,
    unknown: Unknown,
}

impl<R> Rows<R> {
    /// Rows, and why fields of some of them are not known.
    pub fn new(rows: Vec<R>, unknown: Unknown) -> Self {
        Self { rows, unknown }
    }
}

impl<R> FromIterator<R> for Rows<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        Self::new(rows.into_iter().collect(), Unknown::new())
    }
}

/// Parameters of a command that lists.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct ListParams<R> {
    /// The fields wanted, in this order; all when absent.
    pub fields: Option<Vec<String>>,
    /// The field to order by, `-` before it for the largest first. Unknown values come last either way.
    pub sort: Option<String>,
    /// Which rows: words to search for and comparisons, such as `cpu_percent>5 username=root`.
    pub filter: Option<String>,
    /// At most this many rows; `meta.total` still counts all that passed the filter.
    pub limit: Option<u32>,
    /// Rows to skip first.
    pub offset: Option<u32>,
    /// How the rows are written.
    pub format: Option<Format>,
    #[serde(skip)]
    #[schemars(skip)]
    row: PhantomData<fn() -> R>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// An array with an object for each row.
    #[default]
    Rows,
    /// `{"columns": {field: [value of each row]}, "rows": how many}`: smaller, and faster to parse.
    Columns,
}

impl<R> Default for ListParams<R> {
    fn default() -> Self {
        Self { fields: None, sort: None, filter: None, limit: None, offset: None, format: None, row: PhantomData }
    }
}

impl<R: Row> Params for ListParams<R> {
    fn check(&self) -> Result<(), ApiError> {
        // Whoever may see everything gets the widest check; what this asker may not see is refused when rendering.
        self.resolve(Viewer { access: Access::Control, uid: None }).map(drop)
    }
}

/// List parameters with their names looked up.
struct Choice<R: Row> {
    fields: Vec<&'static Field<R>>,
    sort: Option<(&'static Field<R>, bool)>,
    filter: Filter<R>,
}

impl<R: Row> ListParams<R> {
    fn resolve(&self, viewer: Viewer) -> Result<Choice<R>, ApiError> {
        let fields = match &self.fields {
            None => R::FIELDS.iter().collect(),
            Some(names) => chosen_fields(names)?,
        };
        let sort = self.sort.as_deref().map(|sort| sort_order(sort, viewer)).transpose()?;
        let filter = Filter::parse(self.filter.as_deref().unwrap_or_default(), viewer)?;
        Ok(Choice { fields, sort, filter })
    }
}

impl<R: Row> Choice<R> {
    /// The rows that are shown, in order, and how many there are before `limit` and `offset`.
    fn rows<'a>(&self, all: &'a [R], params: &ListParams<R>) -> (Vec<&'a R>, usize) {
        let mut rows: Vec<&R> = all.iter().filter(|row| self.filter.passes(row)).collect();
        let total = rows.len();
        if let Some((field, descending)) = self.sort {
            sort(&mut rows, field, descending);
        }
        rows.drain(..params.offset.map_or(0, |offset| offset as usize).min(total));
        rows.truncate(params.limit.map_or(usize::MAX, |limit| limit as usize));
        (rows, total)
    }

    /// Of what is not known, that which concerns the fields shown to this viewer.
    fn unknown(&self, mut unknown: Unknown, viewer: Viewer) -> Unknown {
        unknown.retain(|name, _| self.fields.iter().any(|field| field.name == name));
        for hidden in self.fields.iter().filter(|field| !viewer.may(field.access)) {
            unknown.insert(hidden.name.to_owned(), Reason::Denied);
        }
        unknown
    }
}

fn chosen_fields<R: Row>(names: &[String]) -> Result<Vec<&'static Field<R>>, ApiError> {
    let mut fields: Vec<&'static Field<R>> = Vec::new();
    for name in names {
        let field = known_field("fields", name)?;
        // An answer must not grow with how often a short request repeats itself.
        if fields.iter().any(|chosen| chosen.name == field.name) {
            return Err(ApiError::bad_param("fields", "each field once", format!("fields: `{name}` is named twice")));
        }
        fields.push(field);
    }
    Ok(fields)
}

fn known_field<R: Row>(parameter: &str, name: &str) -> Result<&'static Field<R>, ApiError> {
    field::<R>(name).ok_or_else(|| {
        let names: Vec<_> = R::FIELDS.iter().map(|field| field.name).collect();
        let hint = did_you_mean(&nearest(name, names.iter().copied()));
        let expected = format!("a field: {}", names.join(", "));
        ApiError::bad_param(parameter, &expected, format!("{parameter}: no field `{}`{hint}", shortened(name)))
    })
}

fn sort_order<R: Row>(sort: &str, viewer: Viewer) -> Result<(&'static Field<R>, bool), ApiError> {
    let (name, descending) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
    let field = known_field("sort", name)?;
    if !viewer.may(field.access) {
        // The order of the rows would tell what the field itself may not.
        let message = format!("sort: `{name}` needs the scope {:?}", field.access).to_lowercase();
        return Err(ApiError::new(ErrorCode::Unauthorized, message));
    }
    Ok((field, descending))
}

impl<R: Row> Reply<ListParams<R>> for Rows<R> {
    const KEY: Option<&'static [&'static str]> = Some(R::KEY);

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let row = generator.subschema_for::<R>();
        json_schema!({"type": "array", "items": row})
    }

    fn render(self, params: &ListParams<R>, viewer: Viewer) -> Result<Rendered, ApiError> {
        let choice = params.resolve(viewer)?;
        let (shown, total) = choice.rows(&self.rows, params);
        let table = Table { rows: &shown, fields: &choice.fields, viewer };
        let json = match params.format.unwrap_or_default() {
            Format::Rows => serde_json::to_vec(&table),
            Format::Columns => serde_json::to_vec(&Columns(&table)),
        };
        let json = json.expect("invariant: rows hold nothing that JSON cannot");
        Ok(Rendered { json, total: Some(total), unknown: choice.unknown(self.unknown, viewer) })
    }

    fn listing(self, params: &ListParams<R>, viewer: Viewer) -> Result<Option<Arc<dyn Listing>>, ApiError> {
        if params.format == Some(Format::Columns) {
            let message = "format: columns have no rows to tell changes of; leave it out with the mode \"delta\"";
            return Err(ApiError::bad_param("format", "\"rows\" with the mode \"delta\"", message));
        }
        let choice = params.resolve(viewer)?;
        let (shown, total) = choice.rows(&self.rows, params);
        let rows = shown.into_iter().cloned().collect();
        let unknown = choice.unknown(self.unknown, viewer);
        Ok(Some(Arc::new(Listed::new(rows, choice.fields, viewer, total, unknown))))
    }
}

fn sort<R>(rows: &mut [&R], field: &Field<R>, descending: bool) {
    rows.sort_by(|a, b| {
        let (a, b) = ((field.value)(a), (field.value)(b));
        let order = a.is_null().cmp(&b.is_null());
        let by_value = if descending { b.compare(&a) } else { a.compare(&b) };
        order.then(by_value)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::access::Access;
    use serde_json::json;
    use std::sync::Arc;

    crate::row! {
        /// A made-up row with something to hide.
        pub struct Part, key [num], searched [name] {
            /// Number.
            pub num: u32,
            /// Name.
            pub name: Arc<str>,
            /// Size.
            pub size: Option<f64>,
            /// Guarded.
            pub secret: Option<f64> => Inspect,
        }
    }

    const INSPECTOR: Viewer = Viewer { access: Access::Inspect, uid: None };

    fn parts() -> Rows<Part> {
        let part = |num, name: &str, size| Part { num, name: name.into(), size, secret: Some(7.0) };
        [part(0, "bolt", Some(2.5)), part(1, "Axle", None), part(2, "cog", Some(9.0))].into_iter().collect()
    }

    fn chosen(params: serde_json::Value, viewer: Viewer) -> Result<serde_json::Value, ApiError> {
        let serde_json::Value::Object(params) = params else { panic!("an object") };
        let params = crate::params::parse::<ListParams<Part>>("part.getall", params)?;
        let rendered = parts().render(&params, viewer)?;
        Ok(serde_json::from_slice(&rendered.json).unwrap())
    }

    fn nums(params: serde_json::Value) -> Vec<u64> {
        let rows = chosen(params, INSPECTOR).unwrap();
        rows.as_array().unwrap().iter().map(|row| row["num"].as_u64().unwrap()).collect()
    }

    fn message(params: serde_json::Value) -> String {
        chosen(params, INSPECTOR).unwrap_err().message
    }

    #[test]
    fn without_choices_the_rows_are_what_serde_writes() {
        let whole = serde_json::to_value(parts().rows).unwrap();
        assert_eq!(chosen(json!({}), INSPECTOR).unwrap(), whole);
    }

    #[test]
    fn every_process_row_is_what_serde_writes() {
        let view = crate::example_machine::view();
        let rows = crate::commands::process_getall::rows(&view).unwrap();
        let whole = serde_json::to_value(&rows).unwrap();
        let params = crate::params::parse("process.getall", serde_json::Map::new()).unwrap();
        let rendered = Rows::from_iter(rows).render(&params, INSPECTOR).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&rendered.json).unwrap(), whole);
    }

    #[test]
    fn fields_come_in_the_order_asked_for() {
        let rows = chosen(json!({"fields": ["name", "num"], "limit": 1}), INSPECTOR).unwrap();
        assert_eq!(rows.to_string(), r#"[{"name":"bolt","num":0}]"#);
    }

    #[test]
    fn sorting_puts_the_unknown_last_either_way() {
        assert_eq!(nums(json!({"sort": "size"})), [0, 2, 1]);
        assert_eq!(nums(json!({"sort": "-size"})), [2, 0, 1]);
    }

    #[test]
    fn texts_sort_without_regard_to_case() {
        assert_eq!(nums(json!({"sort": "name"})), [1, 0, 2]);
    }

    #[test]
    fn offset_and_limit_cut_after_sorting_and_total_counts_before() {
        assert_eq!(nums(json!({"sort": "-num", "offset": 1, "limit": 1})), [1]);
        let params =
            crate::params::parse::<ListParams<Part>>("x", serde_json::Map::from_iter([("limit".to_owned(), json!(1))]));
        assert_eq!(parts().render(&params.unwrap(), INSPECTOR).unwrap().total, Some(3));
    }

    #[test]
    fn an_offset_beyond_the_end_gives_no_rows() {
        assert!(nums(json!({"offset": 4_000_000_000_u32, "limit": 4_000_000_000_u32})).is_empty());
    }

    #[test]
    fn columns_hold_the_same_values() {
        let columns = chosen(json!({"format": "columns", "fields": ["num", "size"]}), INSPECTOR).unwrap();
        assert_eq!(columns, json!({"columns": {"num": [0, 1, 2], "size": [2.5, null, 9.0]}, "rows": 3}));
    }

    #[test]
    fn a_field_that_does_not_exist_is_named_with_its_nearest() {
        assert_eq!(message(json!({"fields": ["nane"]})), "fields: no field `nane`; did you mean name?");
        assert!(message(json!({"sort": "-sise"})).contains("did you mean size?"));
    }

    #[test]
    fn a_field_named_twice_is_refused() {
        assert_eq!(message(json!({"fields": ["num", "name", "num"]})), "fields: `num` is named twice");
    }

    #[test]
    fn a_parameter_of_the_wrong_kind_is_named_with_what_was_expected() {
        let message = message(json!({"limit": "ten"}));
        assert!(message.contains("`limit`") && message.contains("expected integer ≥ 0"), "{message}");
    }

    #[test]
    fn an_unknown_parameter_is_named_with_its_nearest() {
        assert!(message(json!({"limt": 3})).contains("unknown parameter `limt`; did you mean limit?"));
    }

    #[test]
    fn a_guarded_field_is_null_for_strangers_and_says_why() {
        let rendered = parts().render(&ListParams::default(), Viewer::STRANGER).unwrap();
        assert!(!String::from_utf8(rendered.json).unwrap().contains('7'));
        assert_eq!(rendered.unknown["secret"], Reason::Denied);
    }

    #[test]
    fn strangers_cannot_learn_a_guarded_field_from_order_or_filter() {
        let sorted = chosen(json!({"sort": "secret"}), Viewer::STRANGER).unwrap_err();
        assert_eq!(sorted.code, ErrorCode::Unauthorized);
        assert!(chosen(json!({"filter": "secret>6"}), Viewer::STRANGER).is_err());
        assert!(chosen(json!({"filter": "secret>6", "sort": "secret"}), INSPECTOR).is_ok());
    }
}

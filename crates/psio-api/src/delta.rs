//! Lists told by their changes: what one tick of a subscription lists, and how it differs from an earlier one.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::Write;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::data::access::Viewer;
use crate::data::unknown::Unknown;
use crate::reply::Rendered;
use crate::rows::{Field, Row, field};
use crate::table::{RowCells, cell};

/// What a command lists at one instant.
pub trait Listing: Send + Sync {
    /// All of it: `{"reset":{key:row,…},"order":[key,…]}`.
    fn reset(&self) -> Rendered;

    /// What makes `before`, a listing of the same command with the same parameters, into this one:
    /// `{"set":{key:{field:value}},"add":{key:row},"remove":[key],"order":[key,…]}`. What is empty is left out, `order`
    /// where the sequence of keys is the same.
    fn changes(&self, before: &dyn Listing) -> Rendered;

    /// For looking behind the trait.
    fn as_any(&self) -> &dyn Any;
}

/// The rows that somebody chose, kept for comparison.
pub struct Listed<R: Row> {
    rows: Vec<R>,
    /// Of each row, its key: the fields that tell it from others, whether they are shown or not.
    keys: Vec<Box<str>>,
    fields: Vec<&'static Field<R>>,
    viewer: Viewer,
    total: usize,
    unknown: Unknown,
}

impl<R: Row> Listed<R> {
    /// These rows, in this order, of which `fields` are shown to `viewer`.
    pub fn new(rows: Vec<R>, fields: Vec<&'static Field<R>>, viewer: Viewer, total: usize, unknown: Unknown) -> Self {
        let named = |name: &&str| field::<R>(name).expect("invariant: the key of a row is made of its fields");
        let key_fields: Vec<_> = R::KEY.iter().map(named).collect();
        let keys = rows.iter().map(|row| key(row, &key_fields)).collect();
        Self { rows, keys, fields, viewer, total, unknown }
    }

    fn render(&self, data: &impl Serialize) -> Rendered {
        let json = serde_json::to_vec(data).expect("invariant: rows hold nothing that JSON cannot");
        Rendered { json, total: Some(self.total), unknown: self.unknown.clone() }
    }

    fn cells(&self, at: usize) -> RowCells<'_, R> {
        RowCells { row: &self.rows[at], fields: &self.fields, viewer: self.viewer }
    }

    fn diff<'a>(&'a self, before: &'a Self) -> Changes<'a, R> {
        let mut changes = Changes { set: Vec::new(), add: Vec::new(), remove: Vec::new(), order: None, now: self };
        if self.keys == before.keys {
            changes.set = (0..self.rows.len()).filter_map(|at| self.changed(at, before, at)).collect();
            return changes;
        }
        changes.order = Some(&self.keys);
        let mut gone: HashMap<&str, usize> = before.keys.iter().enumerate().map(|(at, key)| (&**key, at)).collect();
        for (at, key) in self.keys.iter().enumerate() {
            match gone.remove(&**key) {
                Some(earlier) => changes.set.extend(self.changed(at, before, earlier)),
                None => changes.add.push(at),
            }
        }
        // In the order they stood in, so that the same two lists always give the same bytes.
        changes.remove = before.keys.iter().map(|key| &**key).filter(|key| gone.contains_key(key)).collect();
        changes
    }

    fn changed<'a>(&'a self, at: usize, before: &Self, earlier: usize) -> Option<ChangedRow<'a, R>> {
        let differs = |field: &&&'static Field<R>| {
            let now = cell(&self.rows[at], field, self.viewer);
            !now.is_same(&cell(&before.rows[earlier], field, before.viewer))
        };
        let fields: Vec<_> = self.fields.iter().filter(differs).copied().collect();
        (!fields.is_empty()).then_some(ChangedRow { at, fields, now: self })
    }
}

impl<R: Row> Listing for Listed<R> {
    fn reset(&self) -> Rendered {
        self.render(&Reset(self))
    }

    fn changes(&self, before: &dyn Listing) -> Rendered {
        let before = before.as_any().downcast_ref().expect("invariant: listings of one command are of one type");
        self.render(&self.diff(before))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn key<R>(row: &R, fields: &[&Field<R>]) -> Box<str> {
    let mut key = String::new();
    for field in fields {
        let separator = if key.is_empty() { "" } else { ":" };
        write!(key, "{separator}{}", (field.value)(row)).expect("invariant: a string takes every character");
    }
    key.into()
}

struct Reset<'a, R: Row>(&'a Listed<R>);

impl<R: Row> Serialize for Reset<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("reset", &RowsByKey { now: self.0, rows: 0..self.0.rows.len() })?;
        map.serialize_entry("order", &self.0.keys)?;
        map.end()
    }
}

/// Whole rows under their keys.
struct RowsByKey<'a, R: Row, I> {
    now: &'a Listed<R>,
    rows: I,
}

impl<R: Row, I: Iterator<Item = usize> + Clone> Serialize for RowsByKey<'_, R, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.rows.clone().map(|at| (&self.now.keys[at], self.now.cells(at))))
    }
}

struct Changes<'a, R: Row> {
    set: Vec<ChangedRow<'a, R>>,
    add: Vec<usize>,
    remove: Vec<&'a str>,
    order: Option<&'a [Box<str>]>,
    now: &'a Listed<R>,
}

struct ChangedRow<'a, R: Row> {
    at: usize,
    fields: Vec<&'static Field<R>>,
    now: &'a Listed<R>,
}

impl<R: Row> Serialize for Changes<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Set<'a, R: Row>(&'a [ChangedRow<'a, R>]);
        impl<R: Row> Serialize for Set<'_, R> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|changed| {
                    let Listed { rows, viewer, keys, .. } = changed.now;
                    let cells = RowCells { row: &rows[changed.at], fields: &changed.fields, viewer: *viewer };
                    (&keys[changed.at], cells)
                }))
            }
        }
        let mut map = serializer.serialize_map(None)?;
        if !self.set.is_empty() {
            map.serialize_entry("set", &Set(&self.set))?;
        }
        if !self.add.is_empty() {
            map.serialize_entry("add", &RowsByKey { now: self.now, rows: self.add.iter().copied() })?;
        }
        if !self.remove.is_empty() {
            map.serialize_entry("remove", &self.remove)?;
        }
        if let Some(order) = self.order {
            map.serialize_entry("order", order)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::params;
    use crate::reply::Reply;
    use crate::rows::{ListParams, Rows};

    crate::row! {
        /// A made-up row.
        pub struct Part, key [num, name], searched [] {
            /// Number.
            pub num: u32,
            /// Name.
            pub name: Arc<str>,
            /// Size.
            pub size: Option<f64>,
            /// Guarded.
            pub secret: u32 => Inspect,
        }
    }

    fn part(num: u32, name: &str, size: Option<f64>) -> Part {
        Part { num, name: name.into(), size, secret: (size.unwrap_or_default() * 10.0) as u32 }
    }

    fn listing(rows: &[Part], params: Value) -> Arc<dyn Listing> {
        let Value::Object(params) = params else { panic!("an object") };
        let params = params::parse::<ListParams<Part>>("part.getall", params).unwrap();
        Rows::from_iter(rows.to_vec()).listing(&params, Viewer::STRANGER).unwrap().unwrap()
    }

    fn json(rendered: &Rendered) -> Value {
        serde_json::from_slice(&rendered.json).unwrap()
    }

    fn changes(before: &[Part], now: &[Part], params: &Value) -> Value {
        json(&listing(now, params.clone()).changes(&*listing(before, params.clone())))
    }

    #[test]
    fn a_reset_has_every_row_under_its_key_in_order() {
        let parts = [part(2, "b", None), part(1, "a", Some(1.5))];
        let reset = json(&listing(&parts, json!({"fields": ["size"]})).reset());
        assert_eq!(reset, json!({"reset": {"2:b": {"size": null}, "1:a": {"size": 1.5}}, "order": ["2:b", "1:a"]}));
    }

    #[test]
    fn only_what_changed_is_told_and_null_is_a_value() {
        let before = [part(1, "a", Some(1.0)), part(2, "b", Some(2.0)), part(3, "c", Some(3.0))];
        let now = [part(1, "a", Some(1.0)), part(2, "b", None), part(3, "c", Some(3.5))];
        let told = json!({"set": {"2:b": {"size": null}, "3:c": {"size": 3.5}}});
        assert_eq!(changes(&before, &now, &json!({})), told);
    }

    #[test]
    fn nothing_changed_is_an_empty_object() {
        let parts = [part(1, "a", Some(f64::MIN_POSITIVE))];
        assert_eq!(changes(&parts, &parts, &json!({})), json!({}));
    }

    #[test]
    fn a_change_of_what_is_not_shown_is_not_told() {
        let (before, now) = ([part(1, "a", Some(1.0))], [part(1, "a", Some(2.0))]);
        assert_eq!(changes(&before, &now, &json!({"fields": ["num"]})), json!({}));
        // `secret` changed too, and the viewer may not see it.
        assert_eq!(changes(&before, &now, &json!({"fields": ["secret"]})), json!({}));
    }

    #[test]
    fn rows_come_and_go() {
        let (before, now) = ([part(1, "a", None), part(2, "b", None)], [part(2, "b", None), part(3, "c", Some(1.0))]);
        let told = changes(&before, &now, &json!({"fields": ["num", "size"]}));
        assert_eq!(told, json!({"add": {"3:c": {"num": 3, "size": 1.0}}, "remove": ["1:a"], "order": ["2:b", "3:c"]}));
    }

    #[test]
    fn a_new_order_is_told_by_itself() {
        let (before, now) = ([part(1, "a", None), part(2, "b", None)], [part(2, "b", None), part(1, "a", None)]);
        assert_eq!(changes(&before, &now, &json!({})), json!({"order": ["2:b", "1:a"]}));
    }

    #[test]
    fn columns_cannot_be_told_by_their_changes() {
        let params = json!({"format": "columns"});
        let Value::Object(params) = params else { panic!("an object") };
        let params = params::parse::<ListParams<Part>>("part.getall", params).unwrap();
        let refused = Rows::<Part>::from_iter([]).listing(&params, Viewer::STRANGER).err().unwrap();
        assert!(refused.message.contains("columns"), "{refused}");
    }

    /// Applies what was told, as a client does.
    fn apply(rows: &mut Vec<(String, Value)>, told: &Value) {
        let empty = serde_json::Map::new();
        let object = |name: &str| told[name].as_object().unwrap_or(&empty).clone();
        rows.retain(|(key, _)| !told["remove"].as_array().is_some_and(|gone| gone.iter().any(|gone| gone == key)));
        rows.extend(object("add"));
        for (key, fields) in object("set") {
            let (_, row) = rows.iter_mut().find(|(of, _)| *of == key).expect("only what is listed changes");
            row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        }
        if let Some(order) = told["order"].as_array() {
            rows.sort_by_key(|(key, _)| order.iter().position(|of| of == key).expect("every row has its place"));
        }
    }

    #[test]
    fn changes_applied_one_after_the_other_give_what_a_reset_gives() {
        // A small generator of our own: the lists must be the same in every run.
        let mut seed = 1_u32;
        let mut random = move |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        for params in [json!({}), json!({"sort": "-size", "limit": 7}), json!({"fields": ["size"], "filter": "size>2"})]
        {
            let mut before = listing(&[], params.clone());
            let mut rows = Vec::new();
            for _ in 0..300 {
                let parts: Vec<Part> = (0..20)
                    .filter_map(|num| {
                        let size = (random(5) > 0).then_some(f64::from(random(9)));
                        (random(4) > 0).then(|| part(num, "x", size))
                    })
                    .collect();
                let now = listing(&parts, params.clone());
                apply(&mut rows, &json(&now.changes(&*before)));
                let reset = json(&now.reset());
                let order: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
                assert_eq!(json!(order), reset["order"]);
                assert_eq!(Value::Object(rows.iter().cloned().collect()), reset["reset"]);
                before = now;
            }
        }
    }
}

//! How the rows that somebody chose are written: as objects, or as columns.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::data::access::Viewer;
use crate::rows::Field;
use crate::value::Value;

/// The chosen rows and fields, as rows.
pub struct Table<'a, R: 'static> {
    /// The rows, in order.
    pub rows: &'a [&'a R],
    /// The fields of each, in order.
    pub fields: &'a [&'static Field<R>],
    /// Whom they are written for.
    pub viewer: Viewer,
}

/// What this viewer is shown of a field of a row.
pub fn cell<'row, R>(row: &'row R, field: &Field<R>, viewer: Viewer) -> Value<'row> {
    if viewer.may(field.access) { (field.value)(row) } else { Value::Null }
}

impl<R> Serialize for Table<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.rows.len()))?;
        for row in self.rows {
            list.serialize_element(&RowCells { row: *row, fields: self.fields, viewer: self.viewer })?;
        }
        list.end()
    }
}

/// The chosen fields of one row, as an object.
pub struct RowCells<'a, R: 'static> {
    /// The row.
    pub row: &'a R,
    /// Its fields, in order.
    pub fields: &'a [&'static Field<R>],
    /// Whom it is written for.
    pub viewer: Viewer,
}

impl<R> Serialize for RowCells<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for field in self.fields {
            map.serialize_entry(field.name, &cell(self.row, field, self.viewer))?;
        }
        map.end()
    }
}

/// The chosen rows and fields, as columns.
pub struct Columns<'a, R: 'static>(pub &'a Table<'a, R>);

impl<R> Serialize for Columns<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Column<'a, R: 'static>(&'a Table<'a, R>, &'static Field<R>);
        impl<R> Serialize for Column<'_, R> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.rows.iter().map(|row| cell(*row, self.1, self.0.viewer)))
            }
        }
        struct ByField<'a, R: 'static>(&'a Table<'a, R>);
        impl<R> Serialize for ByField<'_, R> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.fields.iter().map(|field| (field.name, Column(self.0, field))))
            }
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("columns", &ByField(self.0))?;
        map.serialize_entry("rows", &self.0.rows.len())?;
        map.end()
    }
}

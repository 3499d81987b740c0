//! What a read command answers with, and how that becomes bytes.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::data::access::Viewer;
use crate::data::unknown::{Reason, Unknown};
use crate::delta::Listing;
use crate::error::ApiError;

/// An answer as bytes, with what its `meta` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The `data`, as JSON.
    pub json: Vec<u8>,
    /// Rows before `limit` and `offset`, for commands that list.
    pub total: Option<usize>,
    /// Why fields are `null`.
    pub unknown: Unknown,
}

impl Rendered {
    /// One object of which there is nothing else to say.
    pub fn of(object: &impl Serialize) -> Self {
        let json = serde_json::to_vec(object).expect("invariant: replies hold nothing that JSON cannot");
        Self { json, total: None, unknown: Unknown::new() }
    }
}

/// A reply to parameters `P`: [`One`] or [`Rows`](crate::rows::Rows).
pub trait Reply<P> {
    /// For commands that list: the fields that tell one row from another.
    const KEY: Option<&'static [&'static str]>;

    /// The schema of the `data`.
    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// The reply as bytes, for this viewer.
    fn render(self, params: &P, viewer: Viewer) -> Result<Rendered, ApiError>;

    /// The reply as what changes are told from; `None` for replies that are no list, which are always told whole.
    fn listing(self, _params: &P, _viewer: Viewer) -> Result<Option<Arc<dyn Listing>>, ApiError>
    where
        Self: Sized,
    {
        Ok(None)
    }
}

/// A reply that is one object.
#[derive(Clone, Debug, PartialEq)]
pub struct One<T> {
    /// The object.
    pub value: T,
    /// Why fields of it are not known.
    pub unknown: Unknown,
}

impl<T> From<T> for One<T> {
    fn from(value: T) -> Self {
        Self { value, unknown: Unknown::new() }
    }
}

impl<P, T: Serialize + JsonSchema> Reply<P> for One<T> {
    const KEY: Option<&'static [&'static str]> = None;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }

    fn render(self, _: &P, _: Viewer) -> Result<Rendered, ApiError> {
        Ok(Rendered { unknown: self.unknown, ..Rendered::of(&self.value) })
    }
}

/// The same reason for every field of an object that is null.
pub fn nulls_of(object: &impl Serialize, reason: Reason) -> Unknown {
    let object = serde_json::to_value(object).expect("invariant: replies hold nothing that JSON cannot");
    let fields = object.as_object().into_iter().flatten();
    fields.filter(|(_, value)| value.is_null()).map(|(name, _)| (name.clone(), reason)).collect()
}

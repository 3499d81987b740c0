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
        let json = serde_json::to_vec(&self.value).expect("invariant: replies hold nothing that JSON cannot");
        Ok(Rendered { json, total: None, unknown: self.unknown })
    }
}

/// The same reason for every field of an object that is null.
pub fn nulls_of(object: &impl Serialize, reason: Reason) -> Unknown {
    let object = serde_json::to_value(object).expect("invariant: replies hold nothing that JSON cannot");
    let fields = object.as_object().into_iter().flatten();
    fields.filter(|(_, value)| value.is_null()).map(|(name, _)| (name.clone(), reason)).collect()
}

//! The JSON Schema of the whole protocol, from the registry.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::PROTOCOL_VERSION;
use crate::error::ApiError;
use crate::registry;

/// A generator that describes values as they are sent.
pub fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

/// One document: `commands` holds parameters and reply of each command, `$defs` what they refer to.
pub fn document() -> Value {
    let mut generator = generator();
    let mut commands = Map::new();
    for command in registry::COMMANDS {
        let entry = json!({
            "description": command.doc(),
            "kind": command.kind,
            "access": command.access,
            "key": command.key,
            "params": (command.params_schema)(&mut generator),
            "reply": (command.reply_schema)(&mut generator),
        });
        commands.insert(command.name.to_owned(), entry);
    }
    let error = generator.subschema_for::<ApiError>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "psio",
        "protocol": PROTOCOL_VERSION,
        "error": error,
        "commands": commands,
        "$defs": generator.take_definitions(true),
    })
}

//! The JSON Schema of the whole protocol, from the registry.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::PROTOCOL_VERSION;
use crate::command::Command;
use crate::error::ApiError;
use crate::registry;

/// Describes commands one after the other and gathers what their schemas refer to. What is sent and what is read are
/// described differently: an optional parameter may be left out, an unknown value is always written, as `null`.
#[derive(Debug)]
pub struct Describer {
    params: SchemaGenerator,
    replies: SchemaGenerator,
}

impl Describer {
    /// One that has described nothing yet.
    pub fn new() -> Self {
        let settings = SchemaSettings::draft2020_12;
        Self {
            params: settings().for_deserialize().into_generator(),
            replies: settings().for_serialize().into_generator(),
        }
    }

    /// Schema of a command's parameters.
    pub fn params(&mut self, command: &Command) -> Value {
        (command.params_schema)(&mut self.params).to_value()
    }

    /// Schema of the `data` of a command's answer.
    pub fn reply(&mut self, command: &Command) -> Value {
        (command.reply_schema)(&mut self.replies).to_value()
    }

    /// Schema of something else that is sent.
    pub fn sent<T: JsonSchema>(&mut self) -> Value {
        self.replies.subschema_for::<T>().to_value()
    }

    /// What the schemas refer to as `#/$defs/NAME`.
    pub fn definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.params.take_definitions(true);
        definitions.extend(self.replies.take_definitions(true));
        definitions.sort_keys();
        definitions
    }
}

impl Default for Describer {
    fn default() -> Self {
        Self::new()
    }
}

/// One document: `commands` holds parameters and reply of each command, `$defs` what they refer to.
pub fn document() -> Value {
    let mut describer = Describer::new();
    let mut commands = Map::new();
    for command in registry::COMMANDS {
        let entry = json!({
            "description": command.doc(),
            "kind": command.kind,
            "access": command.access,
            "key": command.key,
            "params": describer.params(command),
            "reply": describer.reply(command),
        });
        commands.insert(command.name.to_owned(), entry);
    }
    let error = describer.sent::<ApiError>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "psio",
        "protocol": PROTOCOL_VERSION,
        "error": error,
        "commands": commands,
        "$defs": describer.definitions(),
    })
}

//! `daemon.describe`: what can be asked.

use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::PROTOCOL_VERSION;
use crate::command::{Command, Example, Kind, Read};
use crate::data::access::Access;
use crate::data::topics::Topics;
use crate::data::view::View;
use crate::error::ApiError;
use crate::params::NoParams;
use crate::registry;
use crate::reply::One;
use crate::schema::Describer;

/// Every command with its schema, access, documentation and examples; the version of the protocol and its features.
/// Source: psiod itself.
#[derive(JsonSchema)]
pub struct DaemonDescribe;

/// What this psiod can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Description {
    /// Version of the wire protocol.
    pub protocol: u32,
    /// Version of psiod.
    pub version: String,
    /// What of the protocol is built: names of its parts.
    pub features: Vec<&'static str>,
    /// The commands, ordered by name.
    pub commands: Vec<CommandDescription>,
    /// Schemas that the commands' schemas refer to as `#/$defs/NAME`.
    #[serde(rename = "$defs")]
    pub definitions: Value,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CommandDescription {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// Who may ask.
    pub access: Access,
    /// Its documentation.
    pub doc: String,
    /// For commands that list: the fields that tell one row from another.
    pub key: Option<Vec<&'static str>>,
    /// JSON Schema of its parameters.
    pub params: Value,
    /// JSON Schema of the `data` of its answer; of an event, where the kind is `watch`.
    pub reply: Value,
    /// Requests that work on any machine.
    pub examples: Vec<Example>,
}

/// What of the protocol this version has.
const FEATURES: [&str; 9] =
    ["fields", "sort", "filter", "limit", "offset", "columns", "subscribe", "delta", "psio.v1.msgpack"];

impl Read for DaemonDescribe {
    const NAME: &'static str = "daemon.describe";
    type Params = NoParams;
    type Reply = One<&'static Description>;

    fn needs(_: &Self::Params) -> Topics {
        Topics::NONE
    }

    fn run(_: &View, _: &Self::Params) -> Result<Self::Reply, ApiError> {
        static DESCRIPTION: OnceLock<Description> = OnceLock::new();
        Ok(One::from(DESCRIPTION.get_or_init(describe)))
    }

    fn examples() -> Vec<Example> {
        vec![Example::new("Everything that can be asked", json!({}))]
    }
}

fn describe() -> Description {
    let mut describer = Describer::new();
    let commands = registry::COMMANDS.iter().map(|command| describe_command(command, &mut describer)).collect();
    Description {
        protocol: PROTOCOL_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        features: FEATURES.to_vec(),
        commands,
        definitions: Value::Object(describer.definitions()),
    }
}

fn describe_command(command: &Command, describer: &mut Describer) -> CommandDescription {
    CommandDescription {
        name: command.name,
        kind: command.kind,
        access: command.access,
        doc: command.doc(),
        key: command.key.map(<[_]>::to_vec),
        params: describer.params(command),
        reply: describer.reply(command),
        examples: (command.examples)(),
    }
}

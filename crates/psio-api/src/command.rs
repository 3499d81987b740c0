//! The five kinds of command, and the form in which the registry holds them.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, schema_for};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::data::access::{Access, Viewer};
use crate::data::process::ProcessId;
use crate::data::snapshot::Snapshot;
use crate::data::topics::Topics;
use crate::data::view::View;
use crate::delta::Listing;
use crate::error::ApiError;
use crate::params::{self, Params};
use crate::reply::{One, Rendered, Reply};

/// What a command does, which decides what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Tells something: a pure function of a view.
    Read,
    /// Changes something on the machine.
    Action,
    /// Changes something about the connection it arrives on.
    Session,
    /// Tells something of the past that no single view holds.
    History,
    /// Tells what happens, as it happens: to be subscribed to, not asked for.
    Watch,
}

/// A command that tells something. Its doc comment is its page in the reference.
pub trait Read: JsonSchema + 'static {
    /// `topic.verb`.
    const NAME: &'static str;
    /// Who may ask.
    const ACCESS: Access = Access::Read;
    /// What it takes.
    type Params: Params;
    /// What it answers with.
    type Reply: Reply<Self::Params>;

    /// The topics it reads.
    fn needs(params: &Self::Params) -> Topics;

    /// The processes whose dear fields it needs.
    fn select(_view: &View, _params: &Self::Params) -> Vec<ProcessId> {
        Vec::new()
    }

    /// The answer.
    fn run(view: &View, params: &Self::Params) -> Result<Self::Reply, ApiError>;

    /// Requests that work on any machine; run as tests and printed in the reference.
    fn examples() -> Vec<Example>;
}

/// A command that changes something on the machine.
pub trait Action: JsonSchema + 'static {
    /// `topic.verb`.
    const NAME: &'static str;
    /// Who may ask.
    const ACCESS: Access = Access::Control;
    /// What it takes.
    type Params: Params;
    /// What it answers with.
    type Reply: Reply<Self::Params>;

    /// Does it.
    fn run(control: &dyn Control, params: &Self::Params) -> Result<Self::Reply, ApiError>;

    /// Requests for the reference.
    fn examples() -> Vec<Example>;
}

/// A command that changes something about its own connection.
pub trait Session: JsonSchema + 'static {
    /// `topic.verb`.
    const NAME: &'static str;
    /// What it takes.
    type Params: Params;
    /// What it answers with.
    type Reply: Reply<Self::Params>;

    /// Does it.
    fn run(connection: &mut dyn Connection, params: &Self::Params) -> Result<Self::Reply, ApiError>;

    /// Requests for the reference.
    fn examples() -> Vec<Example>;
}

/// A command that tells something of the past that no single view holds.
pub trait History: JsonSchema + 'static {
    /// `topic.verb`.
    const NAME: &'static str;
    /// Who may ask.
    const ACCESS: Access = Access::Read;
    /// What it takes.
    type Params: Params;
    /// What it answers with.
    type Reply: Reply<Self::Params>;

    /// The answer.
    fn run(archive: &dyn Archive, params: &Self::Params) -> Result<Self::Reply, ApiError>;

    /// Requests for the reference.
    fn examples() -> Vec<Example>;
}

/// A command that tells what happens to those who subscribe to it.
pub trait Watch: JsonSchema + 'static {
    /// `topic.verb`.
    const NAME: &'static str;
    /// Who may subscribe.
    const ACCESS: Access = Access::Read;
    /// What it takes.
    type Params: Params;
    /// What an event tells.
    type Event: Serialize + JsonSchema;

    /// Subscriptions that work on any machine.
    fn examples() -> Vec<Example>;

    /// Events for the reference: the first, and one that may follow.
    fn shown(view: &View) -> Result<Vec<Self::Event>, ApiError>;
}

/// What an action may do to the machine.
pub trait Control: Send + Sync {
    /// Sends a signal to exactly this process; `conflict` when its pid belongs to another by now.
    fn signal(&self, process: ProcessId, signal: i32) -> Result<(), ApiError>;
}

/// What a session command may do to its connection.
pub trait Connection: Send {
    /// Who is asking.
    fn viewer(&self) -> Viewer;

    /// From now on, who is asking.
    fn set_viewer(&mut self, viewer: Viewer);
}

/// What was sampled earlier.
pub trait Archive: Send + Sync {
    /// The newest snapshot at or before `wall_ms`; `not_found`, with the kept range, outside of it.
    fn at(&self, wall_ms: u64) -> Result<Arc<Snapshot>, ApiError>;
}

/// A request that shows what a command is for.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// The parameters, without `name`.
    pub params: Map<String, Value>,
}

impl Example {
    /// An example; `params` is a JSON object.
    pub fn new(title: &'static str, params: Value) -> Self {
        let Value::Object(params) = params else { panic!("invariant: the parameters of an example are an object") };
        Self { title, params }
    }
}

/// Any command, as the registry holds it.
#[derive(Debug)]
pub struct Command {
    /// `topic.verb`.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// Who may ask.
    pub access: Access,
    /// For commands that list: the fields that tell one row from another.
    pub key: Option<&'static [&'static str]>,
    /// Its examples.
    pub examples: fn() -> Vec<Example>,
    /// Schema of its parameters.
    pub params_schema: fn(&mut SchemaGenerator) -> Schema,
    /// Schema of its reply's `data`; of an event's, where it can only be subscribed to.
    pub reply_schema: fn(&mut SchemaGenerator) -> Schema,
    /// How it is run.
    pub run: Run,
    own_schema: fn() -> Schema,
}

/// How a command is run: each kind is given something else.
#[derive(Debug)]
pub enum Run {
    /// Parses the parameters; the result runs on views.
    Read(fn(GivenParams) -> Result<Box<dyn Prepared>, ApiError>),
    /// Parses the parameters and acts.
    Action(fn(&dyn Control, Viewer, GivenParams) -> Answer),
    /// Parses the parameters and changes the connection.
    Session(fn(&mut dyn Connection, GivenParams) -> Answer),
    /// Parses the parameters and reads the archive.
    History(fn(&dyn Archive, Viewer, GivenParams) -> Answer),
    /// What happens to processes is told; there is no other such command.
    Watch {
        /// Refuses parameters that it does not take.
        check: fn(GivenParams) -> Result<(), ApiError>,
        /// Events for the reference, as the machine in view would tell them.
        shown: fn(&View) -> Result<Vec<Rendered>, ApiError>,
    },
}

/// Parameters as they came, without `name`.
pub type GivenParams = Map<String, Value>;

/// An answer as bytes, or the refusal.
pub type Answer = Result<Rendered, ApiError>;

/// A read command with its parameters: what to sample for it, and how to run it on a view.
pub trait Prepared: Send + Sync {
    /// The topics it reads.
    fn needs(&self) -> Topics;

    /// The processes whose dear fields it needs.
    fn select(&self, view: &View) -> Vec<ProcessId>;

    /// The answer, as bytes.
    fn run(&self, view: &View) -> Answer;

    /// The answer as what changes are told from; `None` for commands that do not list.
    fn list(&self, view: &View) -> Result<Option<Arc<dyn Listing>>, ApiError>;
}

struct PreparedRead<C: Read>(C::Params);

impl<C: Read> Prepared for PreparedRead<C> {
    fn needs(&self) -> Topics {
        C::needs(&self.0)
    }

    fn select(&self, view: &View) -> Vec<ProcessId> {
        C::select(view, &self.0)
    }

    fn run(&self, view: &View) -> Answer {
        C::run(view, &self.0)?.render(&self.0, view.viewer)
    }

    fn list(&self, view: &View) -> Result<Option<Arc<dyn Listing>>, ApiError> {
        C::run(view, &self.0)?.listing(&self.0, view.viewer)
    }
}

impl Command {
    /// The entry of a read command.
    pub const fn read<C: Read>() -> Self {
        Self {
            name: C::NAME,
            kind: Kind::Read,
            access: C::ACCESS,
            key: <C::Reply as Reply<C::Params>>::KEY,
            examples: C::examples,
            params_schema: |generator| C::Params::json_schema(generator),
            reply_schema: <C::Reply as Reply<C::Params>>::schema,
            run: Run::Read(|given| Ok(Box::new(PreparedRead::<C>(params::parse(C::NAME, given)?)))),
            own_schema: || schema_for!(C),
        }
    }

    /// The entry of an action.
    pub const fn action<C: Action>() -> Self {
        Self {
            name: C::NAME,
            kind: Kind::Action,
            access: C::ACCESS,
            key: None,
            examples: C::examples,
            params_schema: |generator| C::Params::json_schema(generator),
            reply_schema: <C::Reply as Reply<C::Params>>::schema,
            run: Run::Action(|control, viewer, given| {
                let params = params::parse(C::NAME, given)?;
                C::run(control, &params)?.render(&params, viewer)
            }),
            own_schema: || schema_for!(C),
        }
    }

    /// The entry of a session command.
    pub const fn session<C: Session>() -> Self {
        Self {
            name: C::NAME,
            kind: Kind::Session,
            access: Access::Read,
            key: None,
            examples: C::examples,
            params_schema: |generator| C::Params::json_schema(generator),
            reply_schema: <C::Reply as Reply<C::Params>>::schema,
            run: Run::Session(|connection, given| {
                let params = params::parse(C::NAME, given)?;
                C::run(connection, &params)?.render(&params, connection.viewer())
            }),
            own_schema: || schema_for!(C),
        }
    }

    /// The entry of a history command.
    pub const fn history<C: History>() -> Self {
        Self {
            name: C::NAME,
            kind: Kind::History,
            access: C::ACCESS,
            key: None,
            examples: C::examples,
            params_schema: |generator| C::Params::json_schema(generator),
            reply_schema: <C::Reply as Reply<C::Params>>::schema,
            run: Run::History(|archive, viewer, given| {
                let params = params::parse(C::NAME, given)?;
                C::run(archive, &params)?.render(&params, viewer)
            }),
            own_schema: || schema_for!(C),
        }
    }

    /// The entry of a command that is told to subscribers.
    pub const fn watch<C: Watch>() -> Self {
        Self {
            name: C::NAME,
            kind: Kind::Watch,
            access: C::ACCESS,
            key: None,
            examples: C::examples,
            params_schema: |generator| C::Params::json_schema(generator),
            reply_schema: <One<C::Event> as Reply<C::Params>>::schema,
            run: Run::Watch {
                check: |given| params::parse::<C::Params>(C::NAME, given).map(drop),
                shown: |view| Ok(C::shown(view)?.iter().map(Rendered::of).collect()),
            },
            own_schema: || schema_for!(C),
        }
    }

    /// Its doc comment.
    pub fn doc(&self) -> String {
        let schema = (self.own_schema)();
        schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

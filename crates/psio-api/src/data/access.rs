//! Who asks, and what that lets them see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a command or a field asks of whoever wants it. Ordered: each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// What `ps` shows any local user.
    Read,
    /// What the kernel guards with a ptrace check: io counters, descriptors, executable, working directory.
    Inspect,
    /// Changing something: signals, priorities.
    Control,
}

/// The one an answer is made for. Part of every view and of every key under which bytes are shared, so that nobody is
/// handed an answer made for somebody who may see more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Viewer {
    /// The highest level this viewer has proved.
    pub access: Access,
    /// The user behind it, where known.
    pub uid: Option<u32>,
}

impl Viewer {
    /// A client on loopback that has proved nothing.
    pub const STRANGER: Self = Self { access: Access::Read, uid: None };

    /// Whether this viewer may see or do what asks for `needed`.
    pub fn may(&self, needed: Access) -> bool {
        self.access >= needed
    }
}

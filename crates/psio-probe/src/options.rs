//! What a source is opened with.

use std::path::PathBuf;

/// Where the figures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// This operating system's own files, read without a library between. Linux only.
    Native,
    /// The sysinfo crate, wherever it runs.
    Portable,
    /// A recorded machine, from this file.
    Replay(PathBuf),
}

impl Default for SourceKind {
    /// Native where there is a native source, else portable.
    fn default() -> Self {
        if cfg!(target_os = "linux") { Self::Native } else { Self::Portable }
    }
}

/// How processes are swept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The cheapest that this machine allows: today [`Strategy::Kept`].
    #[default]
    Auto,
    /// Descriptors of each process stay open, as far as the limit on open files reaches; beyond it, files are opened.
    Kept,
    /// Files are opened, read and closed each time.
    Opened,
}

/// Where the kernel's files and the system's tables are. A container that watches its host says `/host/proc` and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
    /// `/etc`. Users that `passwd` in here does not have are asked of the system's own name service, but only when
    /// this is `/etc` itself.
    pub etc: PathBuf,
    /// `/dev`
    pub dev: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into(), etc: "/etc".into(), dev: "/dev".into() }
    }
}

/// How a source is to be opened. The default is right for a daemon that watches the machine it runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where the figures come from.
    pub kind: SourceKind,
    /// Where the native source looks.
    pub roots: Roots,
    /// How the native source sweeps processes.
    pub strategy: Strategy,
    /// Descriptors that sweeps leave to others, such as sockets. `None`: a quarter of the hard limit, at most 4,096.
    pub descriptor_reserve: Option<u64>,
    /// Descriptors that sweeps may keep. `None`: the limit, less what is open at the start, less the reserve.
    pub descriptor_budget: Option<u64>,
}

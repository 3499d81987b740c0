//! Where psio keeps what it writes: a log among the user's state, a pid file among what does not outlive the boot.

use std::env;
use std::path::PathBuf;

use anyhow::Context;

/// The files of the psiod on one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// What it logs.
    pub log: PathBuf,
    /// Its pid; locked as long as it runs.
    pub pid: PathBuf,
}

impl Files {
    /// Those of the psiod on this port, for the user this process runs as.
    pub fn of(port: u16) -> anyhow::Result<Self> {
        let state = state(&Environment::read())?;
        let runtime = runtime(&Environment::read(), state.clone());
        Ok(Self { log: state.join(format!("psiod-{port}.log")), pid: runtime.join(format!("psiod-{port}.pid")) })
    }

    /// Makes their folders, readable by this user only.
    pub fn make_folders(&self) -> anyhow::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        for folder in [&self.log, &self.pid].into_iter().filter_map(|file| file.parent()) {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        Ok(())
    }
}

/// What of the environment decides where files go.
struct Environment {
    state_home: Option<PathBuf>,
    home: Option<PathBuf>,
    runtime_dir: Option<PathBuf>,
    is_root: bool,
}

impl Environment {
    fn read() -> Self {
        // The XDG specification has relative paths ignored.
        let path = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            is_root: rustix::process::geteuid().is_root(),
        }
    }
}

fn state(environment: &Environment) -> anyhow::Result<PathBuf> {
    let home = || environment.home.as_ref().map(|home| home.join(".local/state"));
    let state = environment.state_home.clone().or_else(home);
    Ok(state.context("cannot tell where to keep the log: neither XDG_STATE_HOME nor HOME is set")?.join("psio"))
}

fn runtime(environment: &Environment, state: PathBuf) -> PathBuf {
    match &environment.runtime_dir {
        Some(folder) => folder.join("psio"),
        None if environment.is_root => PathBuf::from("/run/psio"),
        None => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(runtime_dir: Option<&str>, is_root: bool) -> Environment {
        let runtime_dir = runtime_dir.map(PathBuf::from);
        Environment { state_home: None, home: Some("/home/ada".into()), runtime_dir, is_root }
    }

    fn runtime_of(environment: &Environment) -> PathBuf {
        runtime(environment, state(environment).unwrap())
    }

    #[test]
    fn the_runtime_folder_is_the_sessions_where_there_is_one() {
        assert_eq!(runtime_of(&environment(Some("/run/user/1000"), false)), PathBuf::from("/run/user/1000/psio"));
    }

    #[test]
    fn without_a_session_root_uses_run() {
        assert_eq!(runtime_of(&environment(None, true)), PathBuf::from("/run/psio"));
    }

    #[test]
    fn without_a_session_others_use_their_state_folder() {
        assert_eq!(runtime_of(&environment(None, false)), PathBuf::from("/home/ada/.local/state/psio"));
    }

    #[test]
    fn without_a_home_there_is_no_guess() {
        let nowhere = Environment { state_home: None, home: None, runtime_dir: None, is_root: false };
        assert!(state(&nowhere).unwrap_err().to_string().contains("HOME"));
    }
}

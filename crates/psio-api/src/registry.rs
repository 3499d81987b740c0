//! The list of commands. From it follow the dispatch, the schema and the reference.

use crate::command::Command;
use crate::commands::cpu_getall::CpuGetAll;
use crate::commands::daemon_describe::DaemonDescribe;
use crate::commands::daemon_getstats::DaemonGetStats;
use crate::commands::host_getstats::HostGetStats;
use crate::commands::memory_getall::MemoryGetAll;
use crate::commands::process_get::ProcessGet;
use crate::commands::process_getall::ProcessGetAll;
use crate::commands::process_watch::ProcessWatch;

/// Every command, ordered by name.
pub static COMMANDS: &[Command] = &[
    Command::read::<CpuGetAll>(),
    Command::read::<DaemonDescribe>(),
    Command::read::<DaemonGetStats>(),
    Command::read::<HostGetStats>(),
    Command::read::<MemoryGetAll>(),
    Command::read::<ProcessGet>(),
    Command::read::<ProcessGetAll>(),
    Command::watch::<ProcessWatch>(),
];

/// The command of that name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The names of all commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Run;
    use crate::example_machine;

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn every_command_has_a_page_and_an_example() {
        for command in COMMANDS {
            assert!(!command.doc().is_empty(), "{} has no doc comment", command.name);
            assert!(!(command.examples)().is_empty(), "{} has no example", command.name);
        }
    }

    #[test]
    fn every_example_runs() {
        for command in COMMANDS {
            let Run::Read(prepare) = command.run else { continue };
            for example in (command.examples)() {
                let answer = prepare(example.params).and_then(|command| command.run(&example_machine::view()));
                assert!(answer.is_ok(), "{}: {}: {answer:?}", command.name, example.title);
            }
        }
    }

    #[test]
    fn every_example_of_a_subscription_is_taken_and_shows_a_first_event_and_another() {
        for command in COMMANDS {
            let Run::Watch { check, shown } = &command.run else { continue };
            for example in (command.examples)() {
                assert_eq!(check(example.params), Ok(()), "{}: {}", command.name, example.title);
            }
            assert_eq!(shown(&example_machine::view()).map(|events| events.len()), Ok(2), "{}", command.name);
        }
    }

    /// A command of each kind that the registry has none of, on a made-up machine that only takes notes.
    mod other_kinds {
        use std::sync::{Arc, Mutex};

        use schemars::JsonSchema;
        use serde_json::{Map, json};

        use crate::command::{Action, Archive, Command, Connection, Control, Example, History, Run, Session};
        use crate::data::access::{Access, Viewer};
        use crate::data::process::ProcessId;
        use crate::data::snapshot::Snapshot;
        use crate::error::ApiError;
        use crate::params::NoParams;
        use crate::reply::One;

        #[derive(JsonSchema)]
        struct Stop;

        impl Action for Stop {
            const NAME: &'static str = "test.stop";
            type Params = NoParams;
            type Reply = One<bool>;

            fn run(control: &dyn Control, _: &NoParams) -> Result<One<bool>, ApiError> {
                control.signal(ProcessId { pid: 7, started: 1 }, 15).map(|()| One::from(true))
            }

            fn examples() -> Vec<Example> {
                vec![Example::new("Stop it", json!({}))]
            }
        }

        #[derive(JsonSchema)]
        struct Login;

        impl Session for Login {
            const NAME: &'static str = "test.login";
            type Params = NoParams;
            type Reply = One<bool>;

            fn run(connection: &mut dyn Connection, _: &NoParams) -> Result<One<bool>, ApiError> {
                connection.set_viewer(Viewer { access: Access::Control, uid: Some(0) });
                Ok(One::from(true))
            }

            fn examples() -> Vec<Example> {
                Vec::new()
            }
        }

        #[derive(JsonSchema)]
        struct Past;

        impl History for Past {
            const NAME: &'static str = "test.past";
            type Params = NoParams;
            type Reply = One<bool>;

            fn run(archive: &dyn Archive, _: &NoParams) -> Result<One<bool>, ApiError> {
                archive.at(5).map(|snapshot| One::from(snapshot.cpus.is_some()))
            }

            fn examples() -> Vec<Example> {
                Vec::new()
            }
        }

        #[derive(Default)]
        struct Notes(Mutex<Vec<(u32, i32)>>);

        impl Control for Notes {
            fn signal(&self, process: ProcessId, signal: i32) -> Result<(), ApiError> {
                self.0.lock().unwrap().push((process.pid, signal));
                Ok(())
            }
        }

        struct Line(Viewer);

        impl Connection for Line {
            fn viewer(&self) -> Viewer {
                self.0
            }

            fn set_viewer(&mut self, viewer: Viewer) {
                self.0 = viewer;
            }
        }

        struct Empty;

        impl Archive for Empty {
            fn at(&self, _: u64) -> Result<Arc<Snapshot>, ApiError> {
                Ok(Arc::default())
            }
        }

        #[test]
        fn an_action_is_given_control_of_the_machine() {
            let (command, notes) = (Command::action::<Stop>(), Notes::default());
            let Run::Action(run) = command.run else { panic!("an action") };
            assert_eq!(run(&notes, Viewer::STRANGER, Map::new()).unwrap().json, b"true");
            assert_eq!(*notes.0.lock().unwrap(), [(7, 15)]);
            assert_eq!(command.access, Access::Control);
        }

        #[test]
        fn a_session_command_changes_its_connection() {
            let mut line = Line(Viewer::STRANGER);
            let Run::Session(run) = Command::session::<Login>().run else { panic!("a session command") };
            run(&mut line, Map::new()).unwrap();
            assert_eq!(line.0.access, Access::Control);
        }

        #[test]
        fn a_history_command_is_given_the_archive() {
            let Run::History(run) = Command::history::<Past>().run else { panic!("a history command") };
            assert_eq!(run(&Empty, Viewer::STRANGER, Map::new()).unwrap().json, b"false");
        }
    }
}

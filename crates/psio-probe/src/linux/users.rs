//! The names of users: `/etc/passwd`, and the system's name service for those it does not have.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::deadline::{Outcome, Patience, Worker};
use crate::parse::{lossy, passwd};

/// How long a name service may take for one user.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names by user id.
#[derive(Debug)]
pub struct Users {
    path: PathBuf,
    stamp: Option<Stamp>,
    names: HashMap<u32, Name>,
    generation: u64,
    service: Option<NameService>,
}

#[derive(Debug)]
enum Name {
    Known(Arc<str>),
    /// Not in the file: the number, until (and unless) the name service knows better.
    Number(Arc<str>),
}

/// What tells whether the file was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Users {
    /// Those in `passwd` below the root `etc`; the name service is asked only when that is `/etc` itself, because
    /// somebody else's users are not in ours.
    pub fn new(etc: &Path) -> Self {
        Self {
            path: etc.join("passwd"),
            stamp: None,
            names: HashMap::new(),
            generation: 0,
            service: (etc == Path::new("/etc")).then(NameService::new),
        }
    }

    /// Takes notice of a changed file and of answers of the name service. Returns a number that changes whenever a name
    /// may have.
    pub fn refresh(&mut self) -> u64 {
        let stamp = fs::metadata(&self.path).ok().map(|meta| Stamp {
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        });
        if stamp != self.stamp {
            self.stamp = stamp;
            self.reload();
        }
        while let Some((uid, name)) = self.service.as_ref().and_then(NameService::answer) {
            if let Some(name) = name {
                self.names.insert(uid, Name::Known(name));
                self.generation += 1;
            }
        }
        self.generation
    }

    /// The name of a user, or the number as text where none is known (yet). Never waits.
    pub fn name(&mut self, uid: u32) -> Arc<str> {
        if let Some(Name::Known(name) | Name::Number(name)) = self.names.get(&uid) {
            return Arc::clone(name);
        }
        let number: Arc<str> = uid.to_string().into();
        self.names.insert(uid, Name::Number(Arc::clone(&number)));
        if let Some(service) = &mut self.service {
            service.ask(uid);
        }
        number
    }

    fn reload(&mut self) {
        self.generation += 1;
        self.names.clear();
        let text = fs::read(&self.path).unwrap_or_default();
        for (uid, name) in passwd::users(&text) {
            self.names.entry(uid).or_insert_with(|| Name::Known(lossy(name)));
        }
    }
}

/// Asks `getent passwd UID`, one user after the other, on a thread of its own.
///
/// Not getpwuid(3): that would load name service modules, with whatever they do, into this process.
#[derive(Debug)]
struct NameService {
    questions: Option<Sender<u32>>,
    answers: Sender<(u32, Option<Arc<str>>)>,
    answered: Receiver<(u32, Option<Arc<str>>)>,
}

impl NameService {
    fn new() -> Self {
        let (answers, answered) = mpsc::channel();
        Self { questions: None, answers, answered }
    }

    fn answer(&self) -> Option<(u32, Option<Arc<str>>)> {
        self.answered.try_recv().ok()
    }

    /// The thread starts with the first question: most machines never have one.
    fn ask(&mut self, uid: u32) {
        let answers = &self.answers;
        let sender = self.questions.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::channel();
            let answers = answers.clone();
            // Without a thread the number stays the name.
            let _ = thread::Builder::new().name("psio-users".into()).spawn(move || serve(&receiver, &answers));
            sender
        });
        let _ = sender.send(uid);
    }
}

fn serve(questions: &Receiver<u32>, answers: &Sender<(u32, Option<Arc<str>>)>) {
    let mut worker = Worker::new("psio-getent", getent);
    let patience = Patience { job: PATIENCE * 2, batch: PATIENCE * 2 };
    while let Ok(uid) = questions.recv() {
        let name = match worker.run(&[uid], patience).pop() {
            Some(Outcome::Done(name)) => name,
            _ => None,
        };
        if answers.send((uid, name)).is_err() {
            return;
        }
    }
}

fn getent(uid: u32) -> Option<Arc<str>> {
    let mut child = Command::new("getent")
        .args(["passwd", &uid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + PATIENCE;
    while let Ok(None) = child.try_wait() {
        if Instant::now() > deadline {
            let _ = child.kill();
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().ok()?;
    passwd::users(&output.stdout).find(|(found, _)| *found == uid).map(|(_, name)| lossy(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_no_file_has_is_a_number() {
        let mut users = Users::new(Path::new("/nowhere"));
        users.refresh();
        assert_eq!(&*users.name(4_000_000_000), "4000000000");
    }

    #[test]
    fn the_file_is_read_again_when_it_changes() {
        let etc = std::env::temp_dir().join(format!("psio-users-{}", std::process::id()));
        fs::create_dir_all(&etc).unwrap();
        fs::write(etc.join("passwd"), "ada:x:7:7::/:/bin/sh\nbob:x:7:7::/:/bin/sh\n").unwrap();
        let mut users = Users::new(&etc);
        let before = users.refresh();
        assert_eq!(&*users.name(7), "ada");
        assert_eq!(users.refresh(), before);
        fs::write(etc.join("passwd"), "eve:x:7:7::/:/bin/false\n").unwrap();
        assert_ne!(users.refresh(), before);
        assert_eq!(&*users.name(7), "eve");
        fs::remove_dir_all(&etc).unwrap();
    }
}

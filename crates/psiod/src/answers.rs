//! Answers that are shared: everybody who asks the same of the same two samples and may see the same gets the same
//! bytes. (Two who ask at the very same moment may have them made twice.)

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use psio_api::command::Prepared;
use psio_api::data::access::Viewer;
use psio_api::data::moment::Moment;
use psio_api::data::snapshot::Snapshot;
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::error::ApiError;
use psio_api::request::Mode;

use crate::ring::{Ring, ViewKey};
use crate::shared_answer::{SharedAnswer, Stamp};

/// What is kept, at most; answers are dropped when newer samples come anyway.
const MAX_KEPT: usize = 64;
const MAX_KEPT_BYTES: usize = 8 << 20;

/// A question: the command and its parameters, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Name of the command.
    pub command: &'static str,
    /// Its parameters; empty when there are none.
    pub params: Box<str>,
    /// Whether changes are wanted; the answer itself is the same.
    pub mode: Mode,
    /// Whom the answer is for.
    pub viewer: Viewer,
}

impl Question {
    /// Tells it from others without keeping it: a question may be as long as a message.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// The answers and views made of the newest samples.
#[derive(Debug, Default)]
pub struct Answers {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// How many samples the ring had taken when this was last cleared of what is outdated.
    pushes: u64,
    views: HashMap<ViewKey, View>,
    answers: HashMap<(ViewKey, Question), Arc<SharedAnswer>>,
}

impl Answers {
    /// The view of the newest samples of these topics, for somebody who was told of earlier ones.
    pub fn view(&self, ring: &Ring, topics: Topics, told: &mut Told, viewer: Viewer) -> (ViewKey, View) {
        let now = ring.newest(topics);
        let base = ring.base(topics, &now, told.advance(now.newest(topics.with_rates())));
        self.view_between(ring, base, now, viewer)
    }

    /// The view of these samples, the newest ones, with rates measured from `base`.
    pub fn view_between(&self, ring: &Ring, base: Snapshot, now: Snapshot, viewer: Viewer) -> (ViewKey, View) {
        let key = ViewKey::of(&now, &base);
        let mut kept = self.kept();
        kept.forget_outdated(ring);
        let view = kept.views.entry(key).or_insert_with(|| View::new(Arc::new(now), Arc::new(base), viewer));
        (key, view.for_viewer(viewer))
    }

    /// The answer, from what is kept or made now.
    pub fn answer(
        &self,
        question: &Question,
        key: ViewKey,
        command: &dyn Prepared,
        view: &View,
    ) -> Result<Arc<SharedAnswer>, ApiError> {
        if let Some(answer) = self.kept_answer(question, key) {
            return Ok(answer);
        }
        let answer = Arc::new(Self::fresh(command, view)?);
        let mut kept = self.kept();
        kept.make_room(answer.kept_bytes());
        kept.answers.insert((key, question.clone()), answer.clone());
        Ok(answer)
    }

    /// An answer that is not shared.
    pub fn fresh(command: &dyn Prepared, view: &View) -> Result<SharedAnswer, ApiError> {
        Ok(SharedAnswer::new(&command.run(view)?, &Stamp::of(view, command.needs())))
    }

    /// The answer, if it is kept.
    pub fn kept_answer(&self, question: &Question, key: ViewKey) -> Option<Arc<SharedAnswer>> {
        self.kept().answers.get(&(key, question.clone())).cloned()
    }

    /// Lets go of everything: nobody is left to share it.
    pub fn forget(&self) {
        *self.kept() = Kept::default();
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_outdated(&mut self, ring: &Ring) {
        if self.pushes != ring.pushes() {
            self.pushes = ring.pushes();
            self.views.retain(|key, _| key.is_newest(ring));
            self.answers.retain(|(key, _), _| key.is_newest(ring));
        }
    }

    fn make_room(&mut self, bytes: usize) {
        let kept_bytes: usize = self.answers.values().map(|answer| answer.kept_bytes()).sum();
        if self.answers.len() >= MAX_KEPT || kept_bytes + bytes > MAX_KEPT_BYTES {
            self.answers.clear();
        }
    }
}

/// What one asker was last told of by one command, so that their next window begins there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    last: Option<Moment>,
    before_last: Option<Moment>,
}

impl Told {
    /// They are told of `now`; from which earlier telling their window runs. Telling of the same sample again does
    /// not shorten it.
    fn advance(&mut self, now: Option<Moment>) -> Option<Moment> {
        if now.is_some() && self.last != now {
            *self = Self { last: now, before_last: self.last };
        }
        self.before_last
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use psio_api::command::Run;
    use psio_api::data::access::Access;
    use psio_api::reply::Rendered;
    use psio_api::{example_machine, registry};

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment { since_boot_ns: ms * 1_000_000, wall_ms: ms }
    }

    fn ring_with(view: &View) -> Ring {
        let mut ring = Ring::default();
        for snapshot in [&view.base, &view.now] {
            for topic in Topics::each() {
                ring.push(topic, snapshot, Instant::now(), Duration::ZERO);
            }
        }
        ring
    }

    fn ask(answers: &Answers, ring: &Ring, name: &'static str, viewer: Viewer) -> Arc<SharedAnswer> {
        let Run::Read(prepare) = registry::find(name).unwrap().run else { panic!("{name} reads") };
        let command = prepare(serde_json::Map::new()).unwrap();
        let (key, view) = answers.view(ring, command.needs(), &mut Told::default(), viewer);
        let question = Question { command: name, params: Box::default(), mode: Mode::Whole, viewer };
        answers.answer(&question, key, command.as_ref(), &view).unwrap()
    }

    #[test]
    fn the_same_question_about_the_same_samples_is_answered_once() {
        let (answers, ring) = (Answers::default(), ring_with(&example_machine::view()));
        let first = ask(&answers, &ring, "process.getall", Viewer::STRANGER);
        assert!(Arc::ptr_eq(&first, &ask(&answers, &ring, "process.getall", Viewer::STRANGER)));
    }

    #[test]
    fn an_answer_is_not_shared_with_another_viewer() {
        let (answers, ring) = (Answers::default(), ring_with(&example_machine::view()));
        let owner = Viewer { access: Access::Inspect, uid: Some(0) };
        let first = ask(&answers, &ring, "process.getall", owner);
        assert!(!Arc::ptr_eq(&first, &ask(&answers, &ring, "process.getall", Viewer::STRANGER)));
    }

    #[test]
    fn more_than_fits_is_not_kept() {
        let answer = |bytes| {
            let rendered = Rendered { json: vec![b' '; bytes], total: None, unknown: [].into() };
            Arc::new(SharedAnswer::new(&rendered, &Stamp::default()))
        };
        let mut kept = Kept::default();
        let key = ViewKey::of(&Snapshot::default(), &Snapshot::default());
        for number in 0..10 {
            let params = number.to_string().into();
            kept.make_room(2_000_000);
            let question = Question { command: "x", params, mode: Mode::Whole, viewer: Viewer::STRANGER };
            kept.answers.insert((key, question), answer(2_000_000));
        }
        assert_eq!(kept.answers.len(), 2);
    }

    #[test]
    fn an_answer_outlives_new_samples_of_other_topics_only() {
        let view = example_machine::view();
        let (answers, mut ring) = (Answers::default(), ring_with(&view));
        let (cpus, memory) = (
            ask(&answers, &ring, "cpu.getall", Viewer::STRANGER),
            ask(&answers, &ring, "memory.getall", Viewer::STRANGER),
        );
        let mut newer = (*view.now).clone();
        let sample = Arc::make_mut(newer.memory.as_mut().unwrap());
        sample.at = sample.at.later(Duration::from_secs(1));
        ring.push(Topics::MEMORY, &newer, Instant::now(), Duration::ZERO);
        assert!(Arc::ptr_eq(&cpus, &ask(&answers, &ring, "cpu.getall", Viewer::STRANGER)));
        assert!(!Arc::ptr_eq(&memory, &ask(&answers, &ring, "memory.getall", Viewer::STRANGER)));
    }

    #[test]
    fn a_window_runs_from_what_was_told_last() {
        let mut told = Told::default();
        assert_eq!(told.advance(Some(at(1_000))), None);
        assert_eq!(told.advance(Some(at(2_000))), Some(at(1_000)));
    }

    #[test]
    fn asking_twice_about_the_same_sample_keeps_the_window() {
        let mut told = Told::default();
        told.advance(Some(at(1_000)));
        told.advance(Some(at(2_000)));
        assert_eq!(told.advance(Some(at(2_000))), Some(at(1_000)));
    }
}

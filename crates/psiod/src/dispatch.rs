//! From a question to its answer: registry, access, parameters, view, bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use psio_api::PROTOCOL_VERSION;
use psio_api::command::{GivenParams, Prepared, Run};
use psio_api::data::access::Viewer;
use psio_api::data::process::ProcessId;
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::error::{ApiError, ErrorCode};
use psio_api::registry;
use psio_api::request::{Mode, unknown_command};

use crate::answers::{Answers, Question, Told};
use crate::budget::Budget;
use crate::connection::Connection;
use crate::http_api;
use crate::lifecycle::Lifecycle;
use crate::ring::ViewKey;
use crate::sampler::Sampler;
use crate::server::{Application, Handler, Health, Peer, Subprotocol};
use crate::shared_answer::SharedAnswer;
use crate::stats::Stats;
use crate::subscriptions::Hub;

/// Questions of one connection that are remembered; one who asks more gets the windows of a newcomer.
const MAX_TOLD: usize = 32;

/// What reading the dear fields of a process is counted as.
const DETAIL_COST: Duration = Duration::from_micros(100);

/// What all connections share.
pub struct Service {
    /// The thread that reads the machine.
    pub sampler: Sampler,
    /// psiod's own counters.
    pub stats: Arc<Stats>,
    /// The subscriptions.
    pub hub: Arc<Hub>,
    /// What happens to processes.
    pub(crate) lifecycle: Lifecycle,
    pub(crate) answers: Answers,
    http_budget: Arc<Mutex<Budget>>,
}

impl Service {
    /// A service that tells what this sampler reads, and what happens to processes.
    pub fn new(sampler: Sampler, stats: Arc<Stats>, lifecycle: Lifecycle) -> Self {
        let hub = Arc::new(Hub::new(stats.clone()));
        Self { sampler, stats, hub, lifecycle, answers: Answers::default(), http_budget: Arc::default() }
    }

    /// Answers somebody of whom nothing is remembered.
    pub async fn read(
        self: &Arc<Self>,
        name: &str,
        params: GivenParams,
        viewer: Viewer,
    ) -> Result<Arc<SharedAnswer>, ApiError> {
        let (question, command) = prepare(name, params, Mode::Whole, viewer)?;
        Asker::over_http(self.clone(), viewer).sample_and_answer(&question, command.as_ref()).await
    }

    /// A view of the newest samples of these topics, for somebody of whom nothing is remembered.
    pub fn newest_view(&self, topics: Topics, viewer: Viewer) -> View {
        self.answers.view(&self.sampler.ring(), topics, &mut Told::default(), viewer).1
    }
}

/// The service, as the server knows it.
#[derive(Clone)]
pub struct Psiod(pub Arc<Service>, pub http_api::Options);

impl Application for Psiod {
    fn connect(&self, _: &Peer, subprotocol: Subprotocol) -> Box<dyn Handler> {
        Box::new(Connection::new(Asker::new(self.0.clone(), Viewer::STRANGER), subprotocol))
    }

    fn routes(&self) -> axum::Router {
        http_api::routes(&self.0, self.1)
    }

    fn front_page(&self, headers: &http::HeaderMap) -> Option<axum::response::Response> {
        http_api::front_page(headers)
    }

    fn health(&self) -> Health {
        Health {
            name: "psiod",
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            protocol: PROTOCOL_VERSION,
            uptime: self.0.stats.uptime(),
        }
    }
}

/// Looks the command up and parses its parameters.
pub fn prepare(
    name: &str,
    given: GivenParams,
    mode: Mode,
    viewer: Viewer,
) -> Result<(Question, Box<dyn Prepared>), ApiError> {
    match prepare_subscription(name, given, mode, viewer)? {
        (question, Wanted::Answers(command)) => Ok((question, command)),
        (_, Wanted::Processes) => {
            let message = format!(
                "{name} tells what happens, as it happens, and so can only be subscribed to: send \
                 {{\"type\":\"subscribe\",\"id\":1,\"data\":{{\"name\":\"{name}\"}}}}, or over HTTP accept text/event-stream"
            );
            Err(ApiError::new(ErrorCode::Unsupported, message))
        }
    }
}

/// What somebody subscribes to.
pub enum Wanted {
    /// What a command answers.
    Answers(Box<dyn Prepared>),
    /// What happens to processes.
    Processes,
}

/// The same for a subscription.
pub fn prepare_subscription(
    name: &str,
    given: GivenParams,
    mode: Mode,
    viewer: Viewer,
) -> Result<(Question, Wanted), ApiError> {
    let command = registry::find(name).ok_or_else(|| unknown_command(name, registry::names()))?;
    if !viewer.may(command.access) {
        let message = format!("{name} needs a connection with more rights than this one has proved");
        return Err(ApiError::new(ErrorCode::Unauthorized, message));
    }
    let question = |params: String, mode| Question { command: command.name, params: params.into(), mode, viewer };
    match command.run {
        Run::Read(prepare) => {
            let params =
                if given.is_empty() { String::new() } else { serde_json::Value::Object(given.clone()).to_string() };
            Ok((question(params, mode), Wanted::Answers(prepare(given)?)))
        }
        // It takes no parameters, and is told in the same way in either mode.
        Run::Watch { check, .. } => check(given).map(|()| (question(String::new(), Mode::Whole), Wanted::Processes)),
        _ => {
            let message =
                format!("{name} is a command of kind {:?}, which this psiod does not carry out", command.kind);
            Err(ApiError::new(ErrorCode::Unsupported, message))
        }
    }
}

/// Whoever asks over one connection.
pub struct Asker {
    /// What it shares with the others.
    pub service: Arc<Service>,
    /// Who they are.
    pub viewer: Viewer,
    /// What they were last told, by fingerprint of the question, so that none shortens another's window.
    told: Mutex<HashMap<u64, Told>>,
    budget: Arc<Mutex<Budget>>,
}

/// What the newest samples give.
pub enum Look {
    /// The answer.
    Answer(Result<Arc<SharedAnswer>, ApiError>),
    /// Processes whose dear fields must be read first.
    Details(View, Vec<ProcessId>),
}

impl Asker {
    /// Somebody of whom nothing is remembered yet.
    pub fn new(service: Arc<Service>, viewer: Viewer) -> Self {
        Self { service, viewer, told: Mutex::default(), budget: Arc::default() }
    }

    /// The same for a request that comes without a connection to remember anything by: all of them share what may be
    /// computed for them.
    pub fn over_http(service: Arc<Service>, viewer: Viewer) -> Self {
        let budget = service.http_budget.clone();
        Self { service, viewer, told: Mutex::default(), budget }
    }

    /// Has the machine sampled, then answers.
    pub async fn sample_and_answer(
        &self,
        question: &Question,
        command: &dyn Prepared,
    ) -> Result<Arc<SharedAnswer>, ApiError> {
        self.service.sampler.sampled(command.needs()).await?;
        match self.look(question, command) {
            Look::Answer(answer) => answer,
            Look::Details(view, selected) => self.detailed(command, &view, selected).await,
        }
    }

    /// Answers from the newest samples.
    pub fn look(&self, question: &Question, command: &dyn Prepared) -> Look {
        let (key, view) = self.view(question, command);
        let selected = command.select(&view);
        if let Some(answer) = self.service.answers.kept_answer(question, key) {
            return Look::Answer(Ok(answer));
        }
        if let Err(error) = self.check_budget() {
            return Look::Answer(Err(error));
        }
        if !selected.is_empty() {
            return Look::Details(view, selected);
        }
        let began = Instant::now();
        let answer = self.service.answers.answer(question, key, command, &view);
        self.charge(began.elapsed());
        Look::Answer(answer)
    }

    /// Whether something may be computed for this asker alone.
    pub fn check_budget(&self) -> Result<(), ApiError> {
        lock(&self.budget).check(Instant::now())
    }

    /// Counts what was computed for this asker alone.
    pub fn charge(&self, time: Duration) {
        lock(&self.budget).spend(time);
    }

    /// Answers from a view that lacks the dear fields of these processes.
    pub async fn detailed(
        &self,
        command: &dyn Prepared,
        view: &View,
        selected: Vec<ProcessId>,
    ) -> Result<Arc<SharedAnswer>, ApiError> {
        let read = DETAIL_COST * u32::try_from(selected.len()).unwrap_or(u32::MAX);
        let details = self.service.sampler.details(selected).await?;
        let began = Instant::now();
        let answer = Answers::fresh(command, &view.clone().with_details(details)).map(Arc::new);
        self.charge(read + began.elapsed());
        answer
    }

    fn view(&self, question: &Question, command: &dyn Prepared) -> (ViewKey, View) {
        let mut told = lock(&self.told);
        let question = question.fingerprint();
        if told.len() >= MAX_TOLD && !told.contains_key(&question) {
            told.clear();
        }
        let told = told.entry(question).or_default();
        let ring = self.service.sampler.ring();
        self.service.answers.view(&ring, command.needs(), told, self.viewer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole between any two statements that change it, so a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! From a message to its answer: envelope, registry, access, parameters, view, bytes.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use psio_api::PROTOCOL_VERSION;
use psio_api::command::{GivenParams, Prepared, Run};
use psio_api::data::access::Viewer;
use psio_api::data::process::ProcessId;
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::envelope::{self, Refused, Request, RequestId};
use psio_api::error::{ApiError, ErrorCode};
use psio_api::registry;

use crate::answers::{Answers, Question, SharedAnswer, Told};
use crate::ring::ViewKey;
use crate::sampler::Sampler;
use crate::server::{Answer, Application, Handler, Health, Message, Order, Outgoing, Peer, Subprotocol};
use crate::stats::Stats;

/// Questions of one connection that are remembered; one who asks more gets the windows of a newcomer.
const MAX_TOLD: usize = 32;

/// What all connections share.
#[derive(Debug)]
pub struct Service {
    /// The thread that reads the machine.
    pub sampler: Sampler,
    /// psiod's own counters.
    pub stats: Arc<Stats>,
    answers: Answers,
}

impl Service {
    /// A service that tells what this sampler reads.
    pub fn new(sampler: Sampler, stats: Arc<Stats>) -> Self {
        Self { sampler, stats, answers: Answers::default() }
    }

    /// Answers somebody of whom nothing is remembered.
    pub async fn read(
        self: &Arc<Self>,
        name: &str,
        params: GivenParams,
        viewer: Viewer,
    ) -> Result<Arc<SharedAnswer>, ApiError> {
        let (question, command) = prepare(name, params, viewer)?;
        let asker = Asker { service: self.clone(), viewer, told: Mutex::default() };
        asker.sample_and_answer(&question, command.as_ref()).await
    }

    /// A view of these topics as they are now, for somebody of whom nothing is remembered.
    pub async fn view(&self, topics: Topics, viewer: Viewer) -> Result<View, ApiError> {
        self.sampler.sampled(topics).await?;
        Ok(self.answers.view(&self.sampler.ring(), topics, &mut Told::default(), viewer).1)
    }
}

/// The service, as the server knows it.
#[derive(Clone, Debug)]
pub struct Psiod(pub Arc<Service>);

impl Application for Psiod {
    fn connect(&self, _: &Peer, _: Subprotocol) -> Box<dyn Handler> {
        self.0.stats.clients.fetch_add(1, Ordering::Relaxed);
        let asker = Asker { service: self.0.clone(), viewer: Viewer::STRANGER, told: Mutex::default() };
        Box::new(Connection { asker: Arc::new(asker) })
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

/// One connection.
struct Connection {
    asker: Arc<Asker>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let service = &self.asker.service;
        if service.stats.clients.fetch_sub(1, Ordering::Relaxed) == 1 {
            service.answers.forget();
        }
    }
}

impl Handler for Connection {
    fn message(&mut self, message: Message<'_>) -> Answer {
        self.asker.service.stats.requests.fetch_add(1, Ordering::Relaxed);
        let Message::Text(text) = message else {
            return Answer::now(Order::Kept, refusal(None, &envelope::binary_refused()));
        };
        match envelope::parse(text) {
            Ok(request) => self.answer(request),
            Err(Refused { id, error }) => Answer::now(order(id.as_ref()), refusal(id.as_ref(), &error)),
        }
    }
}

impl Connection {
    fn answer(&self, request: Request) -> Answer {
        let id = request.id;
        let order = order(id.as_ref());
        let (question, command) = match prepare(&request.name, request.params, self.asker.viewer) {
            Ok(prepared) => prepared,
            Err(error) => return Answer::now(order, refusal(id.as_ref(), &error)),
        };
        let asker = self.asker.clone();
        if asker.service.sampler.is_fresh(command.needs()) {
            return match asker.look(&question, command.as_ref()) {
                Look::Answer(answer) => Answer::now(order, message(id.as_ref(), answer)),
                Look::Details(view, selected) => Answer::later(order, async move {
                    message(id.as_ref(), asker.detailed(command.as_ref(), &view, selected).await)
                }),
            };
        }
        Answer::later(order, async move {
            let answer = asker.sample_and_answer(&question, command.as_ref()).await;
            message(id.as_ref(), answer)
        })
    }
}

/// Looks the command up and parses its parameters.
fn prepare(name: &str, given: GivenParams, viewer: Viewer) -> Result<(Question, Box<dyn Prepared>), ApiError> {
    let command = registry::find(name).ok_or_else(|| envelope::unknown_command(name, registry::names()))?;
    if !viewer.may(command.access) {
        let message = format!("{name} needs a connection with more rights than this one has proved");
        return Err(ApiError::new(ErrorCode::Unauthorized, message));
    }
    let Run::Read(prepare) = command.run else {
        let message = format!("{name} is a command of kind {:?}, which this psiod does not carry out", command.kind);
        return Err(ApiError::new(ErrorCode::Unsupported, message));
    };
    let params = if given.is_empty() { String::new() } else { serde_json::Value::Object(given.clone()).to_string() };
    let question = Question { command: command.name, params: params.into(), viewer };
    Ok((question, prepare(given)?))
}

/// Whoever asks over one connection.
struct Asker {
    service: Arc<Service>,
    viewer: Viewer,
    /// What this connection was last told, by fingerprint of the question, so that none shortens another's window.
    told: Mutex<HashMap<u64, Told>>,
}

/// What the newest samples give.
enum Look {
    /// The answer.
    Answer(Result<Arc<SharedAnswer>, ApiError>),
    /// Processes whose dear fields must be read first.
    Details(View, Vec<ProcessId>),
}

impl Asker {
    /// Has the machine sampled, then answers.
    async fn sample_and_answer(
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

    fn look(&self, question: &Question, command: &dyn Prepared) -> Look {
        let (key, view) = self.view(question, command);
        let selected = command.select(&view);
        if selected.is_empty() {
            Look::Answer(self.service.answers.answer(question, key, command, &view))
        } else {
            Look::Details(view, selected)
        }
    }

    async fn detailed(
        &self,
        command: &dyn Prepared,
        view: &View,
        selected: Vec<ProcessId>,
    ) -> Result<Arc<SharedAnswer>, ApiError> {
        let details = self.service.sampler.details(selected).await?;
        Answers::fresh(command, &view.clone().with_details(details)).map(Arc::new)
    }

    fn view(&self, question: &Question, command: &dyn Prepared) -> (ViewKey, View) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let question = question.fingerprint();
        if told.len() >= MAX_TOLD && !told.contains_key(&question) {
            told.clear();
        }
        let told = told.entry(question).or_default();
        let ring = self.service.sampler.ring();
        self.service.answers.view(&ring, command.needs(), told, self.viewer)
    }
}

fn order(id: Option<&RequestId>) -> Order {
    if id.is_some() { Order::Free } else { Order::Kept }
}

fn message(id: Option<&RequestId>, answer: Result<Arc<SharedAnswer>, ApiError>) -> Outgoing {
    match answer {
        Ok(answer) => answer.message(id),
        Err(error) => refusal(id, &error),
    }
}

fn refusal(id: Option<&RequestId>, error: &ApiError) -> Outgoing {
    Outgoing::text([Bytes::from(envelope::error(id, error))])
}

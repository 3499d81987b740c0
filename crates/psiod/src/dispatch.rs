//! From a message to its answer: envelope, registry, access, parameters, view, bytes.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use psio_api::PROTOCOL_VERSION;
use psio_api::command::{GivenParams, Prepared, Run};
use psio_api::data::access::Viewer;
use psio_api::data::view::View;
use psio_api::envelope::{self, Refused, Request, RequestId};
use psio_api::error::{ApiError, ErrorCode};
use psio_api::registry;

use crate::answers::{Answer, Answers, Question, Told};
use crate::ring::ViewKey;
use crate::sampler::Sampler;
use crate::server::{Answer as Reply, Application, Handler, Health, Message, Order, Outgoing, Peer};
use crate::stats::Stats;

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
}

/// The service, as the server knows it.
#[derive(Clone, Debug)]
pub struct Psiod(pub Arc<Service>);

impl Application for Psiod {
    fn connect(&self, _: &Peer) -> Box<dyn Handler> {
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
        self.asker.service.stats.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Handler for Connection {
    fn message(&mut self, message: Message<'_>) -> Reply {
        self.asker.service.stats.requests.fetch_add(1, Ordering::Relaxed);
        let Message::Text(text) = message else {
            return Reply::now(Order::Kept, refusal(None, &envelope::binary_refused()));
        };
        match envelope::parse(text) {
            Ok(request) => self.answer(request),
            Err(Refused { id, error }) => Reply::now(order(id.as_ref()), refusal(id.as_ref(), &error)),
        }
    }
}

impl Connection {
    fn answer(&self, request: Request) -> Reply {
        let id = request.id;
        let order = order(id.as_ref());
        let (question, command) = match prepare(&request.name, request.params, self.asker.viewer) {
            Ok(prepared) => prepared,
            Err(error) => return Reply::now(order, refusal(id.as_ref(), &error)),
        };
        if self.asker.service.sampler.is_fresh(command.needs())
            && let Some(answer) = self.asker.answer_at_once(&question, command.as_ref())
        {
            return Reply::now(order, message(id.as_ref(), answer));
        }
        let asker = self.asker.clone();
        Reply::later(order, async move {
            let answer = asker.answer(&question, command.as_ref()).await;
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
    /// What this connection was last told, by command.
    told: Mutex<HashMap<&'static str, Told>>,
}

impl Asker {
    /// The answer from the newest samples; `None` when it takes dear fields that must be read first.
    fn answer_at_once(&self, question: &Question, command: &dyn Prepared) -> Option<Result<Arc<Answer>, ApiError>> {
        let (key, view) = self.view(question, command);
        let answers = &self.service.answers;
        command.select(&view).is_empty().then(|| answers.answer(question, key, command, &view))
    }

    /// Has the machine sampled, then answers.
    async fn answer(&self, question: &Question, command: &dyn Prepared) -> Result<Arc<Answer>, ApiError> {
        let sampler = &self.service.sampler;
        if !sampler.is_fresh(command.needs()) {
            sampler.sampled(command.needs()).await?;
        }
        let (key, view) = self.view(question, command);
        let selected = command.select(&view);
        if selected.is_empty() {
            return self.service.answers.answer(question, key, command, &view);
        }
        let details = sampler.details(selected).await?;
        Answers::fresh(command, &view.with_details(details)).map(Arc::new)
    }

    fn view(&self, question: &Question, command: &dyn Prepared) -> (ViewKey, View) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(question.command).or_default();
        let ring = self.service.sampler.ring();
        self.service.answers.view(&ring, command.needs(), told, self.viewer)
    }
}

fn order(id: Option<&RequestId>) -> Order {
    if id.is_some() { Order::Free } else { Order::Kept }
}

fn message(id: Option<&RequestId>, answer: Result<Arc<Answer>, ApiError>) -> Outgoing {
    match answer {
        Ok(answer) => answer.message(id),
        Err(error) => refusal(id, &error),
    }
}

fn refusal(id: Option<&RequestId>, error: &ApiError) -> Outgoing {
    Outgoing::text([Bytes::from(envelope::error(id, error))])
}

//! The crowd client: thousands of connections in one thread of a process of its own, told in lines of JSON what to do.
//!
//! It does the same for psiod and for the floor server, so its own price is the same on both sides of a ratio.

mod connection;
mod crowd;
mod pipeline;
mod storm;
mod tally;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crowd::Crowd;
use pipeline::Pipeline;

/// What the client is told, one line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Open connections and send on each of them what it is to say; answered by [`Opened`].
    Open(Open),
    /// Read on until every reader has had an event of each stream and nothing more comes for a while; answered by null.
    Settle(Settle),
    /// Count so many ticks from there; answered by [`Watched`].
    Watch {
        /// How many.
        ticks: u32,
    },
    /// Read what the stalled connections have been sent, to the end where there is one; answered by [`Drained`].
    Drain,
    /// Open connections for [`Order::RunPipeline`]; answered by null.
    OpenPipeline(OpenPipeline),
    /// Ask as fast as answers come; answered by [`Piped`].
    RunPipeline {
        /// For so long.
        window_ms: u64,
    },
    /// Come and leave in every way; answered by [`Stormed`].
    Storm(Storm),
}

/// What to open.
#[derive(Debug, Serialize, Deserialize)]
pub struct Open {
    /// On the loopback.
    pub port: u16,
    /// How many that read.
    pub readers: usize,
    /// How many that read no further than the handshake.
    pub stalled: usize,
    /// What each says once it is open.
    pub messages: Vec<String>,
    /// How many messages make a tick: one for each subscription (ids 1, 2, …), or so many of the floor's.
    pub streams: usize,
    /// Whether messages tell their stream and tick (psiod), or are only counted (the floor).
    pub tells_seq: bool,
}

/// What was opened.
#[derive(Debug, Serialize, Deserialize)]
pub struct Opened {
    /// How long it took until the last connection was open.
    pub took_ms: f64,
}

/// When to call it settled.
#[derive(Debug, Serialize, Deserialize)]
pub struct Settle {
    /// Time between ticks.
    pub interval_ms: u64,
}

/// What was counted over some ticks.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Watched {
    /// How many readers got each tick.
    pub got: Vec<u32>,
    /// For each tick, the time from its first byte at any reader to its last message at the last one, ms.
    pub last_receipt_ms: Vec<f64>,
    /// When each tick's first byte came, ms after the first one's.
    pub starts_ms: Vec<f64>,
    /// Time from a tick's first byte at any reader to its last message at each, ms: median.
    pub latency_p50_ms: f64,
    /// The same: 99 of 100 are below.
    pub latency_p99_ms: f64,
    /// Readers that the server let go.
    pub dropped: u32,
    /// Ticks that the server said it skipped.
    pub skipped: u32,
    /// Bytes received.
    pub bytes: u64,
    /// Messages received.
    pub messages: u64,
    /// For each stream, the mean length of its messages.
    pub mean_lengths: Vec<f64>,
}

/// How the stalled connections had fared.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Drained {
    /// The server said 1013 before it closed.
    pub told_1013: u32,
    /// It said another code.
    pub told_other: u32,
    /// It closed in the middle or without a word.
    pub cut_off: u32,
    /// It never closed.
    pub still_open: u32,
}

/// Connections that ask without waiting.
#[derive(Debug, Serialize, Deserialize)]
pub struct OpenPipeline {
    /// On the loopback.
    pub port: u16,
    /// How many.
    pub connections: usize,
    /// Requests on the way on each.
    pub depth: usize,
    /// What is said first, without an answer.
    pub greeting: Option<String>,
    /// What is asked then.
    pub request: String,
}

/// What was answered.
#[derive(Debug, Serialize, Deserialize)]
pub struct Piped {
    /// Answers per second on all connections together.
    pub per_second: f64,
    /// Their mean length.
    pub mean_length: f64,
}

/// How to come and go.
#[derive(Debug, Serialize, Deserialize)]
pub struct Storm {
    /// On the loopback.
    pub port: u16,
    /// How many in all.
    pub connections: usize,
    /// How many at a time.
    pub wave: usize,
    /// What those say that get as far; at least one answer must come.
    pub messages: Vec<String>,
}

/// What a storm met.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Stormed {
    /// Connections that were to wait for an answer.
    pub asked: u32,
    /// Of them, those that had one.
    pub answered: u32,
    /// Connections that the server turned away.
    pub failed: u32,
    /// How long it all took.
    pub took_ms: f64,
}

/// An answer of the client, one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply<T> {
    /// It worked.
    Ok(T),
    /// It did not.
    Error(String),
}

/// A client process: what it has open.
#[derive(Default)]
pub struct Client {
    crowd: Option<Crowd>,
    pipeline: Option<Pipeline>,
}

impl Client {
    /// Does what one line says; returns the line to answer.
    pub fn obey(&mut self, line: &str) -> String {
        let reply = match self.carry_out(line) {
            Ok(answer) => Reply::Ok(answer),
            Err(error) => Reply::Error(format!("{error:#}")),
        };
        serde_json::to_string(&reply).expect("invariant: a JSON value has a text")
    }

    fn carry_out(&mut self, line: &str) -> Result<serde_json::Value> {
        let order = serde_json::from_str(line).with_context(|| format!("no order: {line}"))?;
        let answer = match order {
            Order::Open(open) => {
                let (crowd, opened) = Crowd::open(&open)?;
                self.crowd = Some(crowd);
                serde_json::to_value(opened)
            }
            Order::Settle(settle) => serde_json::to_value(self.crowd()?.settle(&settle)?),
            Order::Watch { ticks } => serde_json::to_value(self.crowd()?.watch(ticks)?),
            Order::Drain => serde_json::to_value(self.crowd()?.drain()?),
            Order::OpenPipeline(open) => {
                self.pipeline = Some(Pipeline::open(&open)?);
                Ok(serde_json::Value::Null)
            }
            Order::RunPipeline { window_ms } => {
                let pipeline = self.pipeline.as_mut().context("no pipeline is open")?;
                serde_json::to_value(pipeline.run(std::time::Duration::from_millis(window_ms))?)
            }
            Order::Storm(storm) => serde_json::to_value(storm::run(&storm)?),
        };
        Ok(answer?)
    }

    fn crowd(&mut self) -> Result<&mut Crowd> {
        self.crowd.as_mut().context("nothing is open")
    }
}

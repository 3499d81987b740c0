//! A bare echo on psiod's own HTTP and WebSocket layers: what a round trip costs before any command is looked at.

use std::net::TcpListener;

use anyhow::{Context, Result};
use bytes::Bytes;
use psiod::server::{Answer, Application, Handler, Health, Message, Order, Outgoing, Peer, Server, Subprotocol};
use tokio::sync::watch;

/// As many as psiod has.
const NETWORK_THREADS: usize = 2;

fn main() -> Result<()> {
    let port = std::env::args().nth(1).context("usage: echo_psiod PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(cores.min(NETWORK_THREADS)).enable_all().build()?;
    // Never told to stop: whoever started it kills it.
    let (_alive, shutdown) = watch::channel(false);
    Ok(runtime.block_on(Server::new(Echo).serve(vec![listener], shutdown))?)
}

struct Echo;

impl Application for Echo {
    fn connect(&self, _: &Peer, _: Subprotocol) -> Box<dyn Handler> {
        Box::new(Echo)
    }

    fn health(&self) -> Health {
        Health { name: "echo", version: "0", pid: std::process::id(), protocol: 1, uptime: 0.0 }
    }
}

impl Handler for Echo {
    fn message(&mut self, message: Message<'_>) -> Answer {
        let echoed = match message {
            Message::Text(text) => Outgoing::text([Bytes::copy_from_slice(text.as_bytes())]),
            Message::Binary(bytes) => Outgoing::binary([Bytes::copy_from_slice(bytes)]),
        };
        Answer::now(Order::Kept, echoed)
    }
}

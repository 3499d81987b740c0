//! An echo on psiod's own WebSocket layer, for the Autobahn test suite: `cargo xtask autobahn` builds and starts it.
//! It says its port on standard output and serves until its standard input ends, so it never outlives who started it.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use anyhow::Result;
use bytes::Bytes;
use psiod::server::{
    Answer, Application, Deflate, Handler, Health, Limits, Message, Order, Outgoing, Peer, Server, Subprotocol,
};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// The largest message of the suite: cases 9.1.6 and 9.2.6.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

fn main() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    writeln!(io::stdout(), "{}", listener.local_addr()?.port())?;
    let (alive, shutdown) = watch::channel(false);
    thread::spawn(move || {
        // Whether it ends or fails to be read: nobody is there any more.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(alive);
    });
    let limits = Limits { max_message: MAX_MESSAGE, ..Limits::default() };
    Ok(Runtime::new()?
        .block_on(Server::new(Echo).limits(limits).deflate(Deflate::Always).serve(vec![listener], shutdown))?)
}

struct Echo;

impl Application for Echo {
    fn connect(&self, _: &Peer, _: Subprotocol) -> Box<dyn Handler> {
        Box::new(Echo)
    }

    fn health(&self) -> Health {
        Health { name: "autobahn_echo", version: "0", pid: std::process::id(), protocol: 1, uptime: 0.0 }
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

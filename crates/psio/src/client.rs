//! A WebSocket connection to psiod that never waits without an end.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tungstenite::handshake::HandshakeError;
use tungstenite::http::Uri;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Larger than every field of some 50,000 processes.
const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// After this long without a word psiod is asked whether it is there, and after twice as long it is not.
const SILENCE: Duration = Duration::from_secs(30);
/// One connection asks one thing, so any id will do.
const ID: u32 = 1;

/// Where a psiod listens.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    url: String,
    host: String,
    port: u16,
    is_given: bool,
}

impl Address {
    /// This port of this machine.
    pub fn local(port: u16) -> Self {
        Self { url: format!("ws://localhost:{port}/"), host: "localhost".to_owned(), port, is_given: false }
    }

    /// `ws://HOST:PORT/`.
    pub fn parse(url: &str) -> Result<Self, String> {
        let parsed: Option<Uri> = url.parse().ok();
        let parts = parsed.as_ref().filter(|url| url.scheme_str() == Some("ws"));
        let Some((host, port)) = parts.and_then(|url| url.host().zip(url.port_u16())) else {
            return Err("expected an address such as ws://localhost:3000/".to_owned());
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { url: url.to_owned(), host, port, is_given: true })
    }

    fn connect(&self) -> anyhow::Result<TcpStream> {
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let addresses = addresses.with_context(|| format!("cannot find the machine of {}", self.url))?;
        let mut failure = io::Error::from(ErrorKind::AddrNotAvailable);
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        if self.is_given || failure.kind() != ErrorKind::ConnectionRefused {
            return Err(failure).with_context(|| format!("no psiod answers at {}", self.url));
        }
        let line =
            if self.port == psiod::config::DEFAULT_PORT { String::new() } else { format!(" --port {}", self.port) };
        bail!("psiod is not running on port {}; `psio{line}` starts it", self.port)
    }
}

/// A connection.
pub struct Client {
    socket: WebSocket<TcpStream>,
    /// When psiod last sent anything.
    heard: Instant,
    has_pinged: bool,
}

impl Client {
    /// Connects and shakes hands.
    pub fn connect(address: &Address) -> anyhow::Result<Self> {
        let stream = address.connect()?;
        let url = &address.url;
        let prepared = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(CONNECT_PATIENCE)));
        prepared.with_context(|| format!("cannot prepare the connection to {url}"))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let (socket, _) = match tungstenite::client::client_with_config(url, stream, Some(config)) {
            Ok(connected) => connected,
            Err(HandshakeError::Interrupted(_)) => {
                bail!("{url} takes connections but has not answered within {} s", CONNECT_PATIENCE.as_secs())
            }
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                bail!("{url} is not a psiod that lets psio in: it answered HTTP {}", answer.status())
            }
            Err(HandshakeError::Failure(error)) => bail!("{url} is not a psiod: {error}"),
        };
        socket.get_ref().set_nonblocking(true).with_context(|| format!("cannot prepare the connection to {url}"))?;
        Ok(Self { socket, heard: Instant::now(), has_pinged: false })
    }

    /// Asks a command and returns the `data` of its answer, as psiod wrote it.
    pub fn ask(&mut self, name: &str, params: &Map<String, Value>) -> anyhow::Result<Box<RawValue>> {
        self.send(&json!({"type": "command", "id": ID, "data": data(name, params)}))?;
        let deadline = Instant::now() + ANSWER_PATIENCE;
        loop {
            while let Some(text) = self.received()? {
                if let Some(Incoming::Answer(data)) = Incoming::parse(&text)? {
                    return Ok(data.to_owned());
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("psiod has not answered within {} s", ANSWER_PATIENCE.as_secs());
            }
            self.wait(&mut [], left)?;
        }
    }

    /// Asks for events; the answer and the events are [`received`](Self::received).
    pub fn subscribe(
        &mut self,
        name: &str,
        params: &Map<String, Value>,
        interval: Option<Duration>,
    ) -> anyhow::Result<()> {
        let mut request = json!({"type": "subscribe", "id": ID});
        if let Some(interval) = interval {
            request["interval"] = json!(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
        }
        request["data"] = data(name, params);
        self.send(&request)
    }

    fn send(&mut self, request: &Value) -> anyhow::Result<()> {
        let deadline = Instant::now() + ANSWER_PATIENCE;
        let mut sent = self.socket.send(Message::text(request.to_string()));
        while let Err(Error::Io(error)) = &sent
            && error.kind() == ErrorKind::WouldBlock
            && Instant::now() < deadline
        {
            poll_for(&mut [PollFd::new(self.socket.get_ref(), PollFlags::OUT)], ANSWER_PATIENCE)?;
            sent = self.socket.flush();
        }
        sent.map_err(gone)
    }

    /// A message, if one has come.
    pub fn received(&mut self) -> anyhow::Result<Option<Utf8Bytes>> {
        loop {
            match self.socket.read() {
                Ok(message) => {
                    (self.heard, self.has_pinged) = (Instant::now(), false);
                    match message {
                        Message::Text(text) => return Ok(Some(text)),
                        Message::Close(Some(frame)) => bail!("psiod closed the connection: {frame}"),
                        Message::Close(None) => bail!("psiod closed the connection"),
                        _ => {}
                    }
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(gone(error)),
            }
        }
    }

    /// Waits until something can be received, one of `others` is ready, or this long. Looks after a psiod that says
    /// nothing.
    pub fn wait(&mut self, others: &mut [Watched<'_>], longest: Duration) -> anyhow::Result<()> {
        let silence = self.heard.elapsed();
        if silence > SILENCE && !self.has_pinged {
            self.has_pinged = true;
            self.socket.send(Message::Ping(Default::default())).map_err(gone)?;
        }
        if silence > 2 * SILENCE {
            bail!("psiod has not said anything for {} s", silence.as_secs());
        }
        let next_look = if self.has_pinged { 2 * SILENCE } else { SILENCE } + Duration::from_millis(1);
        let mut watched = vec![PollFd::new(self.socket.get_ref(), PollFlags::IN)];
        watched.extend(others.iter().map(|other| PollFd::from_borrowed_fd(other.descriptor, other.wanted)));
        poll_for(&mut watched, longest.min(next_look.saturating_sub(silence)))?;
        for (other, poll) in others.iter_mut().zip(&watched[1..]) {
            other.found = poll.revents();
        }
        Ok(())
    }
}

/// A descriptor that [`Client::wait`] watches besides its own.
pub struct Watched<'a> {
    descriptor: BorrowedFd<'a>,
    wanted: PollFlags,
    found: PollFlags,
}

impl<'a> Watched<'a> {
    /// Wakes when this can be read.
    pub fn readable(descriptor: &'a impl AsFd) -> Self {
        Self { descriptor: descriptor.as_fd(), wanted: PollFlags::IN, found: PollFlags::empty() }
    }

    /// Wakes when nobody reads any more what is written here.
    pub fn written(descriptor: &'a impl AsFd) -> Self {
        Self { descriptor: descriptor.as_fd(), wanted: PollFlags::empty(), found: PollFlags::empty() }
    }

    /// Whether the other end is gone.
    pub fn is_gone(&self) -> bool {
        self.found.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
    }

    /// Whether there is something to read.
    pub fn is_ready(&self) -> bool {
        self.found.contains(PollFlags::IN)
    }
}

fn poll_for(descriptors: &mut [PollFd<'_>], longest: Duration) -> anyhow::Result<()> {
    let longest = Timespec::try_from(longest).context("cannot wait that long")?;
    match poll(descriptors, Some(&longest)) {
        // INTR: a signal, which the caller has a descriptor for.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("cannot wait for psiod"),
    }
}

fn data(name: &str, params: &Map<String, Value>) -> Value {
    let name = std::iter::once(("name".to_owned(), name.into()));
    Value::Object(name.chain(params.clone()).collect())
}

fn gone(error: Error) -> anyhow::Error {
    match error {
        Error::Capacity(_) => {
            anyhow!("psiod sent more than {} MiB at once; ask for less of it", MAX_MESSAGE_BYTES >> 20)
        }
        Error::Io(error) => anyhow!("psiod went away: {error}"),
        error => anyhow!("psiod went away: {error}"),
    }
}

/// What psiod sends, as far as psio asks for it.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// The `data` of an answer.
    Answer(&'a RawValue),
    /// An event of a subscription.
    Event(Event<'a>),
}

/// An event; each member is as psiod wrote it.
#[derive(Debug)]
pub struct Event<'a> {
    pub seq: Option<&'a RawValue>,
    pub time: Option<&'a RawValue>,
    pub meta: Option<&'a RawValue>,
    pub data: &'a RawValue,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: String,
    id: Option<Value>,
    #[serde(borrow)]
    seq: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl<'a> Incoming<'a> {
    /// Reads a message; a refusal and the end of a subscription are errors, what was not asked for is nothing.
    pub fn parse(text: &'a str) -> anyhow::Result<Option<Self>> {
        let Envelope { kind, id, seq, time, meta, data } =
            serde_json::from_str(text).context("psiod sent what is no message of its protocol")?;
        if id.is_some_and(|id| id != ID) {
            return Ok(None);
        }
        match kind.as_str() {
            "response" => Ok(Some(Self::Answer(data))),
            "event" => Ok(Some(Self::Event(Event { seq, time, meta, data }))),
            "error" | "end" => {
                let refusal: Refusal = serde_json::from_str(data.get()).context("psiod refused, and said not why")?;
                Err(anyhow!(refusal.message))
            }
            // Version 1 of the protocol may add types.
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_scheme_host_and_port() {
        let address = |url| Address::parse(url).map(|address| (address.host, address.port));
        assert_eq!(address("ws://localhost:3000/"), Ok(("localhost".to_owned(), 3000)));
        assert_eq!(address("ws://[::1]:80"), Ok(("::1".to_owned(), 80)));
        for url in ["", "localhost:3000", "http://localhost:3000/", "wss://localhost:3000/", "ws://localhost/", "ws://"]
        {
            assert!(address(url).unwrap_err().contains("ws://localhost:3000/"), "{url}");
        }
    }

    #[test]
    fn an_answer_is_kept_to_the_letter() {
        let text = r#"{"type":"response","id":1,"data":{"a" : 1.50}}"#;
        let Ok(Some(Incoming::Answer(data))) = Incoming::parse(text) else { panic!("an answer") };
        assert_eq!(data.get(), r#"{"a" : 1.50}"#);
    }

    #[test]
    fn a_refusal_and_an_end_are_errors_with_psiods_words() {
        for kind in ["error", "end"] {
            let text = format!(r#"{{"type":"{kind}","id":1,"data":{{"code":"not_found","message":"no process 7"}}}}"#);
            assert_eq!(Incoming::parse(&text).unwrap_err().to_string(), "no process 7");
        }
        // What psiod could not read it answers without an id.
        assert!(Incoming::parse(r#"{"type":"error","data":{"code":"bad_json","message":"m"}}"#).is_err());
    }

    #[test]
    fn what_was_not_asked_for_is_nothing() {
        for text in [r#"{"type":"response","id":2,"data":1}"#, r#"{"type":"newer","id":1,"data":1}"#] {
            assert!(Incoming::parse(text).unwrap().is_none(), "{text}");
        }
        assert!(Incoming::parse("hello").is_err());
    }
}

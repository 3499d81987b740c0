//! A server with a handler that does as it is told, and a client that can misbehave.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use psiod::server::{
    Answer, Application, Deflate, Handler, Head, Health, Kind, Limits, Message, Order, Outgoing, Peer, Server, Shared,
    Subprotocol,
};
use tokio::sync::{oneshot, watch};

/// Longer than anything takes that is not broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the server side tells the test.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Connected,
    Message(String),
    Gone,
}

/// A running server, stopped when dropped.
pub struct TestServer {
    pub address: SocketAddr,
    seen: Mutex<Receiver<Seen>>,
    held: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
    big: Arc<()>,
    shutdown: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

struct Script {
    seen: Sender<Seen>,
    held: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
    list: Arc<Shared>,
    big: Arc<()>,
}

struct Connection {
    seen: Sender<Seen>,
    held: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
    list: Arc<Shared>,
    big: Arc<()>,
    subprotocol: Subprotocol,
    to_push: Vec<String>,
}

/// Bytes that are counted as long as somebody has them.
struct Big(Vec<u8>, #[expect(dead_code, reason = "it is there to be counted")] Arc<()>);

impl AsRef<[u8]> for Big {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn big(size: usize, counted: &Arc<()>) -> Bytes {
    Bytes::from_owner(Big(vec![b'x'; size], Arc::clone(counted)))
}

/// What `list` answers, after its head.
pub fn list() -> String {
    (0..2000).map(|pid| format!("{{\"pid\":{pid},\"name\":\"worker {}\"}},", pid * 7919 % 1000)).collect()
}

/// The size of what `GET /big` answers: more than the sockets hold.
pub const BIG_PAGE: usize = 50_000_000;

impl Application for Script {
    fn connect(&self, peer: &Peer, subprotocol: Subprotocol) -> Box<dyn Handler> {
        assert!(peer.address.ip().is_loopback());
        let _ = self.seen.send(Seen::Connected);
        Box::new(Connection {
            seen: self.seen.clone(),
            held: Arc::clone(&self.held),
            list: Arc::clone(&self.list),
            big: Arc::clone(&self.big),
            subprotocol,
            to_push: Vec::new(),
        })
    }

    fn routes(&self) -> axum::Router {
        let counted = Arc::clone(&self.big);
        axum::Router::new().route("/big", axum::routing::get(async move || big(BIG_PAGE, &counted)))
    }

    fn health(&self) -> Health {
        Health { name: "psiod", version: "1.2.3", pid: 4321, protocol: 1, uptime: 5.5 }
    }
}

impl Handler for Connection {
    /// `big N` answers N bytes; `list HEAD` answers HEAD and the shared list; `push X` pushes X; `hold X` answers X when the test releases it, in turn; `free X` is an
    /// echo that may overtake; anything else is echoed in turn. Binary messages are answered with their size.
    fn message(&mut self, message: Message<'_>) -> Answer {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(bytes) => return Answer::now(Order::Kept, say(format!("binary {}", bytes.len()))),
        };
        if text.len() < 100 {
            let _ = self.seen.send(Seen::Message(text.to_owned()));
        }
        match text.split_once(' ') {
            Some(("big", size)) => Answer::now(Order::Kept, Outgoing::text([big(size.parse().unwrap(), &self.big)])),
            Some(("list", head)) => {
                Answer::now(Order::Kept, Outgoing::shared(Kind::Text, Head::from_slice(head.as_bytes()), &self.list))
            }
            Some(("push", rest)) => {
                self.to_push.push(rest.to_owned());
                Answer::now(Order::Kept, say("it will be".to_owned()))
            }
            _ if text == "subprotocol" => Answer::now(Order::Kept, say(format!("{:?}", self.subprotocol))),
            Some(("free", rest)) => Answer::now(Order::Free, say(rest.to_owned())),
            Some(("hold", rest)) => {
                let (release, released) = oneshot::channel();
                self.held.lock().unwrap().push(release);
                let answer = say(rest.to_owned());
                Answer::later(Order::Kept, async {
                    let _ = released.await;
                    answer
                })
            }
            _ => Answer::now(Order::Kept, say(text.to_owned())),
        }
    }

    fn poll_push(&mut self, _: &mut Context<'_>, push: &mut dyn FnMut(Outgoing)) {
        self.to_push.drain(..).for_each(|text| push(say(text)));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.seen.send(Seen::Gone);
    }
}

fn say(text: String) -> Outgoing {
    Outgoing::text([Bytes::from(text)])
}

impl TestServer {
    pub fn start() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self::with(limits, Deflate::default())
    }

    pub fn with(limits: Limits, deflate: Deflate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stop) = watch::channel(false);
        let (seen, seeing) = channel();
        let (held, big) = (Arc::default(), Arc::default());
        let list = Arc::new(Shared::new(list()));
        let script = Script { seen, held: Arc::clone(&held), list, big: Arc::clone(&big) };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(Server::new(script).limits(limits).deflate(deflate).serve(vec![listener], stop)).unwrap();
        });
        Self { address, seen: Mutex::new(seeing), held, big, shutdown, thread: Some(thread) }
    }

    /// The next thing the handlers saw.
    pub fn next_seen(&self) -> Seen {
        self.seen.lock().unwrap().recv_timeout(PATIENCE).expect("the server sees something")
    }

    /// Waits for `wanted`; how many other things came before it.
    pub fn wait_for(&self, wanted: &Seen) -> usize {
        (0..).find(|_| self.next_seen() == *wanted).unwrap()
    }

    /// Lets every held answer go, the newest first.
    pub fn release(&self) {
        self.held.lock().unwrap().drain(..).rev().for_each(|held| held.send(()).unwrap());
    }

    /// Waits until this many answers are held.
    pub fn wait_for_held(&self, count: usize) {
        let start = std::time::Instant::now();
        while self.held.lock().unwrap().len() < count {
            assert!(start.elapsed() < PATIENCE, "{count} answers are held");
            std::thread::yield_now();
        }
    }

    /// Waits until of all the big answers made no more than `count` are in memory.
    pub fn wait_for_big(&self, count: usize) {
        let start = std::time::Instant::now();
        // The test, the application and every open connection count theirs too.
        while Arc::strong_count(&self.big).saturating_sub(3) > count {
            assert!(start.elapsed() < PATIENCE, "{} big answers are in memory", Arc::strong_count(&self.big));
            std::thread::yield_now();
        }
    }

    pub fn tell_to_stop(&self) {
        self.shutdown.send_replace(true);
    }

    /// Waits until the server has returned.
    pub fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// A plain connection whose reads do not hang for ever.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// One request on a connection of its own, and all of its answer.
    pub fn request(&self, head: &str) -> Response {
        let mut stream = self.connect();
        write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
        Response::read(stream)
    }

    /// `GET path` as curl would send it.
    pub fn get(&self, path: &str, headers: &str) -> Response {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}", self.address))
    }

    /// A WebSocket without a client library behind it.
    pub fn raw(&self) -> Raw {
        self.raw_with("").0
    }

    /// The same with more headers, and the answer to them.
    pub fn raw_with(&self, more: &str) -> (Raw, Response) {
        let mut stream = self.connect();
        stream.write_all(self.handshake(more).as_bytes()).unwrap();
        let head = read_head(&mut stream).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        (Raw(stream), Response { status: 101, head, body: Vec::new() })
    }

    /// A good handshake, with more headers.
    pub fn handshake(&self, more: &str) -> String {
        format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
            self.address
        )
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.tell_to_stop();
        self.join();
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn read(mut stream: TcpStream) -> Self {
        let head = read_head(&mut stream).unwrap();
        let mut body = Vec::new();
        stream.read_to_end(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// A WebSocket client that sends whatever it is told.
pub struct Raw(pub TcpStream);

impl Raw {
    /// Sends a masked frame with this first byte.
    pub fn send(&mut self, first: u8, payload: &[u8]) {
        self.0.write_all(&frame(first, payload)).unwrap();
    }

    /// The next frame's first byte and payload.
    pub fn receive(&mut self) -> (u8, Vec<u8>) {
        self.try_receive().unwrap()
    }

    pub fn try_receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let size = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length)?;
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.0.read_exact(&mut length)?;
                u64::from_be_bytes(length) as usize
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; size];
        self.0.read_exact(&mut payload)?;
        Ok((head[0], payload))
    }

    pub fn receive_text(&mut self) -> String {
        let (first, payload) = self.receive();
        assert_eq!(first, 0x81);
        String::from_utf8(payload).unwrap()
    }

    /// Expects a close frame with `code`, then the end of the stream.
    pub fn expect_close(&mut self, code: u16) {
        let (first, payload) = self.receive();
        assert_eq!((first, &payload[..2]), (0x88, &code.to_be_bytes()[..]), "{payload:?}");
        self.expect_end();
    }

    pub fn expect_end(&mut self) {
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0);
    }
}

/// A masked frame as a client sends it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = vec![first];
    match payload.len() {
        size @ 0..126 => bytes.push(0x80 | size as u8),
        size @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((size as u16).to_be_bytes());
        }
        size => {
            bytes.push(0x80 | 127);
            bytes.extend((size as u64).to_be_bytes());
        }
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

//! Clients that are silent or do not read, and how long that is borne.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use psiod::server::Limits;

use crate::support::{BIG_PAGE, PATIENCE, Raw, Seen, TestServer, frame};

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

const BIG: usize = 2_000_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_silent_client_is_pinged_and_lives_while_anything_is_heard_of_it() {
    let limits = Limits { ping_interval: ms(50), gone_after: ms(600), ..Limits::default() };
    let server = TestServer::with_limits(limits);
    let (mut polite, mut slow) = (server.raw(), server.raw());
    let start = Instant::now();
    let message = frame(TEXT, &[b'a'; 90]);
    let mut bytes = message.chunks(1);
    while start.elapsed() < ms(1500) {
        assert_eq!(polite.receive(), (PING, vec![]));
        polite.send(PONG, b"");
        assert_eq!(slow.receive(), (PING, vec![]));
        slow.0.write_all(bytes.next().unwrap()).unwrap();
    }
    polite.send(TEXT, b"still here");
    assert_eq!(polite.receive_text(), "still here");
}

#[test]
fn a_client_of_which_nothing_is_heard_is_gone() {
    let limits = Limits { ping_interval: ms(100), gone_after: ms(300), ..Limits::default() };
    let server = TestServer::with_limits(limits);
    let start = Instant::now();
    let mut client = server.raw();
    assert_eq!(client.receive(), (PING, vec![]));
    assert!(start.elapsed() >= ms(100));
    // One ping, and no more until the end.
    client.expect_end();
    assert!(start.elapsed() >= ms(300));
    server.wait_for(&Seen::Gone);
}

#[test]
fn a_client_that_is_not_read_from_is_not_taken_for_gone() {
    let limits = Limits { ping_interval: ms(20), gone_after: ms(60), max_pending: 1, ..Limits::default() };
    let server = TestServer::with_limits(limits);
    let mut client = server.raw();
    client.send(TEXT, b"hold on");
    server.wait_for_held(1);
    std::thread::sleep(ms(300));
    server.release();
    assert_eq!(client.receive_text(), "on");
}

/// A client that asked for much and reads nothing, when the server has just given up on it.
fn stalled(server: &TestServer, requests: usize) -> Raw {
    let mut client = server.raw();
    let requests: Vec<u8> = (0..requests).flat_map(|_| frame(TEXT, format!("big {BIG}").as_bytes())).collect();
    client.0.write_all(&requests).unwrap();
    server.wait_for(&Seen::Gone);
    client
}

#[test]
fn a_client_that_reads_too_late_finds_whole_answers_and_the_reason() {
    let server = TestServer::with_limits(Limits { write_timeout: ms(200), ..Limits::default() });
    let mut client = stalled(&server, 100);
    let mut whole = 0;
    loop {
        let (first, payload) = client.receive();
        if first == CLOSE {
            assert_eq!(payload, [&1013_u16.to_be_bytes()[..], b"does not read"].concat());
            break;
        }
        assert_eq!((first, payload.len()), (TEXT, BIG));
        whole += 1;
    }
    // What the kernel had swallowed, and the one it was in.
    assert!((1..10).contains(&whole), "{whole} answers came");
    client.expect_end();
}

#[test]
fn what_a_stalled_client_will_not_get_is_forgotten_at_once() {
    let server = TestServer::with_limits(Limits { write_timeout: ms(200), ..Limits::default() });
    let _clients: Vec<Raw> = (0..5).map(|_| stalled(&server, 100)).collect();
    server.wait_for_big(5);
}

#[test]
fn a_client_that_never_reads_is_dropped_in_the_end() {
    let server =
        TestServer::with_limits(Limits { write_timeout: ms(200), collect_timeout: ms(300), ..Limits::default() });
    // So many requests that some stay in the server's socket: closing it resets the connection.
    let client = stalled(&server, 20_000);
    let start = Instant::now();
    while client.0.take_error().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "the connection is still there");
        std::thread::sleep(ms(5));
    }
    server.wait_for_big(0);
}

#[test]
fn a_download_that_is_not_read_is_dropped() {
    let server = TestServer::with_limits(Limits { write_timeout: ms(200), ..Limits::default() });
    let mut stream = server.connect();
    write!(stream, "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    server.wait_for_big(0);
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(rest.len() < BIG_PAGE - 1000);
}

#[test]
fn a_download_that_is_read_slowly_arrives_whole() {
    let server = TestServer::with_limits(Limits { write_timeout: ms(400), ..Limits::default() });
    let mut stream = server.connect();
    write!(stream, "GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let (mut read, mut piece) = (0, vec![0; BIG_PAGE / 10]);
    loop {
        let mut filled = 0;
        while filled < piece.len() {
            match stream.read(&mut piece[filled..]).unwrap() {
                0 => break,
                size => filled += size,
            }
        }
        read += filled;
        if filled < piece.len() {
            break;
        }
        std::thread::sleep(ms(60));
    }
    assert!((BIG_PAGE..BIG_PAGE + 2000).contains(&read), "{read}");
}

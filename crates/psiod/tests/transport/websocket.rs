//! Frames and connections.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use psiod::server::Limits;
use tungstenite::Message;

use crate::support::{Seen, TestServer, frame};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

#[test]
fn a_client_library_gets_its_answers_and_a_clean_close() {
    let server = TestServer::start();
    let (mut socket, _) = tungstenite::client("ws://localhost:3000/", server.connect()).unwrap();
    for size in [0, 1, 125, 126, 4096, 65_535] {
        let text = "é".repeat(size / 2);
        socket.send(Message::text(&text)).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text(text));
    }
    socket.send(Message::binary(vec![0xff; 1000])).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("binary 1000"));
    socket.close(None).unwrap();
    assert!(matches!(socket.read(), Ok(Message::Close(None))));
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn a_fragmented_message_may_have_a_ping_in_its_middle() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(0x01, b"one ");
    client.send(PING, b"are you there");
    assert_eq!(client.receive(), (PONG, b"are you there".to_vec()));
    client.send(0x80, b"message");
    assert_eq!(client.receive_text(), "one message");
}

#[test]
fn what_came_with_the_handshake_is_not_lost() {
    let server = TestServer::start();
    let mut stream = server.connect();
    let bytes = [server.handshake("").into_bytes(), frame(TEXT, b"early")].concat();
    stream.write_all(&bytes).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"early") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
}

#[test]
fn an_oversize_message_is_refused_before_it_is_sent() {
    let server = TestServer::start();
    let mut client = server.raw();
    let huge = [&[TEXT, 0xff][..], &(100u64 << 20).to_be_bytes(), &[0; 4]].concat();
    client.0.write_all(&huge).unwrap();
    let (first, payload) = client.receive();
    assert_eq!((first, &payload[..2]), (CLOSE, &1009u16.to_be_bytes()[..]));
    // The server reads on, so that the close is not lost in a reset; what it reads goes nowhere.
    client.0.write_all(&[0; 100_000]).unwrap();
    client.0.shutdown(Shutdown::Write).unwrap();
    client.expect_end();
    assert_eq!(server.next_seen(), Seen::Connected);
    assert_eq!(server.next_seen(), Seen::Gone);
}

#[test]
fn violations_close_with_their_code() {
    let server = TestServer::start();
    let cases = [
        ("unmasked", b"\x81\x02hi".to_vec(), 1002),
        ("reserved bit", frame(0xc1, b""), 1002),
        ("reserved opcode", frame(0x83, b""), 1002),
        ("bad UTF-8", frame(TEXT, b"\xff"), 1007),
        ("bad UTF-8 across fragments", [frame(0x01, b"\xed"), frame(0x00, b"\xa0")].concat(), 1007),
        ("too large in fragments", [frame(0x01, &[b'a'; 60_000]), frame(0x80, &[b'a'; 6_000])].concat(), 1009),
        ("bad close code", frame(CLOSE, &1005u16.to_be_bytes()), 1002),
    ];
    for (name, bytes, code) in cases {
        let mut client = server.raw();
        client.0.write_all(&bytes).unwrap();
        client.expect_close(code);
        drop(client);
        assert_eq!(server.wait_for(&Seen::Gone), 1, "{name}: no message reached the handler");
    }
}

#[test]
fn a_close_is_answered_with_its_code() {
    let server = TestServer::start();
    for payload in [&b""[..], b"\x03\xe8", b"\x0f\xa0"] {
        let mut client = server.raw();
        client.send(CLOSE, payload);
        assert_eq!(client.receive(), (CLOSE, payload.to_vec()));
        client.expect_end();
    }
}

#[test]
fn a_thousand_pipelined_messages_are_answered_in_order() {
    let server = TestServer::start();
    let mut client = server.raw();
    let requests: Vec<u8> = (0..1000).flat_map(|n| frame(TEXT, format!("request {n}").as_bytes())).collect();
    client.0.write_all(&requests).unwrap();
    for n in 0..1000 {
        assert_eq!(client.receive_text(), format!("request {n}"));
    }
}

#[test]
fn an_answer_in_turn_waits_for_the_earlier_and_a_free_one_overtakes() {
    let server = TestServer::start();
    let mut client = server.raw();
    for request in ["hold first", "hold second", "third", "free overtaking"] {
        client.send(TEXT, request.as_bytes());
    }
    assert_eq!(client.receive_text(), "overtaking");
    server.release();
    for answer in ["first", "second", "third"] {
        assert_eq!(client.receive_text(), answer);
    }
}

#[test]
fn a_client_that_keeps_asking_is_told_what_is_pushed_meanwhile() {
    let server = TestServer::start();
    let mut client = server.raw();
    let requests: Vec<u8> = (0..20_000).flat_map(|_| frame(TEXT, &[b'a'; 200])).collect();
    client.0.write_all(&[frame(TEXT, b"push pushed"), requests].concat()).unwrap();
    assert_eq!(client.receive_text(), "it will be");
    let before = (0..).find(|_| client.receive_text() == "pushed").unwrap();
    assert!(before < 5_000, "{before} answers came before it");
}

#[test]
fn the_handler_is_told_the_subprotocol() {
    let server = TestServer::start();
    for (offer, spoken) in [("psio.v1.msgpack", "MsgPack"), ("psio.v1.json", "Json"), ("mqtt", "Json")] {
        let (mut client, response) = server.raw_with(&format!("Sec-WebSocket-Protocol: {offer}\r\n"));
        assert_eq!(response.header("sec-websocket-protocol"), Some(offer).filter(|offer| *offer != "mqtt"));
        client.send(TEXT, b"subprotocol");
        assert_eq!(client.receive_text(), spoken);
    }
}

#[test]
fn a_client_with_too_many_pending_answers_is_not_read_from() {
    let server = TestServer::with_limits(Limits { max_pending: 4, ..Limits::default() });
    let mut client = server.raw();
    let requests: Vec<u8> = (0..10).flat_map(|n| frame(TEXT, format!("hold {n}").as_bytes())).collect();
    client.0.write_all(&requests).unwrap();
    assert_eq!(server.wait_for(&Seen::Message("hold 3".into())), 4);
    for n in 0..10 {
        // Only what has been read is held: each answer lets in one request more.
        if n % 4 == 0 {
            server.wait_for_held(4.min(10 - n));
            server.release();
        }
        assert_eq!(client.receive_text(), n.to_string());
    }
}

#[test]
fn what_was_asked_before_a_close_is_answered_before_it() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(TEXT, b"hold on");
    client.send(CLOSE, b"\x03\xe8");
    server.wait_for_held(1);
    server.release();
    assert_eq!(client.receive_text(), "on");
    client.expect_close(1000);
}

#[test]
fn a_client_that_shuts_its_side_is_still_answered() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(TEXT, b"last words");
    client.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive_text(), "last words");
    client.expect_end();
}

#[test]
fn a_reader_that_stalls_is_held_back_then_dropped_and_others_notice_nothing() {
    let server = TestServer::with_limits(Limits { write_timeout: Duration::from_millis(300), ..Limits::default() });
    let mut stalled = server.raw();
    let requests: Vec<u8> = (0..100).flat_map(|_| frame(TEXT, b"big 2000000")).collect();
    stalled.0.write_all(&requests).unwrap();

    let mut other = server.raw();
    for n in 0..100 {
        other.send(TEXT, format!("free {n}").as_bytes());
        assert_eq!(other.receive_text(), n.to_string());
    }
    let mut big = 0;
    loop {
        match server.next_seen() {
            Seen::Message(text) if text.starts_with("big") => big += 1,
            Seen::Gone => break,
            _ => {}
        }
    }
    // 4 MiB in the outbox and what the kernel's buffers swallow; never the hundred.
    assert!((3..20).contains(&big), "{big} answers were made for a client that reads none");
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_an_answer_hurts_nobody() {
    let server = TestServer::start();
    let mut other = server.raw();
    for _ in 0..20 {
        let mut client = server.raw();
        client.send(TEXT, b"big 8000000");
        client.0.read_exact(&mut [0; 100]).unwrap();
        drop(client);
        server.wait_for(&Seen::Gone);
        other.send(TEXT, b"still there");
        assert_eq!(other.receive_text(), "still there");
    }
}

#[test]
fn a_large_answer_arrives_whole() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(TEXT, b"big 20000000");
    assert_eq!(client.receive_text().len(), 20_000_000);
}

#[test]
fn at_shutdown_every_client_is_told_and_the_server_returns() {
    let mut server = TestServer::start();
    let (mut polite, mut held) = (server.raw(), server.raw());
    held.send(TEXT, b"hold never");
    server.wait_for(&Seen::Message("hold never".into()));
    server.tell_to_stop();
    for client in [&mut polite, &mut held] {
        let (first, payload) = client.receive();
        assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
        client.send(CLOSE, b"\x03\xe9");
        client.expect_end();
    }
    drop((polite, held));
    server.join();
}

#[test]
fn a_client_that_does_not_answer_a_close_does_not_hold_the_server() {
    let limits = Limits { close_timeout: Duration::from_millis(100), ..Limits::default() };
    let mut server = TestServer::with_limits(limits);
    let mut silent = server.raw();
    silent.send(TEXT, b"hello");
    assert_eq!(silent.receive_text(), "hello");
    server.tell_to_stop();
    server.join();
    assert_eq!(silent.receive().0, CLOSE);
}

#[test]
fn binary_messages_reach_the_handler() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(BINARY, &[0xff; 300]);
    assert_eq!(client.receive_text(), "binary 300");
}

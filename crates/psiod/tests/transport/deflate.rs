//! permessage-deflate, both ways.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use psiod::server::{Deflate, Limits};

use crate::support::{Raw, TestServer, frame, list};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
const TEXT: u8 = 0x81;
const COMPRESSED_TEXT: u8 = 0xc1;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

fn server() -> TestServer {
    TestServer::with(Limits::default(), Deflate::Always)
}

fn client(server: &TestServer) -> Raw {
    let (client, response) = server.raw_with(OFFER);
    let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(response.header("sec-websocket-extensions"), Some(agreed));
    client
}

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(plain.len() + 1000);
    Compress::new(Compression::best(), false).compress_vec(plain, &mut packed, FlushCompress::Sync).unwrap();
    packed.truncate(packed.len() - 4);
    packed
}

/// A message's payload, as a client inflates it that has this window.
fn unpacked(packed: &[u8], window_bits: u8) -> String {
    let all = [packed, &[0, 0, 0xff, 0xff]].concat();
    let mut decoder = Decompress::new_with_window_bits(false, window_bits);
    let mut plain = Vec::new();
    let mut piece = [0; 200];
    loop {
        let (read, written) = (decoder.total_in() as usize, decoder.total_out());
        decoder.decompress(&all[read..], &mut piece, FlushDecompress::None).unwrap();
        let size = (decoder.total_out() - written) as usize;
        plain.extend_from_slice(&piece[..size]);
        if size < piece.len() {
            return String::from_utf8(plain).unwrap();
        }
    }
}

#[test]
fn a_client_of_this_machine_gets_none_unless_asked_for() {
    let server = TestServer::start();
    let (mut client, response) = server.raw_with(OFFER);
    assert_eq!(response.header("sec-websocket-extensions"), None);
    client.send(COMPRESSED_TEXT, &packed(b"hello"));
    client.expect_close(1002);
}

#[test]
fn a_client_that_offers_none_gets_none() {
    let server = server();
    let mut client = server.raw();
    client.send(TEXT, b"list head");
    assert_eq!(client.receive_text(), format!("head{}", list()));
}

#[test]
fn compressed_questions_are_answered_compressed() {
    let server = server();
    let mut client = client(&server);
    for head in ["{\"id\":1}", "", "another"] {
        client.send(COMPRESSED_TEXT, &packed(format!("list {head}").as_bytes()));
        let (first, payload) = client.receive();
        assert_eq!(first, COMPRESSED_TEXT);
        assert!(payload.len() < list().len() / 2, "{}", payload.len());
        assert_eq!(unpacked(&payload, 15), format!("{head}{}", list()));
    }
    client.send(TEXT, b"big 10000");
    let (first, payload) = client.receive();
    assert_eq!((first, unpacked(&payload, 15)), (COMPRESSED_TEXT, "x".repeat(10_000)));
}

#[test]
fn short_answers_stay_as_they_are() {
    let server = server();
    let mut client = client(&server);
    client.send(COMPRESSED_TEXT, &packed(b"short"));
    assert_eq!(client.receive_text(), "short");
}

#[test]
fn a_client_with_a_small_window_can_read_what_it_gets() {
    let server = server();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n";
    let (mut client, response) = server.raw_with(offer);
    let agreed = response.header("sec-websocket-extensions").unwrap();
    assert!(agreed.ends_with("; server_max_window_bits=9"), "{agreed}");
    for question in [&b"list head"[..], b"big 10000"] {
        client.send(TEXT, question);
        let (first, payload) = client.receive();
        assert_eq!(first, COMPRESSED_TEXT);
        let expected = if question.starts_with(b"list") { format!("head{}", list()) } else { "x".repeat(10_000) };
        assert_eq!(unpacked(&payload, 9), expected);
    }
}

#[test]
fn a_compressed_message_may_come_in_fragments_with_a_ping_between() {
    let server = server();
    let mut client = client(&server);
    let payload = packed("fragmented ".repeat(20).as_bytes());
    let (first, second) = payload.split_at(9);
    client.send(0x41, first);
    client.send(PING, b"");
    assert_eq!(client.receive(), (PONG, vec![]));
    client.send(0x80, second);
    assert_eq!(client.receive_text(), "fragmented ".repeat(20));
}

#[test]
fn violations_close_with_their_code() {
    let server = server();
    let bomb = packed(&vec![0; 20_000_000]);
    assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
    let cases = [
        ("a compressed ping", frame(0xc9, b""), 1002),
        ("a compressed continuation", [frame(0x41, b""), frame(0xc0, b"")].concat(), 1002),
        ("another reserved bit", frame(0xa1, b""), 1002),
        ("a bomb", frame(COMPRESSED_TEXT, &bomb), 1009),
        ("no deflate data", frame(COMPRESSED_TEXT, &[0xff; 100]), 1007),
        ("bad UTF-8", frame(COMPRESSED_TEXT, &packed(b"\xff")), 1007),
    ];
    for (name, bytes, code) in cases {
        let mut client = client(&server);
        std::io::Write::write_all(&mut client.0, &bytes).unwrap();
        let (first, payload) = client.receive();
        assert_eq!((first, &payload[..2]), (0x88, &u16::to_be_bytes(code)[..]), "{name}");
    }
    let mut other = client(&server);
    other.send(COMPRESSED_TEXT, &packed(b"still there"));
    assert_eq!(other.receive_text(), "still there");
}

//! Requests, good and bad.

use std::io::{Read, Write};
use std::time::Duration;

use psiod::server::Limits;

use crate::support::{Response, TestServer};

#[test]
fn the_health_check_says_who_answers() {
    let server = TestServer::start();
    let response = server.get("/healthz", "");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let expected = serde_json::json!({"name":"psiod","version":"1.2.3","pid":4321,"protocol":1,"uptime":5.5});
    assert_eq!(body, expected);
}

#[test]
fn the_page_is_revalidated_by_its_etag() {
    let server = TestServer::start();
    let page = server.get("/", "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let etag = page.header("etag").unwrap();
    let again = server.get("/", &format!("If-None-Match: {etag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(etag));
}

/// The path of the page's script; a psiod built without the UI has none.
fn script(server: &TestServer) -> Option<String> {
    let page = server.get("/", "");
    if page.text().contains("without its web UI") {
        return None;
    }
    let (_, rest) = page.text().split_once("/assets/").expect("the page names a hashed file");
    Some(format!("/assets/{}", rest.split_once('"').unwrap().0))
}

#[test]
fn hashed_files_are_compressed_and_kept_for_ever() {
    let server = TestServer::start();
    let Some(path) = script(&server) else { return };
    let plain = server.get(&path, "");
    assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
    assert_eq!(plain.header("content-type"), Some("text/javascript"));
    assert_eq!(plain.header("cache-control"), Some("max-age=31536000, immutable"));

    let packed = server.get(&path, "Accept-Encoding: gzip, deflate\r\n");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("accept-encoding"));
    assert!(packed.body.len() < plain.body.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);

    let etag = packed.header("etag").unwrap();
    let again = server.get(&path, &format!("Accept-Encoding: gzip\r\nIf-None-Match: {etag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn every_answer_tells_the_browser_to_keep_others_out() {
    let server = TestServer::start();
    for (path, headers) in [("/", ""), ("/healthz", ""), ("/nowhere", ""), ("/", "Origin: http://evil.com\r\n")] {
        let response = server.get(path, headers);
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(response.header("access-control-allow-origin"), None, "{path}");
    }
}

#[test]
fn strangers_are_refused_on_every_route_with_the_reason() {
    let server = TestServer::start();
    for path in ["/", "/healthz", "/assets/x.js", "/nowhere"] {
        for (host, origin, reason) in [
            ("evil.com", "", "evil.com"),
            ("127.0.0.1.evil.com:3000", "", "127.0.0.1.evil.com"),
            ("localhost", "Origin: http://evil.com\r\n", "http://evil.com"),
            ("localhost", "Origin: null\r\n", "null"),
            ("localhost", "Origin: file://\r\n", "file://"),
            ("localhost\r\nHost: localhost", "", "more than one Host"),
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                let response = server.request(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{origin}"));
                assert_eq!(response.status, 403, "{method} {path} {host} {origin}");
                assert!(response.text().contains(reason), "{}", response.text());
                assert!(response.text().contains("localhost"), "{}", response.text());
            }
        }
    }
}

#[test]
fn the_host_in_an_absolute_target_is_judged_too() {
    let server = TestServer::start();
    let response = server.request("GET http://evil.com/healthz HTTP/1.1\r\nHost: localhost\r\n");
    assert_eq!(response.status, 403);
    let response = server.request("GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n");
    assert_eq!(response.status, 200);
}

#[test]
fn a_request_without_a_host_is_refused() {
    let server = TestServer::start();
    assert_eq!(server.request("GET / HTTP/1.1\r\n").status, 403);
    assert_eq!(server.request("GET / HTTP/1.0\r\n").status, 403);
}

#[test]
fn pages_of_this_machine_are_let_in() {
    let server = TestServer::start();
    for origin in ["http://localhost:5173", "http://127.0.0.1:8080", "https://[::1]"] {
        assert_eq!(server.get("/healthz", &format!("Origin: {origin}\r\n")).status, 200, "{origin}");
        let mut stream = server.connect();
        stream.write_all(server.handshake(&format!("Origin: {origin}\r\n")).as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 101", "{origin}");
    }
}

/// A handshake with changes, and its refusal.
fn refused(server: &TestServer, change: impl Fn(String) -> String) -> Response {
    let mut stream = server.connect();
    let head = change(server.handshake(""));
    stream.write_all(head.replace("\r\n\r\n", "\r\nX-End: 1\r\n\r\n").as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    Response::read(stream)
}

#[test]
fn a_web_page_from_elsewhere_gets_no_websocket() {
    let server = TestServer::start();
    let response =
        refused(&server, |head| head.replace("Upgrade: websocket", "Upgrade: websocket\r\nOrigin: https://evil.com"));
    assert_eq!(response.status, 403);
    let response = refused(&server, |head| head.replace("Host: ", "Host: rebound.evil.com\r\nX-Host: "));
    assert_eq!(response.status, 403);
}

#[test]
fn an_upgrade_elsewhere_is_told_where_the_websocket_is() {
    let server = TestServer::start();
    let response = refused(&server, |head| head.replace("GET / ", "GET /ws "));
    assert_eq!(response.status, 404);
    assert_eq!(response.text(), "no WebSocket at /ws; psiod's is at /\n");
}

#[test]
fn a_wrong_handshake_is_refused_with_what_is_wrong() {
    let server = TestServer::start();
    let version = refused(&server, |head| head.replace("Version: 13", "Version: 8"));
    assert_eq!((version.status, version.header("sec-websocket-version")), (426, Some("13")));
    let key = refused(&server, |head| head.replace("Sec-WebSocket-Key", "X-Key"));
    assert_eq!(key.status, 400);
    assert!(key.text().contains("Sec-WebSocket-Key"));
    let method = refused(&server, |head| head.replace("GET / ", "POST / "));
    assert_eq!(method.status, 405);
}

#[test]
fn other_paths_are_404_and_other_methods_405() {
    let server = TestServer::start();
    let response = server.get("/nowhere%0Aelse", "");
    assert_eq!(response.status, 404);
    assert!(response.text().contains("/nowhere%0Aelse"), "{}", response.text());
    for path in ["/", "/healthz"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let response = server.request(&format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n"));
            assert_eq!((response.status, response.header("allow")), (405, Some("GET,HEAD")), "{method} {path}");
        }
    }
    let head = server.request("HEAD / HTTP/1.1\r\nHost: localhost\r\n");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn garbage_is_400_and_the_server_lives() {
    let server = TestServer::start();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(garbage).unwrap();
        assert_eq!(Response::read(stream).status, 400, "{garbage:?}");
    }
    assert_eq!(server.get("/healthz", "").status, 200);
}

#[test]
fn endless_headers_are_refused() {
    let server = TestServer::start();
    let mut stream = server.connect();
    write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(20_000)).unwrap();
    assert_eq!(Response::read(stream).status, 431);
}

#[test]
fn a_handshake_that_is_never_finished_is_dropped() {
    let server = TestServer::with_limits(Limits { header_timeout: Duration::from_millis(100), ..Limits::default() });
    for start in ["", "GET", "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websock"] {
        let mut stream = server.connect();
        stream.write_all(start.as_bytes()).unwrap();
        // Whatever it says before, it ends: this read returns.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    assert_eq!(server.get("/healthz", "").status, 200);
}

#[test]
fn a_resting_browser_connection_does_not_hold_the_shutdown() {
    let mut server = TestServer::start();
    let mut kept = server.connect();
    write!(kept, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    kept.read_exact(&mut [0; 100]).unwrap();
    let mut unused = server.connect();
    server.get("/healthz", "");
    let start = std::time::Instant::now();
    server.tell_to_stop();
    server.join();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    unused.read_to_end(&mut Vec::new()).unwrap();
}

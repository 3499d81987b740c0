use super::*;

const LOCAL: &str = "localhost:3000";

fn judge(hosts: &[&str], origins: &[&str]) -> Result<(), Refusal> {
    admit(None, hosts.iter().map(|host| host.as_bytes()), origins.iter().map(|origin| origin.as_bytes()))
}

#[test]
fn hosts_that_are_loopback_pass() {
    let hosts = [
        "localhost",
        "localhost:3000",
        "localhost:1",
        "localhost:65535",
        "LOCALHOST",
        "LocalHost:3000",
        "localhost.",
        "localhost.:3000",
        "127.0.0.1",
        "127.0.0.1:3000",
        "127.0.0.1.",
        "127.0.0.1.:3000",
        "127.0.0.2",
        "127.1.2.3:80",
        "127.255.255.255",
        "[::1]",
        "[::1]:3000",
        "[0:0:0:0:0:0:0:1]",
        "[0000:0000:0000:0000:0000:0000:0000:0001]:3000",
    ];
    for host in hosts {
        assert_eq!(judge(&[host], &[]), Ok(()), "{host}");
    }
}

#[test]
fn other_hosts_are_refused() {
    let hosts = [
        "",
        " ",
        ".",
        ":3000",
        "evil.com",
        "evil.com:3000",
        "localhost.evil.com",
        "localhost.evil.com:3000",
        "127.0.0.1.evil.com",
        "127.0.0.1.nip.io",
        "app.localhost",
        "localhost..",
        ".localhost",
        "localhost ",
        " localhost",
        "local host",
        "localhost\t",
        "localhost\0",
        "localhost,evil.com",
        "localhost/",
        "localhost#",
        "localhost?",
        "localhost\\evil.com",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:99999999999999999999",
        "localhost:03000",
        "localhost:+3000",
        "localhost:-1",
        "localhost:http",
        "localhost:3000:3000",
        "localhost:3000/",
        "localhost@evil.com",
        "evil.com@localhost",
        "user:password@localhost:3000",
        "localhostx",
        "xlocalhost",
        "localdomain",
        "localhost.localdomain",
        "ip6-localhost",
        "ⅼocalhost",
        "lоcalhost",
        "ｌｏｃａｌｈｏｓｔ",
        "xn--lcalhost-k5f",
        "127.0.0.1。",
        "１２７.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127",
        "127.0.0.01",
        "127.0.0.256",
        "127.0.0.1.1",
        "127.0.0.1..",
        "127.0.0.-1",
        "126.0.0.1",
        "128.0.0.1",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "192.168.1.1:3000",
        "169.254.169.254",
        "255.255.255.255",
        "::1",
        "::1:3000",
        "[::1",
        "::1]",
        "[::1].",
        "[::1]3000",
        "[::1]:",
        "[::1]:0",
        "[::1]:65536",
        "[::1]evil.com",
        "[::1]:3000@evil.com",
        "[::1%lo]",
        "[::1%25lo]",
        "[::]",
        "[::2]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[fe80::1]",
        "[fd00::1]:3000",
        "[localhost]",
        "[127.0.0.1]",
        "[]",
        "http://localhost",
        "null",
        "*",
    ];
    for host in hosts {
        assert!(matches!(judge(&[host], &[]), Err(Refusal::Host(_))), "{host:?}");
    }
    assert!(matches!(admit(None, [&b"local\xffhost"[..]], []), Err(Refusal::Host(_))));
}

#[test]
fn there_is_exactly_one_host() {
    assert_eq!(judge(&[], &[]), Err(Refusal::NoHost));
    assert_eq!(judge(&[LOCAL, LOCAL], &[]), Err(Refusal::SeveralHosts));
    assert_eq!(judge(&[LOCAL, "evil.com"], &[]), Err(Refusal::SeveralHosts));
}

#[test]
fn the_host_of_an_absolute_target_counts_too() {
    let judge = |target: &[u8]| admit(Some(target), [LOCAL.as_bytes()], []);
    assert_eq!(judge(b"127.0.0.1:3000"), Ok(()));
    assert!(matches!(judge(b"evil.com"), Err(Refusal::Host(_))));
    assert!(matches!(judge(b"localhost@evil.com"), Err(Refusal::Host(_))));
}

#[test]
fn origins_on_loopback_pass() {
    let origins = [
        "http://localhost",
        "https://localhost",
        "http://localhost:3000",
        "http://localhost:5173",
        "https://localhost:8443",
        "http://LOCALHOST:3000",
        "HTTP://localhost",
        "http://localhost.:3000",
        "http://127.0.0.1",
        "http://127.0.0.1:3000",
        "https://127.8.9.10:443",
        "http://[::1]",
        "http://[::1]:3000",
    ];
    for origin in origins {
        assert_eq!(judge(&[LOCAL], &[origin]), Ok(()), "{origin}");
    }
}

#[test]
fn other_origins_are_refused() {
    let origins = [
        "",
        "null",
        "NULL",
        "*",
        "file://",
        "file:///home/me/page.html",
        "http://",
        "https://",
        "http:",
        "http:/localhost",
        "http:localhost",
        "localhost",
        "localhost:3000",
        "//localhost",
        "127.0.0.1",
        "ws://localhost:3000",
        "wss://localhost",
        "ftp://localhost",
        "chrome-extension://abcdefghijklmnop",
        "moz-extension://localhost",
        "data:text/html,localhost",
        "about:blank",
        "javascript:alert(1)//localhost",
        "http://evil.com",
        "https://evil.com:3000",
        "http://localhost.evil.com",
        "http://127.0.0.1.evil.com:3000",
        "http://localhost@evil.com",
        "http://evil.com@localhost",
        "http://localhost:3000@evil.com",
        "http://evil.com#localhost",
        "http://evil.com?localhost",
        "http://evil.com/localhost",
        "http://localhost/",
        "http://localhost:3000/path",
        "http://localhost:0",
        "http://localhost:99999",
        "http://localhost:",
        "http://localhost http://evil.com",
        "http://localhost, http://evil.com",
        "http://localhost,http://localhost",
        " http://localhost",
        "http://localhost ",
        "http://lоcalhost",
        "http://xn--lcalhost-k5f",
        "http://2130706433",
        "http://0x7f.1",
        "http://127.1",
        "http://0.0.0.0:3000",
        "http://[::]",
        "http://[::ffff:127.0.0.1]",
        "http://::1",
        "http://192.168.1.2:3000",
        "httpx://localhost",
        "xhttp://localhost",
        "http://localhost\0",
        "é",
    ];
    for origin in origins {
        assert!(matches!(judge(&[LOCAL], &[origin]), Err(Refusal::Origin(_))), "{origin:?}");
    }
}

#[test]
fn several_origins_are_refused_even_when_equal() {
    let local = "http://localhost:3000";
    assert_eq!(judge(&[LOCAL], &[local, local]), Err(Refusal::SeveralOrigins));
    assert_eq!(judge(&[LOCAL], &[local, "http://evil.com"]), Err(Refusal::SeveralOrigins));
}

#[test]
fn a_refusal_quotes_what_it_refuses_on_one_short_line() {
    let message = judge(&["evil\n\x1b[31m"], &[]).unwrap_err().to_string();
    assert!(message.contains(r"evil\n\u{1b}[31m") && message.contains("localhost"), "{message}");
    let message = judge(&[&"a".repeat(10_000)], &[]).unwrap_err().to_string();
    assert!(message.len() < 400, "{message}");
}

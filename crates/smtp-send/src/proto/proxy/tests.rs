//! Answers of proxies: complete, in pieces, invalid.

use super::*;

const MAIL: TunnelTarget<'static> = TunnelTarget { host: "mail.example.com", port: 587 };
const JOE: ProxyLogin<'static> = ProxyLogin { user: "joe", password: "s3cret" };

fn begin<'a>(
    scheme: Scheme,
    target: TunnelTarget<'a>,
    identity: Option<ProxyLogin<'a>>,
) -> (ProxyHandshake<'a>, Vec<u8>) {
    let (handshake, first) = ProxyHandshake::begin(scheme, target, identity).unwrap();
    (handshake, first.to_vec())
}

fn written(step: ProxyStep) -> Vec<u8> {
    match step {
        ProxyStep::Write(bytes) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// The text of the refusal.
fn refusal(scheme: Scheme, identity: Option<ProxyLogin<'_>>, answers: &[&[u8]]) -> String {
    let (mut handshake, _) = begin(scheme, MAIL, identity);
    let (last, earlier) = answers.split_last().unwrap();
    for answer in earlier {
        handshake.take(answer).unwrap();
    }
    handshake.take(last).unwrap_err().to_string()
}

#[test]
fn socks_sends_the_server_as_given_and_does_not_consume_its_greeting() {
    let (mut handshake, hello) = begin(Scheme::Socks5, MAIL, None);
    assert_eq!(hello, [5, 1, 0]);
    let (taken, step) = handshake.take(&[5, 0]).unwrap();
    assert_eq!((taken, written(step)), (2, b"\x05\x01\x00\x03\x10mail.example.com\x02\x4b".to_vec()));
    let answer = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x10\x00220 mail.example.com\r\n";
    for length in 0..10 {
        assert_eq!(handshake.take(&answer[..length]), Ok((0, ProxyStep::Read)), "{length}");
    }
    assert_eq!(handshake.take(answer), Ok((10, ProxyStep::Done)));
}

#[test]
fn socks_writes_addresses_as_addresses_and_reads_every_kind() {
    let (mut handshake, _) = begin(Scheme::Socks5, TunnelTarget { host: "192.0.2.1", port: 25 }, None);
    assert_eq!(written(handshake.take(&[5, 0]).unwrap().1), [5, 1, 0, 1, 192, 0, 2, 1, 0, 25]);
    assert_eq!(handshake.take(b"\x05\0\0\x03\x02ab\0\x19rest"), Ok((9, ProxyStep::Done)));
    let (mut handshake, _) = begin(Scheme::Socks5, TunnelTarget { host: "2001:db8::1", port: 25 }, None);
    assert_eq!(written(handshake.take(&[5, 0]).unwrap().1).len(), 22);
    assert_eq!(handshake.take(&[&[5, 0, 0, 4][..], &[0; 18]].concat()), Ok((22, ProxyStep::Done)));
}

#[test]
fn socks_logs_in_only_when_the_proxy_asks_for_it() {
    let (mut handshake, hello) = begin(Scheme::Socks5, MAIL, Some(JOE));
    assert_eq!(hello, [5, 2, 0, 2]);
    assert_eq!(written(handshake.take(&[5, 2]).unwrap().1), b"\x01\x03joe\x06s3cret");
    assert!(written(handshake.take(&[1, 0]).unwrap().1).starts_with(&[5, 1, 0, 3]));
    let (mut handshake, _) = begin(Scheme::Socks5, MAIL, Some(JOE));
    assert!(written(handshake.take(&[5, 0]).unwrap().1).starts_with(&[5, 1, 0, 3]));
}

#[test]
fn refusals_of_a_socks_proxy_are_reported_in_words() {
    let text = |identity, answers: &[&[u8]]| refusal(Scheme::Socks5, identity, answers);
    assert_eq!(text(None, &[&[5, 255]]), "it demands a login; write its user as --proxy socks5://USER@HOST:PORT");
    assert_eq!(text(Some(JOE), &[&[5, 255]]), "it takes no login by name and password");
    assert_eq!(text(Some(JOE), &[&[5, 2], &[1, 1]]), "it refuses the login (status 1)");
    assert_eq!(text(None, &[&[5, 2]]), "it does not speak SOCKS5: it chose the login method 2, which was not offered");
    assert_eq!(text(None, &[b"HTTP/1.1"]), "it does not speak SOCKS5: its answer begins with 'H' instead of 5");
    let forbidden = "it does not allow a connection to mail.example.com:587: against its rules (SOCKS reply 2)";
    assert_eq!(text(None, &[&[5, 0], &[5, 2]]), forbidden);
    assert_eq!(
        text(None, &[&[5, 0], &[5, 5, 0, 1]]),
        "it cannot connect to mail.example.com:587: connection refused (SOCKS reply 5)"
    );
    assert!(text(None, &[&[5, 0], &[5, 0, 0, 9]]).contains("kind 9"));
}

#[test]
fn values_that_do_not_fit_into_socks_are_an_error() {
    let long = "x".repeat(256);
    for identity in [ProxyLogin { user: &long, password: "x" }, ProxyLogin { user: "joe", password: "" }] {
        assert!(matches!(ProxyHandshake::begin(Scheme::Socks5, MAIL, Some(identity)), Err(ProxyError::Unspeakable(_))));
    }
    let target = TunnelTarget { host: &long, port: 25 };
    assert!(matches!(ProxyHandshake::begin(Scheme::Socks5, target, None), Err(ProxyError::Unspeakable(_))));
}

#[test]
fn connect_requests_the_server_and_does_not_consume_its_greeting() {
    let (mut handshake, request) = begin(Scheme::Http, MAIL, Some(JOE));
    let expected = "CONNECT mail.example.com:587 HTTP/1.1\r\nHost: mail.example.com:587\r\n\
                    Proxy-Authorization: Basic am9lOnMzY3JldA==\r\n\r\n";
    assert_eq!(String::from_utf8(request).unwrap(), expected);
    let answer = b"HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n220 mail.example.com\r\n";
    let length = answer.len() - 22;
    for cut in [0, 5, 20, length - 1] {
        assert_eq!(handshake.take(&answer[..cut]), Ok((0, ProxyStep::Read)), "{cut}");
    }
    assert_eq!(handshake.take(answer), Ok((length, ProxyStep::Done)));
    let (mut handshake, request) = begin(Scheme::Http, TunnelTarget { host: "2001:db8::1", port: 25 }, None);
    assert!(request.starts_with(b"CONNECT [2001:db8::1]:25 HTTP/1.1\r\n"));
    assert_eq!(handshake.take(b"HTTP/1.1 100 Wait\r\n\r\nHTTP/1.0 200\n\n220 x"), Ok((35, ProxyStep::Done)));
}

#[test]
fn refusals_of_an_http_proxy_are_reported_in_words() {
    let text = |identity, answer: &str| refusal(Scheme::Http, identity, &[answer.as_bytes()]);
    let wanted = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    assert_eq!(text(None, wanted), "it demands a login; write its user as --proxy http://USER@HOST:PORT");
    assert_eq!(text(Some(JOE), wanted), "it refuses the login: 407 Proxy Authentication Required");
    let forbidden = "it does not allow a connection to mail.example.com:587: 403 Filtered";
    assert_eq!(text(None, "HTTP/1.1 403 Filtered\r\n\r\n"), forbidden);
    let unreachable = "it cannot connect to mail.example.com:587: 502 Bad Gateway";
    assert_eq!(text(None, "HTTP/1.1 502 Bad Gateway\r\nX: y\r\n\r\n"), unreachable);
    assert!(text(None, "HTTP/1.1 405 Not Allowed\r\n\r\n").contains("is it a proxy?"));
    assert_eq!(text(None, "220 mail ESMTP\r\n"), "it does not speak HTTP: it answers 220 mail ESMTP");
    assert!(text(None, "HTTP/1.1 20 x\r\n\r\n").starts_with("it does not speak HTTP"));
    assert!(text(None, &"HTTP/1.1 100 Wait\r\n\r\n".repeat(20)).contains("100 Wait"));
    assert!(text(None, &format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(20_000))).contains("over 16 KiB"));
}

#[test]
fn a_colon_in_a_name_is_not_sent_to_an_http_proxy() {
    let identity = ProxyLogin { user: "a:b", password: "x" };
    assert!(matches!(ProxyHandshake::begin(Scheme::Http, MAIL, Some(identity)), Err(ProxyError::Unspeakable(_))));
}

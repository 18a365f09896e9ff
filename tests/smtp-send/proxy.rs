//! Proxies in between: SOCKS5 and CONNECT, who refused what, and the header of the PROXY protocol.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use testkit::process::{Finished, finish};
use testkit::smtp::{Authority, Script, Server};

use crate::home::Home;
use crate::support::{assert_fails, assert_sent, run, send, smtp_send};

/// A proxy for one connection: gives scripted answers, then connects to a server.
struct Proxy {
    address: SocketAddr,
    holding: JoinHandle<Vec<Vec<u8>>>,
}

impl Proxy {
    /// Sends each of `answers` after a received block; connects to `beyond` after the last one.
    fn start(answers: &[&[u8]], beyond: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_vec()).collect();
        let holding = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut received = Vec::new();
            for answer in answers {
                let mut block = [0; 4096];
                let length = client.read(&mut block).unwrap();
                received.push(block[..length].to_vec());
                client.write_all(&answer).unwrap();
            }
            if let Some(beyond) = beyond {
                let server = TcpStream::connect(beyond).unwrap();
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let returning = thread::spawn(move || pass(back.0, back.1));
                pass(client, server);
                returning.join().unwrap();
            }
            received
        });
        Self { address, holding }
    }

    /// The blocks received before the connection to the server.
    fn received(self) -> Vec<Vec<u8>> {
        self.holding.join().unwrap()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

const FREE: &[u8] = &[5, 0];
const BY_PASSWORD: &[u8] = &[5, 2];
const KNOWN: &[u8] = &[1, 0];
const CONNECTED: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// Sends to mail.example.com, a name that is known nowhere, through the proxy; `who` is a user with an at sign, or nothing.
fn through(scheme: &str, who: &str, proxy: &Proxy, args: &[&str]) -> Finished {
    let url = format!("{scheme}://{who}{}", proxy.address);
    let common = ["--server", "mail.example.com:2525", "--from", "me@example.org", "--to", "bob@example.com"];
    let args = [&common, &["--body", "x", "--proxy", &url][..], args].concat();
    finish(smtp_send(&args).env("SMTP_PROXY_PASSWORD", "pr0xy secret"), b"")
}

#[test]
fn a_socks_proxy_gets_the_name_of_the_server_and_connects_us() {
    let server = Server::start(Script::default());
    let proxy = Proxy::start(&[FREE, CONNECTED], Some(server.address()));
    let finished = through("socks5", "", &proxy, &["--tls", "off"]);
    assert_sent(&finished);
    assert_eq!(server.mails().len(), 1);
    assert_eq!(proxy.received(), [b"\x05\x01\x00".to_vec(), b"\x05\x01\x00\x03\x10mail.example.com\x09\xdd".to_vec()]);
}

#[test]
fn an_http_proxy_connects_us_and_a_greeting_behind_its_answer_counts() {
    let server = Server::start(Script::default());
    let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let proxy = Proxy::start(&[answer], Some(server.address()));
    assert_sent(&through("http", "", &proxy, &["--tls", "off"]));
    assert_eq!(server.mails().len(), 1);
    let received = proxy.received().concat();
    assert_eq!(received, b"CONNECT mail.example.com:2525 HTTP/1.1\r\nHost: mail.example.com:2525\r\n\r\n");
    // The answer and the greeting in one packet.
    let together = [&answer[..], b"421 4.3.2 Closing\r\n"].concat();
    let proxy = Proxy::start(&[&together], None);
    assert_fails(&through("http", "", &proxy, &[]), 75, &["the server ends the session", "421 4.3.2 Closing"]);
}

#[test]
fn the_password_of_a_proxy_is_sent_to_the_proxy_alone() {
    let server = Server::start(Script::default());
    let proxy = Proxy::start(&[BY_PASSWORD, KNOWN, CONNECTED], Some(server.address()));
    let finished = through("socks5h", "joe@", &proxy, &["--tls", "off", "-v", "--json"]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_eq!(proxy.received()[1], b"\x01\x03joe\x0cpr0xy secret");
    assert!(!format!("{finished:?}").contains("pr0xy"), "{finished:?}");
    let proxy = Proxy::start(&[b"HTTP/1.1 200 OK\r\n\r\n"], Some(server.address()));
    assert_sent(&through("http", "joe%40example.org@", &proxy, &["--tls", "off"]));
    // joe@example.org:pr0xy secret
    let login = "Proxy-Authorization: Basic am9lQGV4YW1wbGUub3JnOnByMHh5IHNlY3JldA==\r\n";
    assert!(String::from_utf8(proxy.received().concat()).unwrap().contains(login));
}

#[test]
fn the_proxy_and_its_password_may_stand_in_an_account() {
    let server = Server::start(Script::default());
    let proxy = Proxy::start(&[BY_PASSWORD, KNOWN, CONNECTED], Some(server.address()));
    let home = Home::with_account(&server, "");
    let secret = home.write("proxy-secret", "from a file\n");
    let more = format!("proxy = 'socks5://joe@{}'\nproxy-password-file = '{secret}'\ntls = 'off'", proxy.address);
    let home = Home::with_account(&server, &more);
    assert_sent(&home.send(&[]));
    assert_eq!(proxy.received()[1], b"\x01\x03joe\x0bfrom a file");
}

#[test]
fn behind_a_proxy_the_certificate_of_the_server_is_checked() {
    // The server is on this machine, but through a proxy that is unknown.
    let server = Server::start_tls(Script::default(), &Authority::new(), "mail.example.com");
    let proxy = Proxy::start(&[FREE, CONNECTED], Some(server.address()));
    assert_fails(&through("socks5", "", &proxy, &[]), 77, &["certificate of mail.example.com:2525"]);
    assert_eq!(server.mails(), []);
    let server = Server::start(Script::default());
    let proxy = Proxy::start(&[FREE, CONNECTED], Some(server.address()));
    let finished = through("socks5", "", &proxy, &[]);
    assert!(finished.stderr.contains("the message goes in clear"), "{finished:?}");
    assert_eq!(finished.code(), 0);
}

#[test]
fn the_refusing_side_is_named_and_whether_the_refusal_is_permanent() {
    let cases: [(&[&[u8]], i32, &str); 7] = [
        (&[&[5, 255]], 77, "it demands a login"),
        (&[FREE, &[5, 2, 0, 1]], 77, "does not allow a connection to mail.example.com:2525"),
        (&[FREE, &[5, 4, 0, 1]], 75, "host unknown or unreachable"),
        (&[FREE, &[5, 5, 0, 1]], 75, "connection refused"),
        (&[FREE, &[5, 7, 0, 1]], 76, "it connects to no host"),
        (&[FREE, &[5, 0, 0]], 75, "it closed the connection instead of connecting"),
        (&[b"220 mail ESMTP\r\n"], 76, "it does not speak SOCKS5"),
    ];
    for (answers, code, words) in cases {
        let proxy = Proxy::start(answers, None);
        let named = format!("proxy {}: ", proxy.address);
        assert_fails(&through("socks5", "", &proxy, &[]), code, &[&named, words]);
    }
    let cases: [(&[u8], i32, &str); 4] = [
        (b"HTTP/1.1 407 Who?\r\n\r\n", 77, "it demands a login"),
        (b"HTTP/1.1 403 \x1b[31mNo\r\n\r\n", 77, "403 \\x1b[31mNo"),
        (b"HTTP/1.1 503 Busy\r\n\r\n", 75, "it cannot connect to mail.example.com:2525: 503 Busy"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", 76, "is it a proxy?"),
    ];
    for (answer, code, words) in cases {
        let proxy = Proxy::start(&[answer], None);
        let named = format!("proxy {}: ", proxy.address);
        assert_fails(&through("http", "", &proxy, &[]), code, &[&named, words]);
    }
    let proxy = Proxy::start(&[BY_PASSWORD, &[1, 1]], None);
    assert_fails(&through("socks5", "joe@", &proxy, &[]), 77, &["proxy ", "it refuses the login"]);
}

#[test]
fn a_proxy_that_is_not_there_or_never_answers_is_a_matter_of_time() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("socks5://{closed}");
    let args = ["--server", "mail.example.com", "--to", "bob@example.com", "--body", "x", "--proxy", &url];
    assert_fails(&run(&args, b""), 75, &["connect to proxy", "Connection refused"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let args = ["--server", "mail.example.com", "--to", "bob@example.com", "--body", "x", "--proxy", &url];
    let finished = run(&[&args[..], &["--timeout", "0.3"]].concat(), b"");
    assert_fails(&finished, 75, &["proxy ", "no connection to mail.example.com:25 within 0.3 s"]);
}

#[test]
fn wrong_proxies_are_reported_before_anything_is_sent_and_no_password_is_repeated() {
    let common = ["--server", "mail.example.com", "--to", "bob@example.com", "--body", "x"];
    let refused = |args: &[&str], words: &[&str]| assert_fails(&run(&[&common, args].concat(), b""), 64, words);
    refused(&["--proxy", "proxy.example.com"], &["--proxy", "socks5://HOST:PORT"]);
    refused(&["--proxy", "https://proxy.example.com:3128"], &["--proxy", "http://HOST:PORT"]);
    refused(&["--proxy-password-command", "echo x"], &["requires --proxy"]);
    refused(&["--proxy-client", "192.0.2.1"], &["requires --proxy-protocol"]);
    refused(&["--proxy-protocol", "v1", "--proxy-client", "x"], &["--proxy-client x", "IP address"]);
    let finished = run(&[&common[..], &["--proxy", "http://joe:hunter2@proxy.example.com:3128"]].concat(), b"");
    assert_fails(&finished, 64, &["SMTP_PROXY_PASSWORD"]);
    assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
    let without = ["--server", "lmtp:/nowhere", "--to", "bob@example.com", "--body", "x", "--proxy", "socks5://a"];
    assert_fails(&run(&without, b""), 64, &["--proxy", "unix socket"]);
}

#[test]
fn the_proxy_header_is_the_first_thing_that_a_server_gets() {
    for (version, begins) in
        [("v1", &b"PROXY TCP4 192.0.2.7 127.0.0.1 4000 "[..]), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut first = [0; 64];
            let length = client.read(&mut first).unwrap();
            client.write_all(b"421 Enough\r\n").unwrap();
            first[..length].to_vec()
        });
        let args = ["--proxy-protocol", version, "--proxy-client", "192.0.2.7:4000"];
        let common = ["--server", &address, "--to", "bob@example.com", "--body", "x"];
        assert_fails(&run(&[&common[..], &args].concat(), b""), 75, &["421"]);
        let first = server.join().unwrap();
        assert!(first.starts_with(begins), "{}", first.escape_ascii());
    }
    // A server that expects none takes it for a command.
    let server = Server::start(Script::default());
    send(&server, &["--proxy-protocol", "v1"], b"x\n");
    assert!(server.lines()[0].starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "), "{:?}", server.lines());
}

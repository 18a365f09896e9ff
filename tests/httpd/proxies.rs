//! The client as reported by trusted proxies, and where it appears.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::sys::signal::Signal;
use testkit::http::{Client, Response};
use testkit::process::{Running, finish};

use crate::fixture::{Server, httpd, listening_address};

/// The proxy of the tests connects from loopback.
const TRUST: [&str; 2] = ["--trust-proxy", "127.0.0.0/8"];

/// A server with a log, and the clients in its log.
struct Logged {
    server: Server,
    log: tempfile::NamedTempFile,
}

impl Logged {
    fn new(options: &[&str]) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let all = [&["--access-log", log.path().to_str().unwrap(), "--log-format", "common"], options].concat();
        let server = Server::with_options(&[("a", b"a"), ("big", &vec![b'x'; 30_000_000])], &all);
        Self { server, log }
    }

    /// Stops the server and returns the first field of each line.
    fn clients(self) -> Vec<String> {
        self.server.running.signal(Signal::SIGTERM);
        assert_eq!(self.server.running.finish().code(), 0);
        let text = fs::read_to_string(self.log.path()).unwrap();
        text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    fn get_after(&self, preface: &[u8]) -> Response {
        let mut client = self.server.connect();
        client.send([preface, b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
        client.response()
    }

    fn is_refused(&self, preface: &[u8]) -> bool {
        let mut client = self.server.connect();
        client.send(preface);
        client.is_closed()
    }
}

/// A header of version 2 for an IPv6 client, with a record behind the addresses.
fn version_2(client: Ipv6Addr) -> Vec<u8> {
    let addresses = [client.octets(), Ipv6Addr::LOCALHOST.octets()].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x29", &addresses[..], &[0, 80, 0, 81], b"\x04\0\x02xx"].concat()
}

#[test]
fn the_log_names_the_client_that_a_trusted_proxy_names() {
    let logged = Logged::new(&TRUST);
    let mut proxy = logged.server.connect();
    for fields in [
        "X-Forwarded-For: 192.0.2.1\r\n",
        "X-Forwarded-For: 198.51.100.9, 192.0.2.2, 127.0.0.2\r\n",
        "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-For: 192.0.2.3\r\n",
        "Forwarded: for=198.51.100.9, for=\"[2001:db8::4]:80\";proto=https\r\n",
        "Forwarded: for=198.51.100.9\r\nX-Forwarded-For: 192.0.2.5\r\n",
        "X-Forwarded-For: nonsense\r\n",
        "",
    ] {
        assert_eq!(proxy.get("/a", fields).text(), "a");
    }
    let expected = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::4", "192.0.2.5", "127.0.0.1", "127.0.0.1"];
    assert_eq!(logged.clients(), expected);
}

#[test]
fn fields_of_an_untrusted_client_are_ignored() {
    let logged = Logged::new(&["--trust-proxy", "10.0.0.0/8"]);
    logged.server.connect().get("/a", "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n");
    assert_eq!(logged.clients(), ["127.0.0.1"]);
}

#[test]
fn a_proxy_header_of_either_version_names_the_client() {
    let logged = Logged::new(&[TRUST[0], TRUST[1], "--proxy-protocol", "--workers", "1"]);
    assert_eq!(logged.get_after(b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n").text(), "a");
    assert_eq!(logged.get_after(&version_2("2001:db8::2".parse().unwrap())).text(), "a");
    assert_eq!(logged.get_after(b"PROXY UNKNOWN\r\n").text(), "a");
    assert_eq!(logged.get_after(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").text(), "a", "a health check of the proxy itself");
    let mut two = logged.server.connect();
    two.send("PROXY TCP4 192.0.2.5 127.0.0.1 1 2\r\n");
    for _ in 0..2 {
        assert_eq!(two.get("/a", "X-Forwarded-For: 192.0.2.9\r\n").text(), "a");
    }
    let clients = logged.clients();
    let expected = ["192.0.2.1", "2001:db8::2", "127.0.0.1", "127.0.0.1", "192.0.2.5", "192.0.2.5"];
    assert_eq!(clients, expected, "what a client says of itself is no word of a proxy");
}

#[test]
fn a_header_may_arrive_byte_by_byte_and_no_following_byte_is_lost() {
    let logged = Logged::new(&[TRUST[0], TRUST[1], "--proxy-protocol"]);
    for header in [b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n".to_vec(), version_2("2001:db8::2".parse().unwrap())] {
        let mut client = logged.server.connect();
        for byte in [&header[..], b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"].concat() {
            client.send([byte]);
        }
        assert_eq!(client.response().text(), "a");
    }
}

#[test]
fn a_connection_without_a_header_or_with_a_malformed_one_is_closed() {
    let logged = Logged::new(&[TRUST[0], TRUST[1], "--proxy-protocol", "--header-timeout", "1"]);
    assert!(logged.is_refused(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(logged.is_refused(b"PROXY TCP4 192.0.2.1 127.0.0.1 1\r\nGET /a HTTP/1.1\r\n"));
    assert!(logged.is_refused(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01x"));
    assert!(logged.is_refused(&[b"PROXY ", &[b'x'; 5000][..]].concat()));
    assert!(logged.is_refused(b"PROXY TCP4 "), "the time for it is over");
    assert!(logged.is_refused(b""), "and for its first byte as well");
    let mut gone = logged.server.connect();
    gone.send("PROXY T");
    gone.finish_sending();
    assert!(gone.is_closed());
    assert_eq!(logged.get_after(b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n").text(), "a");
}

#[test]
fn only_trusted_proxies_connect_where_headers_are_expected() {
    let logged = Logged::new(&["--trust-proxy", "10.0.0.0/8", "--proxy-protocol"]);
    assert!(logged.is_refused(b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(logged.clients().is_empty());
}

#[test]
fn the_limit_for_an_address_is_that_of_the_client_behind_the_header() {
    let logged = Logged::new(&[TRUST[0], TRUST[1], "--proxy-protocol", "--max-per-ip", "1"]);
    let connect = |address: &str| {
        let mut client = logged.server.connect();
        client.send(format!("PROXY TCP4 {address} 127.0.0.1 1 2\r\n"));
        client
    };
    let mut first = connect("192.0.2.1");
    assert_eq!(first.get("/a", "").text(), "a");
    let mut second = connect("192.0.2.1");
    assert_eq!(second.response().status, 503);
    assert_eq!(connect("192.0.2.2").get("/a", "").text(), "a");
    assert_eq!(first.get("/a", "").text(), "a");
}

#[test]
fn the_limit_for_an_address_is_that_of_the_client_in_the_field() {
    let options = [TRUST[0], TRUST[1], "--max-per-ip", "1", "--health", "/health"];
    let logged = Logged::new(&options);
    let field = "X-Forwarded-For: 192.0.2.1\r\n";
    // A download that is not read keeps its connection busy.
    let mut busy = logged.server.connect();
    busy.send(format!("GET /big HTTP/1.1\r\nHost: h\r\n{field}\r\n"));
    let mut byte = [0];
    std::io::Read::read_exact(&mut busy.stream(), &mut byte).unwrap();
    let mut other = logged.server.connect();
    assert_eq!(other.get("/a", field).status, 503);
    assert_eq!(
        other.get("/a", "X-Forwarded-For: 192.0.2.2\r\n").status,
        200,
        "the proxy brings the requests of others"
    );
    assert_eq!(other.get("/a", "").status, 200);
    drop(busy);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while other.get("/a", field).status != 200 {
        assert!(std::time::Instant::now() < deadline, "it counts for ever");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_login_is_slowed_for_the_client_and_not_for_the_proxy() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let options = ["-b", "127.0.0.1", "-p", "0", "--auth", "ann", TRUST[0], TRUST[1]];
    let running = Running::start(httpd().env("HTTPD_PASSWORD", "x").args(options).arg(folder.path()));
    let mut proxy = Client::connect(running.wait_for_stderr(listening_address));
    let mut status = |client: &str, number: u32| {
        use base64::Engine;
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("ann:{client}{number}"));
        proxy.get("/a", &format!("X-Forwarded-For: {client}\r\nAuthorization: Basic {credentials}\r\n")).status
    };
    let of_one: Vec<u16> = (0..6).map(|number| status("192.0.2.1", number)).collect();
    assert_eq!(of_one, [401, 401, 401, 401, 401, 429]);
    assert_eq!(status("192.0.2.2", 0), 401);
}

#[test]
fn a_proxy_on_a_unix_socket_must_be_trusted_too() {
    for (trust, client) in [("unix", "192.0.2.1"), ("10.0.0.0/8", "unix:")] {
        let folder = tempfile::tempdir().unwrap();
        let (site, socket, log) = (folder.path().join("site"), folder.path().join("socket"), folder.path().join("log"));
        fs::create_dir(&site).unwrap();
        let mut command = httpd();
        command.arg("-b").arg(format!("unix:{}", socket.display())).arg("--access-log").arg(&log);
        let running = Running::start(command.args(["--log-format", "common", "--trust-proxy", trust]).arg(&site));
        running.wait_for_stderr(|text| text.contains("serving").then_some(()));
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
        std::io::Write::write_all(&mut stream, request).unwrap();
        std::io::Read::read_to_string(&mut stream, &mut String::new()).unwrap();
        running.signal(Signal::SIGTERM);
        running.finish();
        assert!(fs::read_to_string(&log).unwrap().starts_with(&format!("{client} - - [")), "{trust}");
    }
}

#[test]
fn a_stop_does_not_wait_for_a_header_that_has_not_begun() {
    let logged = Logged::new(&[TRUST[0], TRUST[1], "--proxy-protocol"]);
    let mut silent = logged.server.connect();
    assert_eq!(logged.get_after(b"PROXY UNKNOWN\r\n").text(), "a");
    let start = std::time::Instant::now();
    logged.clients();
    assert!(silent.is_closed() && start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn an_invalid_network_is_refused() {
    for (args, text) in [
        (&["--trust-proxy", "10.0.0.1/8"][..], "--trust-proxy 10.0.0.1/8: has bits set behind the first 8"),
        (&["--trust-proxy", "proxy.example.com"], "is not an IP address or a network such as 10.0.0.0/8"),
        (&["--proxy-protocol"], "--trust-proxy <CIDR>"),
    ] {
        let finished = finish(httpd().args(args), b"");
        assert_eq!((finished.code(), finished.stderr.lines().count()), (2, 1), "{}", finished.stderr);
        assert!(finished.stderr.contains(text), "{}", finished.stderr);
    }
}

#[test]
fn a_trusted_ipv4_address_matches_on_a_dual_stack_socket() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let log = folder.path().join("log");
    let options = ["-p", "0", "--log-format", "common", TRUST[0], TRUST[1], "--access-log"];
    let running = Running::start(httpd().args(options).arg(&log).arg(folder.path()));
    let port: u16 = running.wait_for_stderr(|text| {
        text.split_once("http://localhost:")?.1.split_once('/').and_then(|(port, _)| port.parse().ok())
    });
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(Client::connect(address).get("/a", "X-Forwarded-For: 192.0.2.1\r\n").text(), "a");
    running.signal(Signal::SIGTERM);
    running.finish();
    assert!(fs::read_to_string(&log).unwrap().starts_with("192.0.2.1 - "));
}

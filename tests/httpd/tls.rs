//! HTTPS: responses, certificates, and clients without TLS.

mod certificates;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};
use testkit::process::{Running, WAIT_TIMEOUT, finish, free_port};

use self::certificates::{Pair, Secure, client, file, in_clear};
use crate::fixture::httpd;

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// A server over TLS.
struct Server {
    running: Running,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

fn start(options: &[impl AsRef<std::ffi::OsStr>]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "hello").unwrap();
    let mut command = httpd();
    command.args(["--bind", "127.0.0.1", "--port", "0"]).args(options).arg(folder.path());
    let running = Running::start(&mut command);
    let address = running.wait_for_stderr(|text| {
        let (_, rest) = text.split_once("https://")?;
        rest.split_once('/')?.0.parse().ok()
    });
    Server { running, address, folder }
}

impl Server {
    fn connect(&self) -> Secure {
        Secure::connect(&client(BOTH, &[]), self.address)
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect()
}

#[test]
fn files_of_every_size_come_over_both_versions_of_tls() {
    let pair = Pair::new();
    let server = start(&pair.options());
    let sizes = [0, 1, 16_384, 16_385, 100_000, 200_000, 5_000_000];
    for size in sizes {
        fs::write(server.folder.path().join(size.to_string()), pattern(size)).unwrap();
    }
    for version in BOTH {
        let mut client = Secure::connect(&client(&[version], &[]), server.address);
        for size in sizes {
            let (head, body) = client.get(&format!("/{size}"), "");
            assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
            assert!(body == pattern(size), "{size}");
        }
        let (head, body) = client.get("/5000000", "Range: bytes=100-99999\r\n");
        assert!(head.starts_with("HTTP/1.1 206") && body == pattern(5_000_000)[100..100_000], "{head}");
        assert_eq!(client.0.conn.protocol_version(), Some(version.version));
        // close_notify is sent; without it the client could not detect truncation.
        client.get("/a", "Connection: close\r\n");
        assert_eq!(client.0.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_client_that_reads_slowly_gets_every_pipelined_response() {
    let pair = Pair::new();
    let server = start(&pair.options());
    let content = pattern(100_000);
    fs::write(server.folder.path().join("big"), &content).unwrap();
    let mut client = server.connect();
    let count = 200;
    client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n".repeat(count).as_bytes());
    // Time to fill every buffer on the path.
    sleep(Duration::from_millis(300));
    for number in 0..count {
        assert!(client.response().1 == content, "answer {number}");
    }
}

#[test]
fn a_file_that_shrinks_ends_without_close_notify() {
    let pair = Pair::new();
    let server = start(&pair.options());
    let path = server.folder.path().join("big");
    fs::write(&path, pattern(50_000_000)).unwrap();
    let mut client = server.connect();
    client.send(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client.0.read_exact(&mut [0; 1000]).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(1000).unwrap();
    let mut rest = Vec::new();
    let error = client.0.read_to_end(&mut rest).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(rest.len() < 50_000_000);
}

#[test]
fn sessions_are_resumed_also_after_the_certificate_was_replaced() {
    let (pair, new) = (Pair::new(), Pair::new());
    let server = start(&pair.options());
    for version in BOTH {
        let config = client(&[version], &[]);
        let kind = || {
            let mut client = Secure::connect(&config, server.address);
            assert_eq!(client.get("/a", "").1, b"hello");
            client.0.conn.handshake_kind().unwrap()
        };
        assert_ne!(kind(), HandshakeKind::Resumed);
        assert_eq!(kind(), HandshakeKind::Resumed);
        new.replace(&pair);
        server.running.signal(Signal::SIGHUP);
        sleep(Duration::from_millis(100));
        assert_eq!(kind(), HandshakeKind::Resumed);
    }
}

#[test]
fn alpn_selects_http_1_1_only() {
    let server = start(&["--tls-self-signed"]);
    let mut both = Secure::connect(&client(BOTH, &[b"h2", b"http/1.1"]), server.address);
    both.get("/a", "");
    assert_eq!(both.0.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut only_h2 = Secure::connect(&client(BOTH, &[b"h2"]), server.address);
    let error = only_h2.0.write_all(b"x").and_then(|()| only_h2.0.flush()).unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}

#[test]
fn a_self_signed_certificate_names_this_host_and_its_fingerprint_is_printed() {
    let server = start(&["--tls-self-signed"]);
    let mut client = server.connect();
    client.get("/a", "");
    let certificate = client.certificate();
    let digest: Vec<_> = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let stderr = server.running.stderr();
    assert!(stderr.contains(&format!("certificate SHA-256 {}\n", digest.join(":"))), "{stderr}");
    let presented = webpki::EndEntityCert::try_from(&certificate).unwrap();
    for name in ["localhost", "127.0.0.1", "::1"] {
        let name = rustls::pki_types::ServerName::try_from(name).unwrap();
        presented.verify_is_valid_for_subject_name(&name).unwrap();
    }
}

#[test]
fn mismatched_certificates_and_keys_are_one_line_each() {
    let (pair, other) = (Pair::new(), Pair::new());
    let folder = tempfile::tempdir().unwrap();
    let path = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let (certificate, key) = (path(pair.certificate()), path(pair.key()));
    let write = |name: &str, text: &str| file(folder.path(), name, text);
    let read = |path: &str| fs::read_to_string(path).unwrap();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
               -----END EC PRIVATE KEY-----\n";
    let cut = read(&certificate)[..200].to_owned();
    let disordered = read(&path(other.certificate())) + &read(&certificate);
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let junk_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (certificate, key, why) in [
        ("/no/such/file".to_owned(), key.clone(), "read /no/such/file: No such file or directory"),
        (certificate.clone(), path(other.key()), "does not belong to this certificate"),
        (key.clone(), certificate.clone(), "swapped?"),
        (certificate.clone(), certificate.clone(), "the file contains a certificate but no key"),
        (write("empty", ""), key.clone(), "the file is empty"),
        (certificate.clone(), write("text", "hello\n"), "no private key in PEM format"),
        (write("text2", "hello\n"), key.clone(), "no certificate in PEM format"),
        (certificate.clone(), write("encrypted", encrypted), "encrypted keys are not supported"),
        (certificate.clone(), write("old", old), "encrypted keys are not supported"),
        (write("cut", &cut), key.clone(), "the PEM section has no end"),
        (write("order", &disordered), key.clone(), "is number 2 in the file and must be first"),
        (write("junk", junk), key.clone(), "the certificate is not usable"),
        (certificate.clone(), write("junk-key", junk_key), "the key is not usable"),
        ("/tmp".to_owned(), key.clone(), "the file is neither a certificate nor a key"),
    ] {
        let finished = finish(httpd().args(["--tls-cert", &certificate, "--tls-key", &key, "-p", "0"]), b"");
        assert_eq!((finished.code(), finished.stderr.lines().count()), (2, 1), "{why}: {}", finished.stderr);
        assert!(finished.stderr.contains(why), "{why}: {}", finished.stderr);
    }
    for (options, why) in [
        (&["--tls-key", &key][..], "--tls-key"),
        (&["--public-port", "443"], "--public-port 443: requires --tls-cert or --tls-self-signed"),
        (&["--redirect-http", "8080"], "--redirect-http 8080: requires --tls-cert or --tls-self-signed"),
        (&["--tls-self-signed", "--tls-cert", &certificate], "cannot be combined with"),
    ] {
        let finished = finish(httpd().args(options), b"");
        assert!(finished.code() == 2 && finished.stderr.contains(why), "{finished:?}");
    }
}

#[test]
fn one_file_may_hold_certificate_and_key() {
    let pair = Pair::new();
    let both = fs::read_to_string(pair.key()).unwrap() + &fs::read_to_string(pair.certificate()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = start(&["--tls-cert", &file(folder.path(), "both.pem", both)]);
    assert_eq!(server.connect().get("/a", "").1, b"hello");
}

#[test]
fn an_expired_or_future_certificate_is_served_with_a_warning() {
    let expired = Pair::with(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 2));
    let early = Pair::with(|params| params.not_before = rcgen::date_time_ymd(2099, 1, 2));
    for (pair, text) in [
        (expired, "the certificate expired on 2020-01-02 00:00 UTC; clients refuse it"),
        (early, "the certificate is valid from 2099-01-02 00:00 UTC and"),
    ] {
        let server = start(&pair.options());
        assert_eq!(server.connect().get("/a", "").1, b"hello");
        assert_eq!(server.running.stderr().matches(text).count(), 1, "{}", server.running.stderr());
    }
}

#[test]
fn a_certificate_that_expires_while_serving_is_reported_once() {
    let end = SystemTime::now() + Duration::from_secs(2);
    let since_epoch = end.duration_since(UNIX_EPOCH).unwrap();
    let pair = Pair::with(|params| params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch);
    let server = start(&pair.options());
    let mut before = server.connect();
    assert_eq!(before.get("/a", "").1, b"hello");
    let reports = || server.running.stderr().matches("the certificate expired on").count();
    let start = Instant::now();
    while reports() == 0 {
        assert!(start.elapsed() < WAIT_TIMEOUT, "no report\n{}", server.running.stderr());
        sleep(Duration::from_millis(50));
    }
    assert!(SystemTime::now() >= UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs()), "too early");
    assert_eq!(before.get("/a", "").1, b"hello", "open connections go on");
    assert_eq!(server.connect().get("/a", "").1, b"hello");
    sleep(Duration::from_millis(1200)); // longer than the interval of the check
    assert_eq!(reports(), 1, "{}", server.running.stderr());
}

/// Waits until new connections get this certificate.
fn wait_for_certificate(server: &Server, pair: &Pair) {
    let start = Instant::now();
    loop {
        let mut client = server.connect();
        client.get("/a", "");
        if client.certificate() == pair.der {
            return;
        }
        assert!(start.elapsed() < WAIT_TIMEOUT, "still the old certificate\n{}", server.running.stderr());
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_new_certificate_is_loaded_on_change_and_at_sighup_without_closing_connections() {
    let (pair, second, third) = (Pair::new(), Pair::new(), Pair::new());
    let server = start(&pair.options());
    let mut old = server.connect();
    old.get("/a", "");
    second.replace(&pair);
    wait_for_certificate(&server, &second);
    third.replace(&pair);
    server.running.signal(Signal::SIGHUP);
    wait_for_certificate(&server, &third);
    assert_eq!(old.get("/a", "").1, b"hello", "the connection of the first certificate is still there");
}

#[test]
fn incomplete_files_change_nothing_and_are_reported_until_they_match() {
    let (pair, new) = (Pair::new(), Pair::new());
    let server = start(&pair.options());
    let whole = fs::read_to_string(new.certificate()).unwrap();
    fs::write(pair.certificate(), &whole[..100]).unwrap();
    server.running.wait_for_stderr(|text| text.contains("the previous certificate stays").then_some(()));
    let mut client = server.connect();
    client.get("/a", "");
    assert_eq!(client.certificate(), pair.der);
    fs::write(pair.certificate(), &whole).unwrap();
    server.running.wait_for_stderr(|text| text.contains("does not belong to this certificate").then_some(()));
    fs::copy(new.key(), pair.key()).unwrap();
    wait_for_certificate(&server, &new);
}

#[test]
fn a_request_in_clear_gets_the_https_url() {
    let server = start(&["--tls-self-signed"]);
    let request = format!("GET /a?b=<c> HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\n\r\n", server.address);
    let answer = String::from_utf8(in_clear(server.address, request.as_bytes())).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("Content-Type: text/plain"), "it repeats what the client sent: {answer}");
    assert!(answer.ends_with(&format!("This port speaks HTTPS: https://{}/a?b=<c>\n", server.address)), "{answer}");
    assert!(in_clear(server.address, b"GET / HTTP/1.0\r\n\r\n").ends_with(b"This port speaks HTTPS.\n"));
    assert!(in_clear(server.address, b"nonsense\r\n\r\n").starts_with(b"HTTP/1.1 400 "));
    // Other bytes get a TLS alert.
    assert_eq!(in_clear(server.address, b"\0\0\0\0\0\0\0\0")[..1], [21]);
    // A record with a part of a ClientHello is no error, and neither is a client that disconnects then.
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"\x16\x03\x01\0\x05\x01\0\x01\0\0").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(!server.running.stderr().contains("panicked"), "{}", server.running.stderr());
}

#[test]
fn a_client_that_starts_tls_on_a_port_in_clear_gets_a_response_at_once() {
    let plain = crate::fixture::Server::with_files(&[("a", b"a")]);
    let mut client = Secure::connect(&client(BOTH, &[]), plain.address);
    let start = Instant::now();
    assert!(client.0.write_all(b"x").and_then(|()| client.0.flush()).is_err());
    let answer = in_clear(plain.address, &[22, 3, 1, 0, 200]);
    assert!(String::from_utf8(answer).unwrap().contains("This port speaks HTTP without TLS."));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn http_is_redirected_to_https_with_its_query_and_a_checked_host() {
    let port = free_port().to_string();
    let server = start(&["--tls-self-signed", "--redirect-http", &port]);
    let redirect = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
    let https = server.address.port();
    for (request, status, text) in [
        (
            "GET /a%20b?c=d HTTP/1.1\r\nHost: example.com:80\r\n\r\n",
            308,
            format!("https://example.com:{https}/a%20b?c=d"),
        ),
        ("HEAD / HTTP/1.1\r\nHost: [::1]\r\n\r\n", 308, format!("https://[::1]:{https}/")),
        ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 308, format!("https://h:{https}/x")),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "malformed".to_owned()),
        ("GET / HTTP/1.1\r\n\r\n", 400, "missing".to_owned()),
        ("GET / HTTP/1.0\r\n\r\n", 400, "names no host".to_owned()),
    ] {
        let answer = String::from_utf8(in_clear(redirect, request.as_bytes())).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
        assert!(answer.contains(&text), "{request}{answer}");
    }
}

#[test]
fn a_redirect_names_the_public_port() {
    for (public, expected) in
        [("443", "Location: https://example.com/a\r\n"), ("8443", "https://example.com:8443/a\r\n")]
    {
        let port = free_port().to_string();
        let _server = start(&["--tls-self-signed", "--redirect-http", &port, "--public-port", public]);
        let redirect = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        let answer = in_clear(redirect, b"GET /a HTTP/1.1\r\nHost: example.com:80\r\n\r\n");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains(expected), "{answer}");
    }
}

#[test]
fn incomplete_handshakes_time_out() {
    let server = start(&["--tls-self-signed", "--header-timeout", "1"]);
    let open = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let start = Instant::now();
    // No bytes, a part of a ClientHello, and many of them: other clients are served meanwhile.
    let waiting: Vec<_> = (0..100).map(|number| open(&[22, 3, 1, 1, 0, 1][..number % 7])).collect();
    assert_eq!(server.connect().get("/a", "").1, b"hello");
    for mut stream in waiting {
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(server.connect().get("/a", "").1, b"hello");
}

#[test]
fn idle_connections_hold_no_buffers() {
    const COUNT: usize = 200;
    let server = start(&["--tls-self-signed"]);
    let memory = || {
        let path = format!("/proc/{}/smaps_rollup", server.running.id());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap().trim();
        line.trim_end_matches(" kB").parse::<usize>().unwrap()
    };
    let config: Arc<ClientConfig> = client(BOTH, &[]);
    let connect = || {
        let mut client = Secure::connect(&config, server.address);
        client.get("/a", "");
        client
    };
    let mut idle: Vec<_> = (0..50).map(|_| connect()).collect();
    let before = memory();
    idle.extend((0..COUNT).map(|_| connect()));
    let each = (memory().saturating_sub(before)) * 1024 / COUNT;
    // Less than one record, and a quarter of the buffers of a thread.
    assert!(each < 12 * 1024, "{each} bytes for each");
}

#[test]
fn a_stopping_server_finishes_responses_and_sends_close_notify() {
    let pair = Pair::new();
    let server = start(&pair.options());
    let content = pattern(30_000_000);
    fs::write(server.folder.path().join("big"), &content).unwrap();
    let mut idle = server.connect();
    idle.get("/a", "");
    // It has not begun, so the server does not wait for it.
    let _silent = TcpStream::connect(server.address).unwrap();
    let mut busy = server.connect();
    busy.send(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut first = [0; 100];
    busy.0.read_exact(&mut first).unwrap();
    server.running.signal(Signal::SIGTERM);
    assert_eq!(idle.0.read(&mut [0]).unwrap(), 0, "an idle connection ends properly");
    let mut rest = Vec::new();
    busy.0.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(&content[content.len() - 1000..]), "{} bytes", rest.len());
    assert_eq!(server.running.finish().code(), 0);
}

#[test]
fn a_key_that_the_new_user_cannot_read_is_a_warning_about_renewal() {
    if !nix::unistd::geteuid().is_root() {
        return testkit::skip("only root can become another user");
    }
    let (pair, new) = (Pair::new(), Pair::new());
    let closed = |path: std::path::PathBuf| fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    closed(pair.key());
    closed(new.key());
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("a"), "hello").unwrap();
    let mut command = httpd();
    command.args(["--bind", "127.0.0.1", "--port", "0", "--user", "nobody"]).args(pair.options()).arg(folder.path());
    let running = Running::start(&mut command);
    let address = running.wait_for_stderr(|text| text.split_once("https://")?.1.split_once('/')?.0.parse().ok());
    running.wait_for_stderr(|text| text.contains("Permission denied; changes require a restart").then_some(()));
    let server = Server { running, address, folder };
    assert_eq!(server.connect().get("/a", "").1, b"hello");
    new.replace(&pair);
    server.running.signal(Signal::SIGHUP);
    server.running.wait_for_stderr(|text| text.contains("the previous certificate stays").then_some(()));
    assert_eq!(server.connect().get("/a", "").1, b"hello");
}

#[test]
fn a_proxy_header_is_in_clear_before_the_handshake() {
    let pair = Pair::new();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut options = pair.options().to_vec();
    let log_path = log.path().to_str().unwrap();
    let more = ["--trust-proxy", "127.0.0.1", "--proxy-protocol", "--access-log", log_path, "--log-format", "common"];
    options.extend(more.map(str::to_owned));
    let server = start(&options);
    let mut proxied = server.connect();
    // The handshake begins with the first write through TLS.
    for piece in [&b"PROXY TCP4 192.0."[..], b"2.1 127.0.0.1 1 2\r\n"] {
        proxied.0.sock.write_all(piece).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(proxied.get("/a", "").1, b"hello");
    }
    let mut bare = TcpStream::connect(server.address).unwrap();
    bare.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    bare.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
    assert!(matches!(bare.read(&mut [0]), Ok(0) | Err(_)), "no response without a header");
    server.running.signal(Signal::SIGTERM);
    assert_eq!(server.running.finish().code(), 0);
    let text = fs::read_to_string(log.path()).unwrap();
    assert!(text.lines().count() == 2 && text.lines().all(|line| line.starts_with("192.0.2.1 - - [")), "{text}");
}

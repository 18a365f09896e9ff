//! RFC 9112 on the wire: request line, fields, framing, persistence. Cases of the parser alone are unit tests.

use std::thread::sleep;
use std::time::Duration;

use crate::fixture::Server;

fn server() -> Server {
    Server::with_files(&[("a", b"aaa"), ("b", b"bb")])
}

#[test]
fn an_invalid_request_gets_a_response_and_ends_the_connection() {
    let server = server();
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(101));
    for (request, status) in [
        ("GET /a\r\n", 400),
        ("GET /a HTTP/0.9\r\n\r\n", 400),
        ("GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        ("get /a HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ("GET /a HTTP/1.1\r\nHost: h\r\nExpect: wonders\r\n\r\n", 417),
        (&long, 414),
        (&many, 431),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400),
    ] {
        let mut client = server.connect();
        client.send(request);
        let response = client.response();
        assert_eq!((response.status, response.field("Connection")), (status, Some("close")), "{request:?}");
        assert!(client.is_closed());
    }
}

#[test]
fn a_bad_path_gets_a_response_and_the_connection_goes_on() {
    let server = server();
    let mut client = server.connect();
    for (target, status) in [("/%zz", 400), ("/a%00", 400), ("/..", 400), ("/a%2Fb", 404), ("/nothing", 404)] {
        assert_eq!(client.get(target, "").status, status, "{target}");
    }
    assert_eq!(client.get("/a", "").text(), "aaa");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::with_files(&[("a", b"aaa"), ("b", b"bb"), ("big", &vec![b'x'; 400_000])]);
    let mut client = server.connect();
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    client.send([get("/a"), get("/big"), get("/nothing"), get("/b"), get("/big"), get("/a")].concat());
    assert_eq!(client.response().text(), "aaa");
    assert_eq!(client.response().body.len(), 400_000);
    assert_eq!(client.response().status, 404);
    assert_eq!(client.response().text(), "bb");
    assert_eq!(client.response().body.len(), 400_000);
    assert_eq!(client.response().text(), "aaa");
}

#[test]
fn a_single_worker_answers_pipelined_requests_without_end() {
    const COUNT: usize = 20_000;
    let server = Server::with_options(&[("sub/", b"")], &["--workers", "1", "--access-log", "off"]);
    let mut client = server.connect();
    let mut sending = client.sending_half();
    let sender = std::thread::spawn(move || {
        // The shortest request of HTTP/1.1: as many as possible are pending at once.
        std::io::Write::write_all(&mut sending, "GET /sub/?format=json HTTP/1.1\nHost:h\n\n".repeat(COUNT).as_bytes())
    });
    for _ in 0..COUNT {
        assert_eq!(client.response().body, b"[\n]\n");
    }
    sender.join().unwrap().unwrap();
}

#[test]
fn responses_to_pipelined_requests_do_not_accumulate_in_memory() {
    let server = Server::with_files(&[("page", &vec![b'x'; 16 * 1024])]);
    let mut client = server.connect();
    sleep(Duration::from_millis(50));
    client.send("GET /page HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1800));
    sleep(Duration::from_millis(500));
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.running.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kibibytes < 20_000, "{kibibytes} KiB for one connection");
    for _ in 0..1800 {
        assert_eq!(client.response().body.len(), 16 * 1024);
    }
}

#[test]
fn requests_sent_before_the_client_finished_sending_are_all_answered() {
    let big = vec![b'x'; 1_000_000];
    let server = Server::with_files(&[("big", &big), ("a", b"aaa")]);
    let mut client = server.connect();
    client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTT");
    client.finish_sending();
    assert!(client.response().body == big);
    assert_eq!(client.response().text(), "aaa");
    assert!(client.is_closed());
}

#[test]
fn a_head_may_arrive_byte_by_byte() {
    let server = server();
    let mut client = server.connect();
    for byte in b"\r\nGET /a HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n" {
        client.send([*byte]);
        sleep(Duration::from_millis(1));
    }
    assert_eq!(client.response().text(), "aaa");
}

#[test]
fn a_body_is_never_parsed_as_a_request() {
    let server = server();
    let mut client = server.connect();
    let inner = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    let length = inner.len();
    client.send(format!("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{inner}"));
    client.send(format!(
        "GET /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{inner}\r\n0\r\n\r\n"
    ));
    client.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    let texts: Vec<String> = (0..3).map(|_| client.response().text().to_owned()).collect();
    assert_eq!(texts, ["aaa", "aaa", "bb"]);
}

#[test]
fn a_body_may_arrive_late_and_in_pieces() {
    let server = server();
    let mut client = server.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
    assert_eq!(client.response().status, 405);
    client.send("01234");
    sleep(Duration::from_millis(20));
    client.send("56789GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().text(), "bb");
}

#[test]
fn a_body_too_large_to_drain_ends_the_connection_after_the_answer() {
    let server = server();
    let mut client = server.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
    client.send(vec![b'x'; 100_000]);
    let response = client.response();
    assert_eq!((response.status, response.field("Connection")), (405, Some("close")));
}

#[test]
fn a_client_that_waits_for_100_continue_gets_its_final_answer() {
    let server = server();
    let mut client = server.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.field("Connection")), (405, Some("close")));
}

#[test]
fn http_1_0_closes_unless_it_asks_to_stay() {
    let server = server();
    let mut client = server.connect();
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(client.response().field("Connection"), Some("keep-alive"));
    client.send("GET /a HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text(), response.field("Connection")), ("aaa", Some("close")));
    assert!(client.is_closed());
}

#[test]
fn close_is_recognised_in_a_list_and_case_insensitively() {
    let server = server();
    let mut client = server.connect();
    let response = client.get("/a", "Connection: foo, CLOSE\r\n");
    assert_eq!((response.text(), response.field("Connection")), ("aaa", Some("close")));
    assert!(client.is_closed());
}

#[test]
fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let big = vec![b'x'; 1_000_000];
    let server = Server::with_files(&[("big", &big)]);
    let mut client = server.connect();
    client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client.finish_sending();
    assert!(client.response().body == big);
    assert!(client.is_closed());
}

#[test]
fn absolute_form_and_bare_line_feeds_are_accepted() {
    let server = server();
    assert_eq!(server.answer("GET http://other.example/a HTTP/1.1\r\nHost: h\r\n\r\n").text(), "aaa");
    assert_eq!(server.answer("GET /a HTTP/1.1\nHost: h\n\n").text(), "aaa");
}

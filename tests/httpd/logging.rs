//! The access log: what a line says, which responses have one, and where lines go.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use testkit::http::Client;
use testkit::process::{Running, WAIT_TIMEOUT};

use crate::fixture::{Server, httpd, listening_address};

/// Serves one file `a` with these options; returns the server, its address and its folder.
fn start(options: &[&str]) -> (Running, std::net::SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let mut command = httpd();
    command.args(["-b", "127.0.0.1", "-p", "0"]).args(options).arg(folder.path());
    let running = Running::start(&mut command);
    let address = running.wait_for_stderr(listening_address);
    (running, address, folder)
}

#[test]
fn a_line_for_people_has_readable_names_the_bytes_that_were_sent_and_the_duration() {
    let server = Server::with_options(&[("a b/שלום", b"hello")], &["--log-format", "dev"]);
    assert_eq!(server.get("/a%20b/%D7%A9%D7%9C%D7%95%D7%9D").text(), "hello");
    server.connect().head("/a%20b/%D7%A9%D7%9C%D7%95%D7%9D", "");
    server.get("/%1b[31m%0a");
    server.running.signal(Signal::SIGTERM);
    let log = server.running.finish().stdout;
    let has = |start: &str| {
        let line = log.lines().find(|line| line.contains(start)).unwrap_or_else(|| panic!("{start}: {log}"));
        assert!(line.ends_with(" ms (127.0.0.1)"), "{line}");
    };
    has(" 200 GET /a b/שלום 5 B ");
    has(" 200 HEAD /a b/שלום 0 B ");
    has(" 404 GET /\\x1b[31m\\n ");
}

#[test]
fn a_file_from_memory_that_the_client_does_not_read_counts_with_the_bytes_that_were_sent() {
    // Fits the cache, but not the buffers of a hundred pipelined responses.
    let big = vec![b'x'; 120_000];
    let server = Server::with_options(&[("big", &big)], &["--stop-timeout", "100ms", "--log-format", "common"]);
    let mut client = server.connect();
    client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n".repeat(200));
    assert_eq!(client.response_to_head().status, 200);
    let running = &server.running;
    // The response that does not fit is sent by a thread, which is cut.
    testkit::wait_until(WAIT_TIMEOUT, || !running.stdout().is_empty());
    server.running.signal(Signal::SIGTERM);
    let log = server.running.finish().stdout;
    let bytes: Vec<usize> = log.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    let (last, whole) = bytes.split_last().unwrap();
    assert!(!whole.is_empty() && whole.iter().all(|count| *count == big.len()), "{bytes:?}");
    assert!(*last < big.len(), "{bytes:?}");
}

#[test]
fn health_checks_are_in_the_log_by_option_only() {
    for (options, expected) in [(&["--health", "/ok"][..], 1), (&["--health", "/ok", "--log-health"], 3)] {
        let (running, address, _folder) = start(options);
        let mut client = Client::connect(address);
        for target in ["/ok", "/a", "/ok"] {
            assert_eq!(client.get(target, "").status, 200);
        }
        running.signal(Signal::SIGTERM);
        let log = running.finish().stdout;
        assert_eq!(log.lines().count(), expected, "{log}");
    }
}

#[test]
fn quiet_means_no_log_on_standard_output_unless_it_is_named() {
    for (options, lines) in [(&["-q"][..], 0), (&["-q", "--access-log", "-"], 1)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a").unwrap();
        let port = testkit::process::free_port();
        let mut command = httpd();
        command.args(["-b", "127.0.0.1", "-p", &port.to_string()]).args(options).arg(folder.path());
        let running = Running::start(&mut command);
        let address = (std::net::Ipv4Addr::LOCALHOST, port).into();
        testkit::process::wait_until_listening(address);
        assert_eq!(Client::connect(address).get("/a", "").text(), "a");
        running.signal(Signal::SIGTERM);
        let finished = running.finish();
        assert_eq!((finished.stdout.lines().count(), finished.stderr.as_str()), (lines, ""), "{}", finished.stdout);
    }
}

#[test]
fn lines_are_at_most_8_kib() {
    let (running, address, _folder) = start(&[]);
    let field = format!("User-Agent: {}\r\n", "\u{e4}".repeat(6000));
    assert_eq!(Client::connect(address).get("/a", &field).text(), "a");
    running.signal(Signal::SIGTERM);
    let log = running.finish().stdout;
    assert!(log.len() < 8192 && log.ends_with("...\"\n"), "{} bytes", log.len());
}

#[test]
fn a_log_on_standard_error_survives_sighup() {
    let (running, address, _folder) = start(&["--access-log", "/dev/stderr"]);
    assert_eq!(Client::connect(address).get("/a?1", "").text(), "a");
    running.signal(Signal::SIGHUP);
    running.wait_for_stderr(|text| {
        Client::connect(address).get("/a?2", "");
        text.contains("GET /a?1 ").then_some(())
    });
    running.signal(Signal::SIGTERM);
    let finished = running.finish();
    assert!(finished.stderr.contains("GET /a?2 ") && !finished.stderr.contains("access log"), "{}", finished.stderr);
    assert_eq!(finished.stdout, "");
}

#[test]
fn a_fifo_without_a_reader_does_not_prevent_the_start_and_keeps_lines_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("log");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let (running, address, _root) = start(&["--access-log", fifo.to_str().unwrap()]);
    assert_eq!(Client::connect(address).get("/a?first", "").text(), "a");
    running.signal(Signal::SIGHUP);
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        File::open(fifo).unwrap().read_to_string(&mut text).unwrap();
        text
    });
    running.signal(Signal::SIGTERM);
    assert_eq!(running.finish().code(), 0);
    assert!(reader.join().unwrap().contains("GET /a?first "));
}

#[test]
fn after_ctrl_c_the_prompt_begins_on_its_own_line() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = httpd();
    command.args(["-b", "127.0.0.1", "-p", "0"]).arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::from(terminal.slave.try_clone().unwrap()));
    let mut child = command.spawn().unwrap();
    let mut master = File::from(terminal.master);
    let mut text = String::new();
    let mut read_until = |end: &str| {
        let (start, mut buffer) = (Instant::now(), [0; 1024]);
        while !text.contains(end) {
            assert!(start.elapsed() < WAIT_TIMEOUT, "{text}");
            let count = master.read(&mut buffer).unwrap();
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        std::mem::take(&mut text)
    };
    read_until("Ctrl-C to stop");
    // The terminal echoes ^C; the server ends the line.
    File::from(terminal.slave.as_fd().try_clone_to_owned().unwrap()).write_all(b"^C").unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(read_until("^C\r\n").ends_with("^C\r\n"));
}

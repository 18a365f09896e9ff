//! Starting, refusing to start, logging, limits, stopping.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use testkit::process::{Running, WAIT_TIMEOUT, finish};

use crate::fixture::{Server, httpd, listening_address};

fn refused(args: &[&str]) -> (i32, String) {
    let finished = finish(httpd().args(args), b"");
    assert_eq!(finished.stdout, "");
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    assert!(finished.stderr.starts_with("httpd: "), "{}", finished.stderr);
    (finished.code(), finished.stderr)
}

/// Waits for the first byte of a response, without reading it.
fn wait_for_input(client: &testkit::http::Client) {
    client.stream().peek(&mut [0]).unwrap();
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    for (args, text) in [
        (&["--root", "/no/such/folder"][..], "open folder /no/such/folder: No such file or directory"),
        (&["--root", "/dev/null"], "open folder /dev/null: Not a directory"),
        (&["--prot", "1"], "did you mean '--port'?"),
        (&["--port", "70000"], "for '--port <PORT>': a port is a number from 0 to 65535"),
        (&["--bind", "example.com"], "--bind example.com: is not an IP address"),
        (&["--bind", "192.0.2.99"], "listen on 192.0.2.99:6789: Cannot assign requested address"),
        (&["--header", "nonsense"], "--header nonsense: has no colon"),
        (&["--workers", "0"], "--workers 0: must be at least 1"),
        (&["--workers", "100000"], "--workers 100000: must be at most 1024; more workers than cores are of no use"),
        (&["--access-log", "/no/such/folder/log"], "open access log /no/such/folder/log: No such file or directory"),
        (&["a", "b"], "unexpected argument 'b'"),
    ] {
        let (code, line) = refused(args);
        assert_eq!(code, 2, "{line}");
        assert!(line.contains(text), "{line}");
    }
}

#[test]
fn a_port_in_use_is_an_error_even_if_another_httpd_has_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (code, line) = refused(&["--bind", "127.0.0.1", "--port", &port]);
    let expected =
        format!("httpd: listen on 127.0.0.1:{port}: Address already in use; choose another port with --port\n");
    assert_eq!((code, line), (2, expected));
    let server = Server::with_files(&[]);
    let port = server.address.port().to_string();
    assert!(refused(&["--bind", "127.0.0.1", "--port", &port]).1.contains("already in use"));
}

#[test]
fn options_are_read_from_the_environment_and_the_command_line_wins() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let mut command = httpd();
    command.env("HTTPD_ROOT", folder.path()).env("HTTPD_BIND", "127.0.0.1").env("HTTPD_PORT", "1");
    command.env("HTTPD_HEADER", "X-One: 1\nX-Two: 2").env("HTTPD_CORS", "true").env("HTTPD_TLS_CERT", "");
    let running = Running::start(command.args(["--port", "0"]));
    let address = running.wait_for_stderr(listening_address);
    let response = testkit::http::Client::connect(address).get("/a", "");
    assert_eq!((response.field("X-One"), response.field("X-Two")), (Some("1"), Some("2")));
    assert_eq!(response.field("Access-Control-Allow-Origin"), Some("*"));
    let mut command = httpd();
    command.env("HTTPD_PORT", "tcp://10.96.0.7:80").env("HTTPD_AUTH_FILE", "/nowhere").env("HTTPD_SYMLINKS", "some");
    let finished = finish(&mut command, b"");
    assert_eq!(finished.code(), 2);
    assert!(finished.stderr.contains("'some'") && finished.stderr.contains("--symlinks"), "{}", finished.stderr);
    let finished = finish(httpd().env("HTTPD_CORS", "maybe"), b"");
    assert_eq!(finished.stderr, "httpd: HTTPD_CORS maybe: is neither yes nor no\n");
}

#[test]
fn limits_of_the_system_are_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let limited = |options: &[&str]| {
        let mut command = std::process::Command::new("prlimit");
        command.args(["--nofile=64:64", "--", env!("CARGO_BIN_EXE_httpd"), "-b", "127.0.0.1", "-p", "0"]);
        command.args(options).arg(folder.path());
        command
    };
    let finished = finish(&mut limited(&["--workers", "100"]), b"");
    assert_eq!(finished.code(), 2);
    assert!(finished.stderr.contains("use fewer --workers, or raise the limit of open files"), "{}", finished.stderr);
    let running = Running::start(&mut limited(&["--max-connections", "1000"]));
    running.wait_for_stderr(listening_address);
    let expected = "--max-connections 1000: the limit of open files is 64; raise it with ulimit -n or LimitNOFILE=";
    assert!(running.stderr().contains(expected), "{}", running.stderr());
    if nix::unistd::geteuid().is_root() {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--"]);
        command.args([env!("CARGO_BIN_EXE_httpd"), "-b", "127.0.0.1", "-p", "81", "/"]);
        let refused = finish(&mut command, b"");
        let expected =
            "listen on 127.0.0.1:81: Permission denied; choose a port above 1023, or start as root with --user";
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let help = finish(httpd().arg("--help"), b"");
    assert_eq!((help.code(), help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("--root <DIR>") && help.stdout.contains("Exit codes"));
    assert!(finish(httpd().arg("--version"), b"").stdout.starts_with("httpd "));
}

#[test]
fn without_options_ipv4_and_ipv6_reach_the_current_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let running = Running::start(httpd().args(["--port", "0"]).current_dir(folder.path()));
    let port = running.wait_for_stderr(|text| {
        text.split_once("http://localhost:")?.1.split_once('/').and_then(|(port, _)| port.parse::<u16>().ok())
    });
    let v4 = (Ipv4Addr::LOCALHOST, port).into();
    assert_eq!(testkit::http::Client::connect(v4).get("/a", "").text(), "a");
    if TcpListener::bind("[::1]:0").is_err() {
        return testkit::skip("this host has no IPv6");
    }
    let v6 = format!("[::1]:{port}").parse().unwrap();
    assert_eq!(testkit::http::Client::connect(v6).get("/a", "").text(), "a");
}

#[test]
fn both_unspecified_addresses_can_be_named_beside_each_other() {
    if TcpListener::bind("[::1]:0").is_err() {
        return testkit::skip("this host has no IPv6");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let port = testkit::process::free_port();
    for addresses in [["0.0.0.0", "::"], ["::", "127.0.0.1"], ["::", "::"]] {
        let options = ["-b", addresses[0], "-b", addresses[1], "-p", &port.to_string()];
        let running = Running::start(httpd().args(options).arg(folder.path()));
        running.wait_for_stderr(|text| text.contains("serving").then_some(()));
        for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
            assert_eq!(testkit::http::Client::connect(address.parse().unwrap()).get("/a", "").text(), "a", "{address}");
        }
    }
}

#[test]
fn the_access_log_has_a_line_for_every_answer() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = log.path().to_str().unwrap();
    let big = vec![b'x'; 500_000];
    let server = Server::with_options(&[("a", b"aaa"), ("big", &big)], &["--access-log", path]);
    let mut client = server.connect();
    client.get("/a?x=\"y", "User-Agent: test/1\r\nReferer: http://example.com/\r\n");
    client.get("/big", "");
    client.get("/nothing", "");
    server.answer("nonsense\r\n\r\n");
    server.running.signal(Signal::SIGTERM);
    assert_eq!(server.running.finish().code(), 0);
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    // Each worker writes its own lines; only those of one connection have an order.
    lines.sort_by_key(|line| line.contains("nonsense"));
    assert!(lines[0].ends_with("\"GET /a?x=\\x22y HTTP/1.1\" 200 3 \"http://example.com/\" \"test/1\""), "{text}");
    assert!(lines[1].ends_with("\"GET /big HTTP/1.1\" 200 500000 \"-\" \"-\""), "{text}");
    assert!(lines[2].contains("\"GET /nothing HTTP/1.1\" 404 "), "{text}");
    assert!(lines[3].contains("\"nonsense\" 400 "), "{text}");
    assert_eq!(lines.len(), 4, "{text}");
}

#[test]
fn every_line_of_the_json_log_is_json_whatever_was_asked() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let options = ["--access-log", log.path().to_str().unwrap(), "--log-format", "json"];
    let server = Server::with_options(&[("a", b"aaa")], &options);
    server.answer(b"GET /a?\"\\x HTTP/1.1\r\nHost: h\r\nUser-Agent: \xff\xfe\t\"\\u0000\r\nReferer: \xc3\xa4\r\n\r\n");
    server.answer(b"\x16\x03\x01\x1b[31m\"\r\n\r\n");
    server.running.signal(Signal::SIGTERM);
    server.running.finish();
    let text = fs::read_to_string(log.path()).unwrap();
    let mut lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["status"].as_u64());
    assert_eq!((&lines[0]["status"], &lines[0]["bytes"]), (&200.into(), &3.into()), "{text}");
    assert_eq!((lines.len(), &lines[1]["status"]), (2, &400.into()), "{text}");
}

#[test]
fn a_log_without_a_reader_delays_no_response() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    nix::unistd::mkfifo(&log, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _reader = fs::File::options().read(true).write(true).open(&log).unwrap();
    let server = Server::with_options(&[("a", b"a")], &["--access-log", log.to_str().unwrap()]);
    let mut client = server.connect();
    let field = format!("User-Agent: {}\r\n", "x".repeat(3000));
    let start = Instant::now();
    for _ in 0..200 {
        assert_eq!(client.get("/a", &field).text(), "a");
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let complaint = "access log: the reader does not read; lines are lost";
    server.running.wait_for_stderr(|text| text.contains(complaint).then_some(()));
}

#[test]
fn the_log_is_opened_again_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("log"), folder.path().join("log.1"));
    let server = Server::with_options(&[("a", b"a")], &["--access-log", first.to_str().unwrap()]);
    server.get("/a");
    fs::rename(&first, &second).unwrap();
    server.running.signal(Signal::SIGHUP);
    testkit::wait_until(WAIT_TIMEOUT, || first.exists());
    server.get("/a");
    server.running.signal(Signal::SIGTERM);
    server.running.finish();
    let lines = |path| fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(lines(&first) + lines(&second), 2);
    assert!(lines(&first) >= 1);
}

#[test]
fn a_stop_lets_a_download_finish_and_closes_idle_connections() {
    let big = vec![b'x'; 30_000_000];
    let server = Server::with_files(&[("big", &big)]);
    let mut idle = server.connect();
    idle.get("/nothing", "");
    let mut busy = server.connect();
    busy.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for_input(&busy);
    server.running.signal(Signal::SIGTERM);
    assert!(idle.is_closed());
    assert!(busy.response().body == big);
    assert!(busy.is_closed());
    assert_eq!(server.running.finish().code(), 0);
}

#[test]
fn where_no_thread_can_be_started_a_download_is_aborted_and_small_files_are_served() {
    if !nix::unistd::geteuid().is_root() {
        return testkit::skip("only root can become a user that has no other processes");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    fs::write(folder.path().join("big"), vec![b'x'; 1_000_000]).unwrap();
    // Two workers beside the first thread, and not one more: the limit counts for a user without rights only.
    let mut command = std::process::Command::new("prlimit");
    command.args(["--nproc=3", "--", env!("CARGO_BIN_EXE_httpd"), "-b", "127.0.0.1", "-p", "0"]);
    command.args(["--workers", "2", "--user", "games"]).arg(folder.path());
    let running = Running::start(&mut command);
    let address = running.wait_for_stderr(listening_address);
    // Before both workers are there, one of them could still start a thread in place of the other.
    let status = || fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    testkit::wait_until(WAIT_TIMEOUT, || status().contains("\nThreads:\t3\n"));
    let mut download = testkit::http::Client::connect(address);
    download.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(download.is_closed());
    assert_eq!(testkit::http::Client::connect(address).get("/a", "").text(), "a");
}

#[test]
fn requests_that_had_arrived_before_a_stop_are_answered() {
    let server = Server::with_options(&[("a", b"a")], &["--workers", "2"]);
    server.running.signal(Signal::SIGSTOP);
    let mut clients: Vec<_> = (0..400).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    server.running.signal(Signal::SIGTERM);
    server.running.signal(Signal::SIGCONT);
    for client in &mut clients {
        assert_eq!(client.response().text(), "a");
    }
    assert_eq!(server.running.finish().code(), 0);
}

/// A server with a download that the client does not read, and what is in the access log after the stop.
fn stop_during_download(options: &[&str], signals: &[Signal]) -> (i32, String, String, Duration) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let options = [options, &["--access-log", log.path().to_str().unwrap()]].concat();
    let server = Server::with_options(&[("big", &vec![b'x'; 30_000_000])], &options);
    let mut stalled = server.connect();
    stalled.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(stalled.response_to_head().status, 200);
    let start = Instant::now();
    for signal in signals {
        server.running.signal(*signal);
        // The program takes one signal of a kind at a time.
        sleep(Duration::from_millis(50));
    }
    let finished = server.running.finish();
    (finished.code(), finished.stderr.clone(), fs::read_to_string(log.path()).unwrap(), start.elapsed())
}

#[test]
fn a_second_signal_ends_at_once_and_the_exit_code_is_3_if_a_response_was_cut() {
    let (code, stderr, _, elapsed) = stop_during_download(&[], &[Signal::SIGINT, Signal::SIGINT]);
    assert_eq!(code, 3, "{stderr}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

#[test]
fn a_download_that_takes_longer_than_the_stop_timeout_is_cut_and_logged() {
    for workers in ["1", "2"] {
        let options = ["--stop-timeout", "200ms", "--workers", workers];
        let (code, stderr, log, elapsed) = stop_during_download(&options, &[Signal::SIGTERM]);
        assert_eq!(code, 3, "{stderr}");
        assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
        assert!(stderr.contains("response cut at the stop after ") && stderr.contains("GET /big HTTP/1.1"), "{stderr}");
        assert!(stderr.contains("responses cut at the stop: 1; give them more time with --stop-timeout"), "{stderr}");
        let bytes = log.split("\" 200 ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let bytes: u64 = bytes.parse().unwrap();
        assert!((1..30_000_000).contains(&bytes), "the log has the bytes that were sent: {log}");
    }
}

#[test]
fn a_standard_error_that_takes_nothing_does_not_keep_it_from_serving() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let port = testkit::process::free_port();
    let script = "exec \"$0\" -b 127.0.0.1 -p \"$1\" \"$2\" 2>/dev/full";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_httpd"), &port.to_string()]).arg(folder.path());
    let _running = Running::start(&mut command);
    let address = (Ipv4Addr::LOCALHOST, port).into();
    testkit::process::wait_until_listening(address);
    assert_eq!(testkit::http::Client::connect(address).get("/a", "").text(), "a");
}

#[test]
fn the_port_is_free_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with_files(&[("a", b"a")]);
    let port = server.address.port().to_string();
    let mut client = server.connect();
    client.get("/a", "");
    server.running.signal(Signal::SIGKILL);
    drop(server);
    let again = Running::start(httpd().args(["-b", "127.0.0.1", "-p", &port]).arg(folder.path()));
    again.wait_for_stderr(listening_address);
}

#[test]
fn a_head_that_does_not_come_in_time_is_408() {
    let server = Server::with_options(&[], &["--header-timeout", "1", "--idle-timeout", "1"]);
    let mut slow = server.connect();
    slow.send("GET / HTT");
    assert_eq!(slow.response().status, 408);
    assert!(slow.is_closed());
    let mut silent = server.connect();
    assert!(silent.is_closed());
}

#[test]
fn an_idle_connection_keeps_nothing_of_a_head_that_came_in_pieces() {
    let server = Server::with_files(&[("a", b"a")]);
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", server.running.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let field = format!("Cookie: {}\r\n", "x".repeat(8000)).repeat(3);
    let before = resident();
    let idle: Vec<_> = (0..300)
        .map(|_| {
            let mut client = server.connect();
            client.send(format!("GET /a HTTP/1.1\r\nHost: h\r\n{field}"));
            sleep(Duration::from_millis(1));
            client.send("\r\n");
            assert_eq!(client.response().text(), "a");
            client
        })
        .collect();
    let grown = resident().saturating_sub(before);
    assert!(grown < 4000, "{grown} KiB for {} idle connections", idle.len());
}

#[test]
fn connections_over_the_limit_get_503_while_the_others_are_busy() {
    for option in ["--max-connections", "--max-per-ip"] {
        let server = Server::with_options(&[("a", b"a")], &[option, "2", "--header", "X-Team: web"]);
        let mut busy = [server.connect(), server.connect()];
        for client in &mut busy {
            client.send("GET /a HTTP/1.1\r\n");
        }
        // A head that has begun to arrive is no idle connection.
        let mut refusal = server.get("/a");
        testkit::wait_until(WAIT_TIMEOUT, || {
            refusal = server.get("/a");
            refusal.status == 503
        });
        assert_eq!((refusal.status, refusal.field("Retry-After")), (503, Some("1")));
        assert!(refusal.field("Date").is_some(), "{}", refusal.head);
        assert_eq!(refusal.field("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(refusal.field("X-Team"), Some("web"));
        for client in &mut busy {
            client.send("Host: h\r\n\r\n");
            assert_eq!(client.response().text(), "a");
        }
    }
}

#[test]
fn at_the_limit_idle_connections_give_way_to_new_ones() {
    for (option, workers) in [("--max-connections", "1"), ("--max-per-ip", "1"), ("--max-connections", "3")] {
        let server = Server::with_options(&[("a", b"a")], &[option, "4", "--workers", workers]);
        let mut clients = Vec::new();
        for number in 0..40 {
            let mut client = server.connect();
            assert_eq!(client.get("/a", "").text(), "a", "{option} {workers}: client {number}");
            clients.push(client);
        }
        let last = clients.len() - 1;
        assert_eq!(clients[last].get("/a", "").text(), "a", "the newest connection is kept");
        assert!(clients[0].is_closed());
    }
}

#[test]
fn on_a_single_core_a_client_that_reads_nothing_does_not_stop_the_others() {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::count()).find(|core| all.is_set(*core).unwrap_or(false)).unwrap()).unwrap();
    // For this thread and what it starts: the server counts its cores when it starts.
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    let server = Server::with_files(&[("big", &vec![b'x'; 10_000_000]), ("a", b"a")]);
    sched_setaffinity(Pid::from_raw(0), &all).unwrap();
    let mut stalled = server.connect();
    stalled.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for_input(&stalled);
    let start = Instant::now();
    assert_eq!(server.get("/a").text(), "a");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn without_free_descriptors_it_waits_and_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let mut command = std::process::Command::new("prlimit");
    command.args(["--nofile=30:30", "--", env!("CARGO_BIN_EXE_httpd"), "-b", "127.0.0.1", "-p", "0"]);
    let running = Running::start(command.args(["--workers", "1"]).arg(folder.path()));
    let address = running.wait_for_stderr(listening_address);
    let crowd: Vec<_> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    running.wait_for_stderr(|text| text.contains("Too many open files; accepting pauses").then_some(()));
    sleep(Duration::from_millis(500));
    assert_eq!(running.stderr().matches("accepting pauses").count(), 1, "{}", running.stderr());
    drop(crowd);
    // Until the server has closed the last of the crowd there is a place for a connection, but none for a file.
    testkit::wait_until(WAIT_TIMEOUT, || testkit::http::Client::connect(address).get("/a", "").status == 200);
}

#[test]
fn a_deleted_root_is_logged_because_a_new_folder_is_not_served() {
    let around = tempfile::tempdir().unwrap();
    let root = around.path().join("dist");
    fs::create_dir(&root).unwrap();
    let running = Running::start(httpd().args(["-b", "127.0.0.1", "-p", "0", "--root"]).arg(&root));
    running.wait_for_stderr(listening_address);
    fs::remove_dir(&root).unwrap();
    running.wait_for_stderr(|text| text.contains("was deleted; a new folder").then_some(()));
}

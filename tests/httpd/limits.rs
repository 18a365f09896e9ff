//! Hundreds of hostile clients, and a system without free descriptors: other clients are served as before.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::process::Running;

use crate::fixture::{Server, listening_address};

/// Number of attackers.
const CROWD: usize = 300;

/// CPU time of a process in seconds, from proc(5).
fn cpu_seconds(pid: u32) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u32 = fields[11..13].iter().map(|ticks| ticks.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / TICKS_PER_SECOND
}

/// Peak memory of a process in KiB, from proc(5).
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn crowd(server: &Server, request: &str) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    (0..CROWD).map(connect).collect()
}

/// Other clients are served without delay.
fn others_are_served(server: &Server) {
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(server.get("/a").text(), "a");
    }
    // A stalled worker takes longer than a busy machine.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn hundreds_of_slow_heads_delay_no_other_client_and_end_at_their_deadline() {
    let server = Server::with_options(&[("a", b"a")], &["--header-timeout", "1"]);
    let mut slow = crowd(&server, "GET /a HTTP/1.1\r\nHost: h\r\nX-Slow: ");
    let start = Instant::now();
    others_are_served(&server);
    // A byte now and then does not help: the deadline applies to the whole head.
    while !slow.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "{} are still connected", slow.len());
        sleep(Duration::from_millis(200));
        slow.retain_mut(|stream| stream.write_all(b"x").is_ok());
    }
    others_are_served(&server);
    assert!(cpu_seconds(server.running.id()) < 2.0);
}

#[test]
fn hundreds_of_clients_that_read_nothing_delay_no_other_client() {
    let server = Server::with_files(&[("a", b"a"), ("big", &vec![b'x'; 10_000_000]), ("sub/", b"")]);
    let stalled = crowd(&server, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    let before = cpu_seconds(server.running.id());
    others_are_served(&server);
    sleep(Duration::from_millis(500));
    let used = cpu_seconds(server.running.id()) - before;
    assert!(used < 1.5, "{used} s of CPU time for clients that do nothing");
    drop(stalled);
    others_are_served(&server);
}

#[test]
fn clients_that_request_much_and_read_nothing_take_little_memory() {
    const CLIENTS: u64 = 20;
    let server = Server::with_files(&[("a", b"a"), ("kept", &vec![b'x'; 100_000])]);
    let before = peak_memory(server.running.id());
    let flood = "GET /kept HTTP/1.1\nHost: h\nRange: bytes=0-0,2-\n\n".repeat(2000);
    let flooding: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.set_nonblocking(true).unwrap();
            let _ = stream.write(flood.as_bytes());
            stream
        })
        .collect();
    others_are_served(&server);
    sleep(Duration::from_millis(500));
    let grown = peak_memory(server.running.id()) - before;
    assert!(grown < CLIENTS * 1024, "{grown} KiB for {CLIENTS} clients");
    drop(flooding);
}

/// A server with a limit of descriptors.
fn server_with_descriptors(limit: usize) -> (Running, std::net::SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_httpd")]);
    let running = Running::start(command.args(["-b", "127.0.0.1", "-p", "0"]).arg(folder.path()));
    let address = running.wait_for_stderr(listening_address);
    (running, address, folder)
}

#[test]
fn without_descriptors_accepting_pauses_without_spinning_and_goes_on_later() {
    let (running, address, _folder) = server_with_descriptors(64);
    let mut clients: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    running.wait_for_stderr(|text| text.contains("Too many open files").then_some(()));
    let before = cpu_seconds(running.id());
    sleep(Duration::from_secs(1));
    let used = cpu_seconds(running.id()) - before;
    assert!(used < 0.2, "{used} s of CPU time in a second without descriptors");
    // Waiting clients are served when the others have disconnected.
    let last = clients.split_off(180);
    drop(clients);
    for mut stream in last {
        stream.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\na"), "{answer}");
    }
}

#[test]
fn a_listing_of_ten_thousand_entries_takes_little_memory() {
    const COUNT: usize = 10_000;
    let server = Server::with_files(&[("d/", b"")]);
    for number in 0..COUNT {
        fs::File::create(server.path(&format!("d/a file with a rather long name, number {number}"))).unwrap();
    }
    let before = peak_memory(server.running.id());
    let page = server.get("/d/");
    assert_eq!(page.text().matches("<tr>").count() - 1, COUNT, "one row for each entry");
    let grown = peak_memory(server.running.id()) - before;
    assert!(page.body.len() > 2_000_000 && grown < 8 << 10, "{grown} KiB for {} bytes", page.body.len());
}

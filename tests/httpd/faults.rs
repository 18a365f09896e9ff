//! What goes wrong around a server: full and read-only disks, a kill in the middle, crowds beyond every limit.
//!
//! File systems are mounted in the mount namespace of the server, which ends with it; only root can mount them.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::http::Client;
use testkit::process::{Running, WAIT_TIMEOUT, finish, free_port};

use crate::fixture::{Server, httpd, listening_address};

/// A server with a site and a log, each on a small file system in its mount namespace.
struct Mounted {
    running: Running,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Mounted {
    /// `None` if no file system can be mounted.
    fn new(log_size: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            testkit::skip("only root can mount file systems");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["site", "log"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        // Each command becomes the next one, so that the process that is watched and killed is the server itself.
        let script = "mount -t tmpfs tmpfs \"$1/site\" && mount -t tmpfs -o \"size=$2\" tmpfs \"$1/log\" && echo a >\"$1/site/a\" && \
                      exec \"$3\" -b 127.0.0.1 -p 0 --workers 1 --access-log \"$1/log/access\" --root \"$1/site\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(folder.path());
        let running = Running::start(command.args([log_size, env!("CARGO_BIN_EXE_httpd")]));
        let address = running.wait_for_stderr(listening_address);
        Some(Self { running, address, folder })
    }

    /// Where a file of the server can be reached from here.
    fn path(&self, name: &str) -> PathBuf {
        let inside = self.folder.path().join(name);
        Path::new(&format!("/proc/{}/root", self.running.id())).join(inside.strip_prefix("/").unwrap())
    }

    /// Runs `mount` or `umount` among the mounts of the server, with a path below its folder as the last word.
    fn mount(&self, words: &str, name: &str) {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.running.id().to_string(), "--mount"]).args(words.split(' '));
        let finished = finish(command.arg(self.folder.path().join(name)), b"");
        assert_eq!(finished.code(), 0, "{finished:?}");
    }

    fn status(&self, target: &str) -> u16 {
        Client::connect(self.address).get(target, "").status
    }
}

/// The lines of a log, each of which must be whole.
fn lines_of_a_log(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    for line in text.lines() {
        assert!(line.starts_with("127.0.0.1 - - [") && line.ends_with(" \"-\" \"-\""), "{line}");
    }
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().count()
}

#[test]
fn a_full_disk_under_the_log_is_logged_and_delays_no_response() {
    let Some(server) = Mounted::new("64k") else { return };
    let log = server.path("log/access");
    let filler = server.path("log/filler");
    assert_eq!(server.status("/a"), 200);
    // Everything but the page that the log has already.
    let _ = fs::write(&filler, vec![0; 1 << 20]);
    let start = Instant::now();
    let mut client = Client::connect(server.address);
    let wordy = format!("/{}", "x".repeat(5000));
    let lost = |text: &str| text.matches("access log: No space left on device; lines are lost").count();
    while lost(&server.running.stderr()) == 0 {
        assert_eq!(client.get(&wordy, "").status, 404);
        assert!(start.elapsed() < WAIT_TIMEOUT, "{}", server.running.stderr());
    }
    for _ in 0..2000 {
        assert_eq!(client.get("/a", "").status, 200);
    }
    assert_eq!(lost(&server.running.stderr()), 1, "{}", server.running.stderr());

    // With free space again, the log continues on a new line.
    fs::remove_file(&filler).unwrap();
    server.running.wait_for_stderr(|text| {
        let mut client = Client::connect(server.address);
        client.get("/after", "");
        sleep(Duration::from_millis(100));
        text.contains("access log: writing again").then_some(())
    });
    server.running.signal(Signal::SIGTERM);
    let text = loop {
        // The file is gone with the process, so it is read before the process ends.
        let text = fs::read_to_string(&log).unwrap();
        if text.contains("GET /after ") {
            break text;
        }
        assert!(start.elapsed() < WAIT_TIMEOUT, "nothing is written any more");
    };
    let cut: Vec<&str> = text.lines().filter(|line| !line.ends_with(" \"-\" \"-\"")).collect();
    assert!(cut.len() <= 1, "a line was cut by the end of the disk, and no other: {cut:?}");
    assert!(text.lines().all(|line| line.starts_with("127.0.0.1 - - [") && line.matches(" - - ").count() == 1));
    assert_eq!(server.running.finish().code(), 0);
}

#[test]
fn a_log_that_can_never_be_written_holds_up_no_answer() {
    let server = Server::with_options(&[("a", b"a")], &["--access-log", "/dev/full"]);
    let mut client = server.connect();
    for _ in 0..500 {
        assert_eq!(client.get("/a", "").text(), "a");
    }
    server
        .running
        .wait_for_stderr(|text| text.contains("access log: No space left on device; lines are lost").then_some(()));
    server.running.signal(Signal::SIGTERM);
    let finished = server.running.finish();
    assert_eq!((finished.code(), finished.stderr.matches("lines are lost").count()), (0, 1), "{}", finished.stderr);
}

#[test]
fn a_site_that_turns_read_only_and_back_is_served_all_the_time() {
    let Some(server) = Mounted::new("1m") else { return };
    assert_eq!(server.status("/a"), 200);
    server.mount("mount -o remount,ro", "site");
    assert_eq!(server.status("/a"), 200);
    assert!(fs::write(server.path("site/b"), "b").is_err_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem));
    assert_eq!((server.status("/b"), server.status("/")), (404, 200));
    server.mount("mount -o remount,rw", "site");
    fs::write(server.path("site/b"), "b").unwrap();
    assert_eq!(server.status("/b"), 200);
    assert_eq!(server.running.stderr().lines().count(), 1, "{}", server.running.stderr());
}

#[test]
fn files_that_vanish_all_at_once_are_missing_and_come_back() {
    let Some(server) = Mounted::new("1m") else { return };
    assert_eq!(server.status("/a"), 200);
    fs::remove_file(server.path("site/a")).unwrap();
    assert_eq!((server.status("/a"), server.status("/")), (404, 200));
    // The disk under the site is taken away: what is open stays, nothing else is lost with it.
    server.mount("umount --lazy", "site");
    assert_eq!((server.status("/a"), server.status("/")), (404, 200));
}

#[test]
fn a_log_on_a_disk_that_turns_read_only_goes_on_in_the_file_that_is_open() {
    let Some(server) = Mounted::new("1m") else { return };
    assert_eq!(server.status("/a"), 200);
    let log = server.path("log/access");
    // A file system with a file open for writing cannot be made read-only; another one over it has the same effect.
    let open = fs::File::open(&log).unwrap();
    server.mount("mount -t tmpfs -o ro tmpfs", "log");
    server.running.signal(Signal::SIGHUP);
    server.running.wait_for_stderr(|text| text.contains("reopen the access log: Read-only file system").then_some(()));
    assert_eq!(server.status("/a"), 200);
    server.running.signal(Signal::SIGTERM);
    assert_eq!(server.running.finish().code(), 0);
    let mut text = String::new();
    { open }.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("\"GET /a HTTP/1.1\" 200 ").count(), 2, "{text}");
}

#[test]
fn a_kill_in_the_middle_of_reloads_leaves_the_port_free_and_the_log_whole() {
    const ROUNDS: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("site")).unwrap();
    fs::write(folder.path().join("site/a"), "a").unwrap();
    let log = folder.path().join("access");
    let port = free_port();
    let mut answers = 0;
    for _ in 0..ROUNDS {
        let mut command = httpd();
        command
            .args(["-b", "127.0.0.1", "-p", &port.to_string(), "--access-log"])
            .arg(&log)
            .arg(folder.path().join("site"));
        let running = Running::start(&mut command);
        let address = running.wait_for_stderr(listening_address);
        let pid = Pid::from_raw(running.id().try_into().unwrap());
        // Bounded: the storm ends with the process at the latest.
        let storm = thread::spawn(move || (0..100_000).take_while(|_| kill(pid, Signal::SIGHUP).is_ok()).count());
        let mut client = Client::connect(address);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(150) {
            assert_eq!(client.get("/a", "").text(), "a");
            answers += 1;
        }
        running.signal(Signal::SIGKILL);
        drop(running);
        assert!(storm.join().unwrap() > 100, "a storm");
    }
    // A killed process takes the lines of its last second along, and never half a line.
    assert!((1..=answers).contains(&lines_of_a_log(&log)), "{answers}");
}

#[test]
fn five_hundred_slow_readers_delay_no_other_client() {
    let server = Server::with_files(&[("a", b"a"), ("big", &vec![b'x'; 10_000_000])]);
    let mut readers: Vec<TcpStream> = (0..500).map(|_| reader(server.address)).collect();
    let mut buffer = [0; 1024];
    let mut read = 0;
    let start = Instant::now();
    let mut others = 0;
    while start.elapsed() < Duration::from_secs(2) {
        for stream in &mut readers {
            read += match stream.read(&mut buffer) {
                Ok(0) => panic!("a reader that is slow but not idle was let go"),
                Ok(count) => count,
                Err(error) => panic!("{error}"),
            };
        }
        let asked = Instant::now();
        assert_eq!(server.get("/a").text(), "a");
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        others += 1;
        sleep(Duration::from_millis(50));
    }
    assert!(others > 5 && read > 500 * 1000, "{others} others served, {read} bytes read slowly");
}

fn reader(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    stream
}

#[test]
fn of_ten_thousand_connections_the_limit_is_open_and_idle_ones_give_way() {
    const CROWD: usize = 10_000;
    const LIMIT: usize = 1000;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if most < 12_000 {
        return testkit::skip(&format!("ten thousand connections take more than the {most} descriptors allowed here"));
    }
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let server = Server::with_options(&[("a", b"a")], &["--max-connections", "1000", "--idle-timeout", "60"]);
    // Requests that have begun, so that these connections are not idle.
    let mut inside: Vec<Client> = (0..LIMIT).map(|_| server.connect()).collect();
    for client in &mut inside {
        client.send("GET /a HTTP/1.1\r\n");
    }
    testkit::wait_until(WAIT_TIMEOUT, || server.get("/a").status == 503);
    let mut others: Vec<Client> = (LIMIT..CROWD).map(|_| server.connect()).collect();
    for client in &mut others {
        let refusal = client.response();
        assert_eq!((refusal.status, refusal.field("Retry-After")), (503, Some("1")));
        assert!(client.is_closed());
    }
    for client in &mut inside {
        client.send("Host: h\r\n\r\n");
        assert_eq!(client.response().text(), "a");
    }
    for client in others.iter_mut().take(LIMIT) {
        *client = server.connect();
        assert_eq!(client.get("/a", "").text(), "a", "the first thousand are idle now");
    }
}

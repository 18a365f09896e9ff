//! Unix sockets, and sockets that the process inherits.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use testkit::http::Client;
use testkit::process::{Running, WAIT_TIMEOUT, finish};

use crate::fixture::httpd;

/// A server of a folder with one file, started by `command` with further options.
fn start(command: &mut Command, folder: &Path, options: &[&str]) -> Running {
    fs::write(folder.join("a"), "hello").unwrap();
    let running = Running::start(command.args(options).arg(folder));
    running.wait_for_stderr(|text| text.contains("serving").then_some(()));
    running
}

/// The response to one request over a unix socket.
fn get(socket: &Path, target: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

#[test]
fn a_unix_socket_serves_logs_and_is_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let options = ["--bind", &unix(&socket), "--bind", "127.0.0.1", "--port", "0", "--log-format", "common"];
    let running = start(&mut httpd(), folder.path(), &options);
    assert!(running.stderr().contains(&unix(&socket)), "{}", running.stderr());
    for _ in 0..3 {
        assert!(get(&socket, "/a").ends_with("\r\n\r\nhello"));
    }
    let big = vec![b'x'; 3_000_000];
    fs::write(folder.path().join("big"), &big).unwrap();
    assert!(get(&socket, "/big").ends_with(std::str::from_utf8(&big).unwrap()), "also from the blocking pool");
    let metadata = fs::symlink_metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o666);
    running.signal(Signal::SIGTERM);
    let finished = running.finish();
    assert_eq!(finished.code(), 0);
    assert_eq!(finished.stdout.matches("unix: - - [").count(), 4, "{}", finished.stdout);
    assert!(!socket.exists());
}

#[test]
fn the_permissions_of_a_unix_socket_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _running = start(&mut httpd(), folder.path(), &["--bind", &unix(&socket), "--socket-mode", "600"]);
    assert_eq!(fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn only_a_stale_socket_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let running = start(&mut httpd(), folder.path(), &["--bind", &unix(&socket)]);
    assert!(get(&socket, "/a").ends_with("hello"));

    // A second server does not replace a running one.
    let refused = finish(httpd().args(["--bind", &unix(&socket)]), b"");
    let line = format!("httpd: listen on unix:{}: another server listens on this socket\n", socket.display());
    assert_eq!((refused.code(), refused.stderr), (2, line));
    assert!(get(&socket, "/a").ends_with("hello"));
    drop(running);

    let file = folder.path().join("a");
    let refused = finish(httpd().args(["--bind", &unix(&file)]), b"");
    assert!(refused.code() == 2 && refused.stderr.contains("the file exists and is not a socket"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "hello");
    let refused = finish(httpd().args(["--bind", &format!("unix:/{}", "x".repeat(120))]), b"");
    assert!(refused.code() == 2 && refused.stderr.contains("at most 107 bytes"), "{refused:?}");
}

#[test]
fn a_socket_that_has_replaced_the_own_one_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let running = start(&mut httpd(), folder.path(), &["--bind", &unix(&socket)]);
    fs::remove_file(&socket).unwrap();
    let _other = UnixListener::bind(&socket).unwrap();
    running.signal(Signal::SIGTERM);
    assert_eq!(running.finish().code(), 0);
    assert!(socket.exists());
}

/// A command that starts the server with an open socket, as systemd does.
fn with_socket(socket: OwnedFd) -> Command {
    let mut command = Command::new("sh");
    let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_httpd"), "--workers", "2"]).stdin(Stdio::from(socket));
    command
}

/// As `Running::start`, with the standard input of `command`.
fn running(command: &mut Command) -> std::process::Child {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn inherited_sockets_are_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "hello").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut child = running(with_socket(listener.into()).arg(folder.path()));
    // The socket listens already, so the client need not wait for the server.
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/a", "").text(), "hello");
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_inherited_unix_socket_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "hello").unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut child = running(with_socket(listener.into()).arg(folder.path()));
    assert!(get(&path, "/a").ends_with("hello"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(path.exists(), "its creator removes it");
}

#[test]
fn unusable_inherited_sockets_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let datagram = UnixDatagram::unbound().unwrap();
    let (connected, _other) = UnixStream::pair().unwrap();
    let listener = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let kind = "socket 0 of LISTEN_FDS: fd 3 is not a valid tcp socket";
    for (socket, options, why) in [
        (OwnedFd::from(datagram), &[][..], kind),
        (OwnedFd::from(connected), &[][..], "not a listening socket; set Accept=no in the socket unit"),
        (listener(), &["--bind", "127.0.0.1"][..], "--bind 127.0.0.1:6789: cannot be combined with inherited sockets"),
    ] {
        let child = running(with_socket(socket).args(options).arg(folder.path()));
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
}

#[test]
fn sockets_for_another_process_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = httpd();
    command.envs([("LISTEN_PID", "1"), ("LISTEN_FDS", "1")]);
    let running = start(&mut command, folder.path(), &["--bind", "127.0.0.1", "--port", "0"]);
    assert!(running.stderr().contains("http://127.0.0.1:"), "{}", running.stderr());
}

#[test]
fn the_service_manager_is_notified_of_start_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    let notification = || {
        let mut state = [0; 100];
        let count = manager.recv(&mut state).unwrap();
        String::from_utf8(state[..count].to_vec()).unwrap()
    };
    let mut command = httpd();
    command.env("NOTIFY_SOCKET", &path);
    let running = start(&mut command, folder.path(), &["--bind", "127.0.0.1", "--port", "0"]);
    assert_eq!(notification(), "READY=1");
    running.signal(Signal::SIGTERM);
    assert_eq!(notification(), "STOPPING=1");
    assert_eq!(running.finish().code(), 0);
}

//! The login: access, error responses, and the cost of guesses.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;
use tempfile::TempDir;
use testkit::http::{Client, Response};
use testkit::process::{Finished, Running, WAIT_TIMEOUT, finish};

use crate::fixture::{httpd, listening_address};

/// A server with a password file beside the folder.
struct Guarded {
    running: Running,
    address: std::net::SocketAddr,
    folder: TempDir,
}

impl Guarded {
    fn new(users: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("site/sub")).unwrap();
        fs::write(folder.path().join("site/a"), "a").unwrap();
        fs::write(folder.path().join("users"), users).unwrap();
        let mut command = httpd();
        command.args(["-b", "127.0.0.1", "-p", "0", "--access-log"]).arg(folder.path().join("log"));
        command.arg("--auth-file").arg(folder.path().join("users")).args(options).arg(folder.path().join("site"));
        let running = Running::start(&mut command);
        let address = running.wait_for_stderr(listening_address);
        Self { running, address, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    fn get(&self, target: &str, credentials: &str) -> Response {
        self.connect().get(target, &authorization(credentials))
    }
}

fn authorization(credentials: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(credentials))
}

/// The line of a user, with the minimum cost.
fn user(name: &str, password: &str) -> String {
    user_with_cost(name, password, 4)
}

fn user_with_cost(name: &str, password: &str, cost: u32) -> String {
    let hash = bcrypt::hash_with_salt(password, cost, [7; 16]).unwrap().format_for_version(bcrypt::Version::TwoY);
    format!(
        "{name}:{hash}
"
    )
}

fn refused(options: &[&str]) -> Finished {
    let finished = finish(httpd().env_remove("HTTPD_PASSWORD").args(options), b"");
    assert_eq!((finished.code(), finished.stderr.lines().count()), (2, 1), "{}", finished.stderr);
    finished
}

#[test]
fn the_right_password_gives_access_and_the_log_names_the_user() {
    let server = Guarded::new(&user("ann", "secret"), &[]);
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/a", &authorization("ann:secret")).text(), "a");
    }
    let wrong = client.get("/a", &authorization("ann:wrong"));
    assert_eq!(
        (wrong.status, wrong.field("WWW-Authenticate")),
        (401, Some("Basic realm=\"httpd\", charset=\"UTF-8\""))
    );
    assert_eq!(client.get("/a", &authorization("ann:secret")).text(), "a", "the connection goes on");
    server.running.signal(Signal::SIGTERM);
    let log = server.path("log");
    let folder = server.folder;
    assert_eq!(server.running.finish().code(), 0);
    let text = fs::read_to_string(log).unwrap();
    let users: Vec<&str> = text.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(users, ["ann", "ann", "ann", "-", "ann"], "{text}");
    drop(folder);
}

#[test]
fn only_health_is_served_before_the_login() {
    let server = Guarded::new(&user("ann", "secret"), &["--health", "/health", "--metrics", "/metrics", "--cors"]);
    for (request, status) in [
        ("GET /a", 401),
        ("HEAD /a", 401),
        ("GET /nothing", 401),
        ("GET /sub", 401),
        ("GET /sub/", 401),
        ("GET /../x", 401),
        ("GET /%zz", 401),
        ("GET /metrics", 401),
        ("OPTIONS /a", 401),
        ("OPTIONS *", 401),
        ("POST /a", 401),
        ("DELETE /health", 401),
        ("GET /health", 200),
        ("HEAD /health", 200),
    ] {
        let mut client = server.connect();
        client.send(format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let answer = if request.starts_with("HEAD") { client.response_to_head() } else { client.response() };
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.field("WWW-Authenticate").is_some(), status == 401, "{request}");
        assert!(answer.field("Location").is_none() && answer.field("Allow").is_none(), "{request}");
    }
    let asked = "OPTIONS /x HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\nAccess-Control-Request-Method: GET\r\n\r\n";
    let mut client = server.connect();
    client.send(asked);
    assert_eq!(client.response().status, 204, "a preflight request has no credentials");
    assert_eq!(server.get("/metrics", "ann:secret").status, 200);
    assert_eq!(server.get("/nothing", "ann:secret").status, 404);
}

#[test]
fn malformed_credentials_are_401() {
    let server = Guarded::new(&user("ann", "secret"), &[]);
    for value in ["Basic", "Basic !", "Bearer YW5uOnNlY3JldA==", "Basic YW5u", "Digest username=\"ann\""] {
        let answer = server.connect().get("/a", &format!("Authorization: {value}\r\n"));
        assert_eq!(answer.status, 401, "{value}");
    }
    let twice = authorization("ann:secret").repeat(2);
    assert_eq!(server.connect().get("/a", &twice).status, 401, "two fields are ambiguous");
    assert_eq!(server.get("/a", "ann:secret").status, 200, "none of that was a failed login");
}

#[test]
fn pipelined_requests_with_credentials_are_answered_in_order() {
    let server = Guarded::new(&user("ann", "secret"), &[]);
    let mut client = server.connect();
    let request = |target: &str, credentials: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: h\r\n{}\r\n", authorization(credentials))
    };
    let post = format!("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n{}\r\nhello", authorization("ann:secret"));
    client.send(
        [
            request("/a", "ann:wrong"),
            "GET /a HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
            request("/a", "ann:secret"),
            post,
            request("/nothing", "ann:secret"),
        ]
        .concat(),
    );
    client.finish_sending();
    let answers: Vec<u16> = (0..5).map(|_| client.response().status).collect();
    assert_eq!(answers, [401, 401, 200, 405, 404]);
    assert!(client.is_closed());
}

#[test]
fn with_one_worker_the_login_works_as_well() {
    let server = Guarded::new(&user("ann", "secret"), &["--workers", "1"]);
    assert_eq!(server.get("/a", "ann:secret").text(), "a");
    assert_eq!(server.get("/a", "ann:wrong").status, 401);
}

#[test]
fn an_address_that_guesses_is_slowed_and_verified_credentials_are_not() {
    let server = Guarded::new(&user("ann", "secret"), &["--metrics", "/metrics"]);
    assert_eq!(server.get("/a", "ann:secret").text(), "a");
    for number in 0..5 {
        assert_eq!(server.get("/a", &format!("ann:guess{number}")).status, 401);
    }
    let slowed = server.get("/a", "eve:guess");
    assert_eq!((slowed.status, slowed.field("Retry-After")), (429, Some("1")));
    assert_eq!(server.get("/a", "ann:guess3").status, 401, "a known wrong password is refused at once");
    assert_eq!(server.get("/a", "ann:secret").text(), "a");
    let metrics = server.get("/metrics", "ann:secret");
    assert!(metrics.text().contains("httpd_logins_total{outcome=\"wrong\"} 5\n"), "{}", metrics.text());
    assert!(metrics.text().contains("httpd_logins_total{outcome=\"slowed\"} 1\n"), "{}", metrics.text());
    sleep(Duration::from_millis(1100));
    assert_eq!(server.get("/a", "ann:guess6").status, 401);
    assert_eq!(server.get("/a", "ann:guess7").field("Retry-After"), Some("2"));
}

/// The CPU time of a process, which does not depend on other programs.
fn cpu_time(pid: u32) -> Duration {
    let pid = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
    nix::time::clock_gettime(nix::time::clock_getcpuclockid(pid).unwrap()).unwrap().into()
}

#[test]
fn an_unknown_user_costs_as_much_as_a_wrong_password() {
    let server = Guarded::new(&user_with_cost("ann", "secret", 9), &[]);
    let took = |credentials: &str| {
        let before = cpu_time(server.running.id());
        assert_eq!(server.get("/a", credentials).status, 401);
        cpu_time(server.running.id()).saturating_sub(before)
    };
    let (unknown, known) = (took("eve:a").min(took("eve:b")), took("ann:a").min(took("ann:b")));
    assert!(unknown > known / 2 && known > unknown / 2, "{unknown:?} and {known:?}");
    assert!(unknown > Duration::from_millis(5), "{unknown:?} is no time for bcrypt");
}

#[test]
fn a_slow_check_does_not_delay_other_clients() {
    let users = [user("ann", "secret"), user_with_cost("eve", "other", 10)].concat();
    let server = Guarded::new(&users, &[]);
    assert_eq!(server.get("/a", "ann:secret").text(), "a");
    let mut waiting: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for (number, client) in waiting.iter_mut().enumerate() {
        client.send(format!("GET /a HTTP/1.1\r\nHost: h\r\n{}\r\n", authorization(&format!("eve:{number}"))));
    }
    for _ in 0..10 {
        assert_eq!(server.get("/a", "ann:secret").text(), "a");
    }
    let last = waiting[3].stream();
    last.set_nonblocking(true).unwrap();
    let state = last.peek(&mut [0]).map_err(|error| error.kind());
    assert_eq!(state, Err(std::io::ErrorKind::WouldBlock), "other clients were served before the last check ended");
    last.set_nonblocking(false).unwrap();
    for client in &mut waiting {
        assert_eq!(client.response().status, 401);
    }
}

#[test]
fn a_request_that_waits_for_its_login_survives_a_stop() {
    let server = Guarded::new(&user_with_cost("ann", "secret", 9), &[]);
    let mut client = server.connect();
    client.send(format!("GET /a HTTP/1.1\r\nHost: h\r\n{}\r\n", authorization("ann:secret")));
    sleep(Duration::from_millis(20));
    server.running.signal(Signal::SIGTERM);
    assert_eq!(client.response().text(), "a");
    assert_eq!(server.running.finish().code(), 0);
}

#[test]
fn a_changed_file_applies_at_once_and_an_invalid_one_changes_nothing() {
    let server = Guarded::new(&user("ann", "secret"), &[]);
    assert_eq!(server.get("/a", "ann:secret").text(), "a");
    let replace = |text: &str| {
        fs::write(server.path("new"), text).unwrap();
        fs::rename(server.path("new"), server.path("users")).unwrap();
    };
    let until = |credentials: &str, status: u16| {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        while server.get("/a", credentials).status != status {
            assert!(Instant::now() < deadline, "{credentials} is not {status}");
            sleep(Duration::from_millis(50));
        }
    };
    replace(&user("bob", "b"));
    until("ann:secret", 401);
    until("bob:b", 200);
    replace("bob:{SHA}x\n");
    server.running.signal(Signal::SIGHUP);
    server
        .running
        .wait_for_stderr(|text| text.contains("line 1: the password of bob is SHA-1; only bcrypt").then_some(()));
    assert_eq!(server.get("/a", "bob:b").status, 200);
    fs::remove_file(server.path("users")).unwrap();
    server.running.signal(Signal::SIGHUP);
    server.running.wait_for_stderr(|text| text.contains("No such file").then_some(()));
    assert_eq!(server.get("/a", "bob:b").status, 200);
    replace(&user("cat", "c"));
    until("cat:c", 200);
    assert_eq!(server.get("/a", "bob:b").status, 401);
}

#[test]
fn of_a_long_password_the_first_72_bytes_count_and_no_byte_is_lost_before() {
    let long = "ü".repeat(36);
    let server = Guarded::new(&user("ann", &long), &[]);
    assert_eq!(server.get("/a", &format!("ann:{long}and more")).status, 200);
    let mut other = long.into_bytes();
    other[71] ^= 1;
    let credentials = [b"ann:", &other[..]].concat();
    let field = format!("Authorization: Basic {}\r\n", STANDARD.encode(credentials));
    assert_eq!(server.connect().get("/a", &field).status, 401);
}

#[test]
fn one_user_gets_the_password_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let options = ["-b", "127.0.0.1", "-p", "0", "--auth", "ann"];
    let running = Running::start(httpd().env("HTTPD_PASSWORD", "pass wörd").args(options).arg(folder.path()));
    let address = running.wait_for_stderr(listening_address);
    let get = |credentials: &str| Client::connect(address).get("/a", &authorization(credentials)).status;
    assert_eq!(get("ann:pass wörd"), 200);
    for number in 0..3 {
        assert_eq!(get(&format!("ann:{number}")), 401);
        assert_eq!(get(&format!("{number}:pass wörd")), if number < 2 { 401 } else { 429 });
    }
    assert_eq!(get("ann:pass wörd"), 200);
    assert!(!running.stderr().contains("wörd"));
}

#[test]
fn it_does_not_start_without_a_password_or_with_an_invalid_file() {
    assert!(refused(&["--auth", "ann"]).stderr.contains("password of ann: is missing; set HTTPD_PASSWORD"));
    assert!(
        refused(&["--auth-file", "/no/such/file"]).stderr.contains("open password file /no/such/file: No such file")
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    assert!(refused(&["--auth-file", path]).stderr.contains("contains no user; add one with: htpasswd -B"));
    fs::write(path, "\nann:$apr1$x$y\n").unwrap();
    assert!(refused(&["--auth-file", path]).stderr.contains("line 2: the password of ann is MD5 of Apache"));
    let empty = finish(httpd().env("HTTPD_PASSWORD", "").args(["--auth", "ann"]), b"");
    assert!(empty.stderr.contains("password of ann: is empty"), "{}", empty.stderr);
}

#[test]
fn a_password_file_in_the_folder_that_is_served_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let path = folder.path().join("sub/.htpasswd");
    fs::write(&path, user("ann", "secret")).unwrap();
    let root = folder.path().to_str().unwrap();
    let message = refused(&["--root", root, "--auth-file", path.to_str().unwrap()]).stderr;
    assert!(message.contains("is inside the served folder; move it to another folder"), "{message}");
}

#[test]
fn passwords_in_clear_over_a_network_give_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let warning = "passwords are sent in clear; add --tls-cert or --tls-self-signed";
    for (address, warns) in [("127.0.0.1", false), ("0.0.0.0", true)] {
        let options = ["-b", address, "-p", "0", "--auth", "ann"];
        let running = Running::start(httpd().env("HTTPD_PASSWORD", "x").args(options).arg(folder.path()));
        running.wait_for_stderr(|text| text.contains("serving").then_some(()));
        assert_eq!(running.stderr().contains(warning), warns, "{}", running.stderr());
    }
}

#[test]
fn no_file_of_the_process_in_proc_shows_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["-b", "127.0.0.1", "-p", "0", "--auth", "ann"];
    let mut command: Command = httpd();
    let running = Running::start(command.env("HTTPD_PASSWORD", "hunter2").args(options).arg(folder.path()));
    let address = running.wait_for_stderr(listening_address);
    for file in ["cmdline", "environ"] {
        let shown = fs::read(format!("/proc/{}/{file}", running.id())).unwrap();
        assert!(!shown.is_empty() && !shown.windows(7).any(|window| window == b"hunter2"), "{file}");
    }
    let name = fs::read_to_string(format!("/proc/{}/comm", running.id())).unwrap();
    assert_eq!(name, "httpd\n");
    assert_eq!(Client::connect(address).get("/", &authorization("ann:hunter2")).status, 200);
}

#[test]
fn a_hundred_requests_with_the_same_credentials_are_one_login() {
    let server = Guarded::new(&user_with_cost("ann", "secret", 8), &["--metrics", "/metrics"]);
    let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(format!("GET /a HTTP/1.1\r\nHost: h\r\n{}\r\n", authorization("ann:secret")));
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "a");
    }
    let metrics = server.get("/metrics", "ann:secret");
    assert!(metrics.text().contains("httpd_logins_total{outcome=\"right\"} 1\n"), "{}", metrics.text());
}

#[test]
fn a_client_that_disconnects_during_its_login_frees_all_resources() {
    let server = Guarded::new(&user_with_cost("ann", "secret", 9), &[]);
    for number in 0..100 {
        server
            .connect()
            .send(format!("GET /a HTTP/1.1\r\nHost: h\r\n{}\r\n", authorization(&format!("ann:{}", number % 3))));
    }
    let deadline = Instant::now() + WAIT_TIMEOUT;
    while server.get("/a", "ann:secret").status != 200 {
        assert!(Instant::now() < deadline, "no capacity for a login");
        sleep(Duration::from_millis(100));
    }
}

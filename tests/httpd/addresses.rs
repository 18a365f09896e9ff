//! Addresses of --bind, and the port on a terminal.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::thread;

use testkit::http::Client;
use testkit::process::{Running, free_port};

use crate::fixture::{Server, httpd};

/// Starts a server with these options and returns its line on standard error.
fn start(options: &[&str]) -> (Running, String) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../www");
    let running = Running::start(httpd().args(options).arg(root));
    let line = running.wait_for_stderr(|text| text.ends_with('\n').then(|| text.to_owned()));
    (running, line)
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn localhost_is_the_loopback_address_of_ipv4_and_ipv6() {
    let port = free_port();
    let (_running, line) = start(&["-b", &format!("localhost:{port}")]);
    assert!(line.contains(&format!(" http://127.0.0.1:{port}/")), "{line}");
    assert_eq!(Client::connect((Ipv4Addr::LOCALHOST, port).into()).get("/", "").status, 200);
    if !has_ipv6() {
        return testkit::skip("this host has no IPv6");
    }
    assert!(line.contains(&format!(" http://[::1]:{port}/")), "{line}");
    assert_eq!(Client::connect(SocketAddr::new("::1".parse().unwrap(), port)).get("/", "").status, 200);
}

#[test]
fn a_port_alone_is_all_addresses() {
    let port = free_port();
    let (_running, line) = start(&["-b", &format!(":{port}")]);
    assert!(line.contains(&format!(" http://localhost:{port}/")), "{line}");
    assert_eq!(Client::connect((Ipv4Addr::LOCALHOST, port).into()).get("/", "").status, 200);
}

#[test]
fn a_link_local_address_has_a_zone() {
    let interfaces = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    // Address, index, prefix length, scope, flags, name; scope 20 is link-local.
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let Some(own) = interfaces.lines().map(fields).find(|line| line[3] == "20") else {
        return testkit::skip("this host has no link-local address");
    };
    let groups: Vec<&str> = (0..8).map(|group| &own[0][group * 4..group * 4 + 4]).collect();
    let port = free_port();
    let (_running, line) = start(&["-b", &format!("[{}%{}]:{port}", groups.join(":"), own[5])]);
    assert!(line.contains(&format!("]:{port}/")), "{line}");
}

/// Starts a server whose standard error is a terminal, and returns what it writes there up to `end`.
fn start_on_terminal(options: &[&str], end: &str) -> (std::process::Child, String) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../www");
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = httpd();
    command.args(options).arg(root).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(terminal.slave));
    let child = command.spawn().unwrap();
    // The command holds the terminal open, and its end is an error of read.
    drop(command);
    let mut master = File::from(terminal.master);
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if text.contains(end) {
            // Later writes of the server must not fail.
            thread::spawn(move || while let Ok(1..) = master.read(&mut buffer) {});
            break;
        }
    }
    (child, text)
}

#[test]
fn on_a_terminal_a_default_port_in_use_gives_way_to_the_next_free_one() {
    // Another server, of this test or not, has the default port.
    let _taken = TcpListener::bind("127.0.0.1:6789");
    let (mut child, text) = start_on_terminal(&["-b", "localhost"], "Ctrl-C");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(text.contains("Port 6789 is in use, so this is the next free one."), "{text}");
    assert!(text.contains("http://") && !text.contains(":6789/"), "{text}");
    for named in [&["-p", "6789", "-b", "localhost"][..], &["-b", "127.0.0.1:6789"]] {
        let (mut child, text) = start_on_terminal(named, "in use");
        assert_eq!(child.wait().unwrap().code(), Some(2), "{text}");
        assert!(text.contains("listen on 127.0.0.1:6789: Address already in use"), "{text}");
    }
}

#[test]
fn the_banner_has_local_and_network_urls_and_the_qr_code_comes_first() {
    let (mut child, text) = start_on_terminal(&["--qr", "-p", "0"], "Ctrl-C");
    child.kill().unwrap();
    child.wait().unwrap();
    let code = position_or_end(&text, "QR code").min(position_or_end(&text, "\u{2580}"));
    assert!(code < position_or_end(&text, "httpd"), "{text}");
    assert!(text.contains("    Local    http://localhost:"), "{text}");
    let (mut child, text) = start_on_terminal(&["-b", "127.0.0.1", "-p", "0"], "Ctrl-C");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(text.contains("    Local    http://127.0.0.1:") && !text.contains("Network"), "{text}");
}

fn position_or_end(text: &str, part: &str) -> usize {
    text.find(part).unwrap_or(text.len())
}

#[test]
fn one_file_is_served_at_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a report.txt"), "report").unwrap();
    fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    for root in [&["--root"][..], &[]] {
        let mut command = httpd();
        command.args(["-b", "127.0.0.1", "-p", "0"]).args(root).arg("a report.txt").current_dir(folder.path());
        let running = Running::start(&mut command);
        let address = running.wait_for_stderr(crate::fixture::listening_address);
        assert!(running.stderr().contains("/a report.txt at http://"), "{}", running.stderr());
        let get = |target: &str| Client::connect(address).get(target, "Accept-Encoding: gzip\r\n");
        assert_eq!(get("/a%20report.txt").text(), "report");
        let redirect = get("/?x");
        assert_eq!((redirect.status, redirect.field("Location")), (302, Some("a%20report.txt?x")));
        for other in ["/secret.txt", "/a%20report.txt/", "/?download=tar", "/./secret.txt"] {
            assert_ne!(get(other).status, 200, "{other}");
        }
        // Editors replace a file.
        fs::write(folder.path().join("new"), "replaced").unwrap();
        fs::rename(folder.path().join("new"), folder.path().join("a report.txt")).unwrap();
        assert_eq!(get("/a%20report.txt").text(), "replaced");
        fs::write(folder.path().join("a report.txt"), "report").unwrap();
    }
}

#[test]
fn a_link_to_a_file_elsewhere_is_served_under_the_name_of_the_file() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(there.path().join("target.txt"), "target").unwrap();
    std::os::unix::fs::symlink(there.path().join("target.txt"), here.path().join("link.txt")).unwrap();
    std::os::unix::fs::symlink("link.txt", here.path().join("beside.txt")).unwrap();
    let mut command = httpd();
    command.args(["-b", "127.0.0.1", "-p", "0"]).arg(here.path().join("beside.txt"));
    let running = Running::start(&mut command);
    let address = running.wait_for_stderr(crate::fixture::listening_address);
    assert_eq!(Client::connect(address).get("/target.txt", "").text(), "target");
}

#[test]
fn live_reload_of_one_file_ignores_the_other_files_of_its_folder() {
    let page = "<!doctype html><body></body>";
    let server = Server::with_files(&[("page.html", page.as_bytes()), ("other/x", b"")]);
    let mut command = httpd();
    command.args(["-b", "127.0.0.1", "-p", "0", "--live-reload"]).arg(server.path("page.html"));
    let running = Running::start(&mut command);
    let address = running.wait_for_stderr(crate::fixture::listening_address);
    let generation = || {
        let text = Client::connect(address).get("/page.html", "").text().to_owned();
        text.split("data-since=\"").nth(1).unwrap().split('"').next().unwrap().parse::<u64>().unwrap()
    };
    let first = generation();
    fs::write(server.path("other/x"), "changed").unwrap();
    fs::write(server.path("beside.html"), "new").unwrap();
    fs::write(server.path("page.html"), page).unwrap();
    testkit::wait_until(testkit::process::WAIT_TIMEOUT, || generation() > first);
    assert_eq!(generation(), first + 1, "only the change of the page counts");
}

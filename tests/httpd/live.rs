//! `--live-reload` and `--open`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use testkit::http::Client;
use testkit::process::{Running, WAIT_TIMEOUT};

use crate::fixture::{Server, httpd, listening_address};

const PAGE: &str = "<!doctype html><title>t</title><body>text</body></html>";

fn serve(files: &[(&str, &[u8])]) -> Server {
    Server::with_options(files, &["--live-reload"])
}

/// The generation in a page.
fn generation(page: &str) -> String {
    page.split("data-since=\"").nth(1).expect("the page has the script").split('"').next().unwrap().to_owned()
}

/// A subscriber of events.
struct Listening(BufReader<TcpStream>);

impl Listening {
    fn since(server: &Server, generation: &str) -> Self {
        let mut client = server.connect();
        client.send(format!("GET /.httpd/live-reload?since={generation} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let mut listening = Self(BufReader::new(client.sending_half()));
        let head = listening.paragraph();
        assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("text/event-stream"), "{head}");
        assert_eq!(listening.paragraph(), "retry: 1000\n");
        listening
    }

    /// A subscriber with the current page.
    fn now(server: &Server) -> Self {
        Self::since(server, &generation(server.get("/").text()))
    }

    fn paragraph(&mut self) -> String {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "closed after {text:?}");
            if matches!(line.as_str(), "\n" | "\r\n") {
                return text;
            }
            text.push_str(&line);
        }
    }

    /// The name of the next event; keep-alives are skipped.
    fn event(&mut self) -> String {
        // Keep-alives arrive without end, so the timeout of a read does not suffice.
        let end = Instant::now() + 2 * WAIT_TIMEOUT;
        loop {
            let text = self.paragraph();
            assert!(Instant::now() < end, "no event arrives");
            if let Some(name) = text.strip_prefix("event: ") {
                return name.split('\n').next().unwrap().to_owned();
            }
        }
    }
}

#[test]
fn a_page_has_the_script_in_it_and_is_neither_kept_nor_sent_in_parts() {
    let server = serve(&[("index.html", PAGE.as_bytes()), ("index.html.gz", b"zipped"), ("a.txt", b"</body>")]);
    let mut client = server.connect();
    let page = client.get("/", "Accept-Encoding: gzip\r\nRange: bytes=0-3\r\n");
    assert_eq!((page.status, page.field("Content-Encoding")), (200, None));
    let start = "<!doctype html><title>t</title><body>text<script src=\"./.httpd/live-reload.js\" data-since=";
    let script = page.text().strip_prefix(start).unwrap();
    assert!(script.ends_with("</script>\n</body></html>"), "{script}");
    assert_eq!((page.field("Cache-Control"), page.field("Last-Modified")), (Some("no-store"), None));
    assert_eq!(page.field("Accept-Ranges"), None);
    let tag = page.field("ETag").unwrap();
    assert_eq!(client.get("/", &format!("If-None-Match: {tag}\r\n")).status, 304);
    assert_eq!(client.head("/", "").field("Content-Length"), Some(page.body.len().to_string().as_str()));
    let text = client.get("/a.txt", "");
    assert_eq!((text.text(), text.field("Accept-Ranges")), ("</body>", Some("bytes")), "what is no page is as ever");
}

#[test]
fn error_page_and_listing_of_the_site_have_it_too() {
    let server = serve(&[("404.html", PAGE.as_bytes()), ("d/a", b"a")]);
    let mut client = server.connect();
    let missing = client.get("/nothing", "");
    assert_eq!(missing.status, 404);
    generation(missing.text());
    let listing = client.get("/d/", "");
    generation(listing.text());
    let policy = listing.field("Content-Security-Policy").unwrap();
    assert!(policy.contains("connect-src 'self'") && policy.contains("script-src 'self' 'sha256-"), "{policy}");
    assert!(!client.get("/d/?format=json", "").text().contains("script"));
}

#[test]
fn without_the_option_there_is_no_script() {
    let server = Server::with_files(&[("index.html", PAGE.as_bytes())]);
    assert_eq!(server.get("/").text(), PAGE);
    assert_eq!(server.get("/.httpd/live-reload").status, 404);
    assert_eq!(server.get("/.httpd/live-reload.js").status, 404);
}

#[test]
fn every_html_page_of_the_server_has_the_script_by_a_relative_reference() {
    let xhtml = "<html xmlns=\"http://www.w3.org/1999/xhtml\"><body>x</body></html>";
    let files: &[(&str, &[u8])] =
        &[("a/b/index.html", PAGE.as_bytes()), ("a/x.xhtml", xhtml.as_bytes()), ("a/c/f", b"")];
    let server = serve(files);
    let mut client = server.connect();
    for (target, status, reference) in [
        ("/a/b/?q=/x/", 200, "src=\"../../.httpd/live-reload.js\""),
        ("/a/x.xhtml", 200, "src=\"../.httpd/live-reload.js\""),
        ("/a/c/", 200, "src=\"../../.httpd/live-reload.js\""),
        ("//nothing", 404, "src=\"../.httpd/live-reload.js\""),
        ("/nothing", 404, "src=\"./.httpd/live-reload.js\""),
        ("/%zz/", 400, "src=\"../.httpd/live-reload.js\""),
    ] {
        let page = client.get(target, "Accept: text/html\r\n");
        assert_eq!(page.status, status, "{target}");
        assert!(page.text().contains(reference), "{target}: {}", page.text());
    }
    let missing = client.get("/nothing", "Accept: text/html\r\n");
    let policy = missing.field("Content-Security-Policy").unwrap();
    assert!(policy.ends_with("script-src 'self'; connect-src 'self'"), "{policy}");
    let script = client.get("/.httpd/live-reload.js", "");
    assert_eq!(script.field("Content-Type"), Some("text/javascript; charset=utf-8"));
    assert!(script.text().contains("EventSource"));
}

#[test]
fn without_a_login_no_page_names_the_generation() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    fs::write(&users, "ann:$2y$04$9JT6PQR2mLYRb8kC3Bvjq.2pgOeyEjDdyoKzBXh1WVnjUAMqmEdBW\n").unwrap();
    let options = ["--live-reload", "--auth-file", users.to_str().unwrap()];
    let server = Server::with_options(&[("index.html", PAGE.as_bytes())], &options);
    let page = server.connect().get("/", "Accept: text/html\r\n");
    assert_eq!(page.status, 401);
    assert!(!page.text().contains("data-since"), "{}", page.text());
}

#[test]
fn subscribers_get_every_kind_of_change() {
    let server = serve(&[("index.html", PAGE.as_bytes()), ("style.css", b"a{}"), ("sub/a.html", b"a")]);
    let mut listening = Listening::now(&server);
    fs::write(server.path("index.html"), "new").unwrap();
    assert_eq!(listening.event(), "reload");
    fs::write(server.path("style.css"), "b{}").unwrap();
    assert_eq!(listening.event(), "styles", "new styles need no new page");
    fs::write(server.path("sub/new"), "n").unwrap();
    fs::rename(server.path("sub/new"), server.path("sub/a.html")).unwrap();
    assert_eq!(listening.event(), "reload");
    // Folders that are created later, with their content.
    fs::create_dir_all(server.path("later/deep")).unwrap();
    assert_eq!(listening.event(), "reload");
    fs::write(server.path("later/deep/x.html"), "x").unwrap();
    assert_eq!(listening.event(), "reload");
    fs::rename(server.path("later"), server.path("moved")).unwrap();
    assert_eq!(listening.event(), "reload");
    fs::write(server.path("moved/deep/x.html"), "y").unwrap();
    assert_eq!(listening.event(), "reload");
    fs::remove_file(server.path("moved/deep/x.html")).unwrap();
    assert_eq!(listening.event(), "reload");
    std::os::unix::fs::symlink("index.html", server.path("link.html")).unwrap();
    assert_eq!(listening.event(), "reload");
}

#[test]
fn changes_of_files_that_are_not_served_are_no_events() {
    let server = serve(&[("index.html", PAGE.as_bytes()), ("style.css", b"a{}"), (".git/index", b"g")]);
    let mut listening = Listening::now(&server);
    fs::write(server.path(".git/index"), "other").unwrap();
    fs::write(server.path(".index.html.swp"), "s").unwrap();
    fs::write(server.path("style.css"), "b{}").unwrap();
    assert_eq!(listening.event(), "styles", "the first two would have made it a reload");
}

#[test]
fn a_change_before_the_page_listens_is_not_lost() {
    let server = serve(&[("index.html", PAGE.as_bytes())]);
    let old = generation(server.get("/").text());
    let mut other = Listening::now(&server);
    fs::write(server.path("index.html"), "new").unwrap();
    other.event();
    assert_eq!(Listening::since(&server, &old).event(), "reload");
    assert_eq!(Listening::since(&server, "17").event(), "reload", "a page of another run");
}

#[test]
fn a_subscriber_is_not_idle_and_does_not_delay_a_stop() {
    let server = Server::with_options(&[("index.html", PAGE.as_bytes())], &["--live-reload", "--idle-timeout", "1"]);
    let mut listening = Listening::now(&server);
    let mut idle = server.connect();
    idle.get("/", "");
    assert!(idle.is_closed());
    fs::write(server.path("index.html"), "new").unwrap();
    assert_eq!(listening.event(), "reload");
    let begun = Instant::now();
    server.running.signal(Signal::SIGTERM);
    assert_eq!(listening.0.read_line(&mut String::new()).unwrap(), 0);
    assert_eq!(server.running.finish().code(), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn the_number_of_subscribers_is_limited_and_a_slot_is_freed_on_disconnect() {
    let server = serve(&[("index.html", PAGE.as_bytes())]);
    let mut listeners: Vec<_> = (0..256).map(|_| Listening::since(&server, "")).collect();
    let refused = server.get("/.httpd/live-reload");
    assert_eq!((refused.status, refused.field("Retry-After")), (503, Some("1")));
    listeners.truncate(10);
    let end = Instant::now() + WAIT_TIMEOUT;
    loop {
        let mut client = server.connect();
        client.send("GET /.httpd/live-reload HTTP/1.0\r\n\r\n");
        let mut line = String::new();
        BufReader::new(client.stream()).read_line(&mut line).unwrap();
        if line.contains("200") {
            break;
        }
        assert!(Instant::now() < end, "{line}");
    }
}

#[test]
fn a_browser_is_opened_with_the_address_and_a_missing_one_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (browser, opened) = (folder.path().join("browser"), folder.path().join("opened"));
    fs::write(&browser, "#!/bin/sh\necho \"$@\" >\"${0%browser}opened\"\n").unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let start = |browsers: String| {
        let mut command = httpd();
        command
            .args(["--open", "-b", "127.0.0.1", "-p", "0"])
            .arg(folder.path())
            .env("BROWSER", browsers)
            .env("PATH", "");
        let running = Running::start(&mut command);
        // A warning about the browser also has the address.
        let said = |text: &str| listening_address(&text[text.find("httpd: serving")?..]);
        let address = running.wait_for_stderr(said);
        (running, address)
    };
    for (options, arguments) in [("", ""), (" --new %s now", "--new ")] {
        let (_running, address) = start(format!("/nowhere/at-all:{}{options}", browser.display()));
        let end = Instant::now() + WAIT_TIMEOUT;
        while !fs::read_to_string(&opened).is_ok_and(|words| words.ends_with('\n')) {
            assert!(Instant::now() < end, "no browser was opened");
            std::thread::sleep(Duration::from_millis(5));
        }
        let words = fs::read_to_string(&opened).unwrap();
        assert!(words.starts_with(&format!("{arguments}http://{address}/")), "{words}");
        fs::remove_file(&opened).unwrap();
    }
    let (running, address) = start("/nowhere/at-all".to_owned());
    assert_eq!(Client::connect(address).get("/", "").status, 200);
    running.wait_for_stderr(|text| text.contains("by xdg-open: No such file or directory").then_some(()));
}

//! Which file answers a URL: clean URLs, routes of a single-page application, redirects behind a prefix.

use testkit::http::Response;

use crate::fixture::Server;

const NAVIGATION: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

fn location(response: &Response) -> (u16, Option<&str>) {
    (response.status, response.field("Location"))
}

#[test]
fn with_clean_urls_the_extension_of_a_page_is_redirected_away() {
    let files: &[(&str, &[u8])] = &[
        ("index.html", b"start"),
        ("about.html", b"about"),
        ("images.html", b"page"),
        ("images/cat.png", b"png"),
        ("docs/index.html", b"docs"),
        ("a b/c d.html", b"encoded"),
    ];
    let server = Server::with_options(files, &["--clean-urls"]);
    for (target, content) in [("/about", "about"), ("/images", "page"), ("/images/cat.png", "png"), ("/docs/", "docs")]
    {
        assert_eq!(server.get(target).text(), content, "{target}");
    }
    for (target, expected) in [
        ("/about.html?x=1", "about?x=1"),
        ("/about/", "../about"),
        ("/images/?x", "../images?x"),
        ("/index.html", "./"),
        ("/docs/index.html", "./"),
        ("/docs", "docs/"),
        ("/a%20b/c%20d.html", "c%20d"),
    ] {
        assert_eq!(location(&server.get(target)), (301, Some(expected)), "{target}");
    }
}

#[test]
fn a_route_with_a_dot_is_the_page_of_the_application_for_a_browser_only() {
    let server = Server::with_options(&[("index.html", b"app"), ("a.js", b"js")], &["--spa"]);
    let status = |target: &str, accept: &str| server.connect().get(target, accept).status;
    for target in ["/user/john.doe", "/pkg/x@1.2.3"] {
        assert_eq!(server.connect().get(target, NAVIGATION).text(), "app", "{target}");
        assert_eq!((status(target, ""), status(target, "Accept: */*\r\n")), (404, 404), "{target}");
        assert_eq!(status(target, "Accept: text/html;q=0, */*\r\n"), 404, "{target}");
    }
    assert_eq!((status("/b.js", NAVIGATION), status("/logo.svg", NAVIGATION)), (404, 404));
    assert_eq!(status("/users/7", ""), 200, "a route without a dot needs no Accept field");
}

#[test]
fn pages_of_the_command_line_that_do_not_exist_are_named_at_the_start() {
    let server = Server::with_options(&[("index.html", b"i")], &["--spa=app.html", "--index", "start.htm"]);
    let stderr = server.running.stderr();
    assert!(stderr.contains("--spa=app.html: no such file in the served folder"), "{stderr}");
    assert!(stderr.contains("--index start.htm: no such file in the served folder"), "{stderr}");
    let server = Server::with_options(&[("b.htm", b"b")], &["--spa=b.htm", "--index", "a.htm", "--index", "b.htm"]);
    assert!(!server.running.stderr().contains("no such file"), "{}", server.running.stderr());
}

#[test]
fn a_redirect_is_relative_so_a_prefix_of_a_proxy_survives() {
    let server = Server::with_files(&[("a/b/c", b""), ("x: y/z", b"")]);
    assert_eq!(location(&server.get("/a?q=1")), (301, Some("a/?q=1")));
    assert_eq!(location(&server.get("/a/b")), (301, Some("b/")));
    assert_eq!(location(&server.get("/x:%20y")), (301, Some("x%3A%20y/")));
}

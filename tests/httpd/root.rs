//! Nothing outside the root, nothing hidden, nothing that is no regular file.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use crate::fixture::Server;

/// A folder with a secret beside the root, and the server for the root.
fn server(options: &[&str]) -> (TempDir, Server) {
    let around = tempfile::tempdir().unwrap();
    fs::write(around.path().join("secret"), "secret").unwrap();
    let root = tempfile::tempdir_in(around.path()).unwrap();
    fs::create_dir(root.path().join("sub")).unwrap();
    fs::write(root.path().join("a"), "a").unwrap();
    fs::write(root.path().join(".env"), "hidden").unwrap();
    symlink("a", root.path().join("inside")).unwrap();
    symlink("../secret", root.path().join("outside")).unwrap();
    symlink(around.path(), root.path().join("sub/up")).unwrap();
    (around, Server::start(root, options))
}

#[test]
fn no_spelling_of_a_path_leads_outside() {
    let (_around, server) = server(&[]);
    for target in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/..%2fsecret",
        "/.%2e/secret",
        "/sub/..%2f..%2fsecret",
        "/..%5csecret",
        "/....//secret",
        "/%252e%252e/secret",
        "//../secret",
        "/sub/up/secret",
        "/outside",
        "/..;/secret",
        "/%c0%ae%c0%ae/secret",
        "http://h/../secret",
    ] {
        let response = server.answer(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(matches!(response.status, 400 | 404), "{target}: {}", response.head);
        assert!(!response.text().contains("secret"), "{target}");
    }
}

#[test]
fn links_follow_the_policy_in_answers_and_in_listings() {
    let cases = [
        ("inside", [("/inside", true), ("/outside", false), ("/sub/up/secret", false)]),
        ("none", [("/inside", false), ("/outside", false), ("/sub/up/secret", false)]),
        ("any", [("/inside", true), ("/outside", true), ("/sub/up/secret", true)]),
    ];
    for (policy, expectations) in cases {
        let (_around, server) = server(&["--symlinks", policy]);
        for (target, is_served) in expectations {
            let found = server.get(target).status == 200;
            assert_eq!(found, is_served, "{policy} {target}");
        }
        let listing = server.get("/?format=json").text().to_owned();
        assert_eq!(listing.contains("outside"), policy == "any", "{listing}");
        assert_eq!(listing.contains("inside"), policy != "none", "{listing}");
    }
}

#[test]
fn dot_files_are_missing_unless_asked_for() {
    let (_around, closed) = server(&[]);
    assert_eq!(closed.get("/.env").status, 404);
    assert!(!closed.get("/").text().contains(".env"));
    let (_around, open) = server(&["--hidden"]);
    assert_eq!(open.get("/.env").text(), "hidden");
    assert!(open.get("/").text().contains(".env"));
}

#[test]
fn a_fifo_is_missing_and_blocks_nobody() {
    let (_around, server) = server(&[]);
    nix::unistd::mkfifo(&server.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for _ in 0..4 {
        assert_eq!(server.get("/fifo").status, 404);
    }
    assert_eq!(server.get("/a").text(), "a");
}

#[test]
fn answers_name_no_path_of_the_file_system() {
    let (around, server) = server(&[]);
    let path = around.path().to_str().unwrap();
    for target in ["/", "/nothing", "/sub", "/sub/", "/%zz", "/a/b"] {
        let response = server.get(target);
        assert!(!response.head.contains(path) && !response.text().contains(path), "{target}");
    }
}

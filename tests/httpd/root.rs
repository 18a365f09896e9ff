//! Files outside the root, hidden files and special files are not served.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;
use testkit::process::finish;

use crate::fixture::{Server, httpd};

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
fn no_form_of_a_path_leads_outside() {
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
fn links_follow_the_policy_in_responses_and_listings() {
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
fn dot_files_are_missing_without_the_option() {
    let (_around, closed) = server(&[]);
    assert_eq!(closed.get("/.env").status, 404);
    assert!(!closed.get("/").text().contains(".env"));
    let (_around, open) = server(&["--hidden"]);
    assert_eq!(open.get("/.env").text(), "hidden");
    assert!(open.get("/").text().contains(".env"));
}

#[test]
fn a_fifo_is_missing_and_blocks_no_thread() {
    let (_around, server) = server(&[]);
    nix::unistd::mkfifo(&server.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for _ in 0..4 {
        assert_eq!(server.get("/fifo").status, 404);
    }
    assert_eq!(server.get("/a").text(), "a");
}

#[test]
fn responses_have_no_path_of_the_file_system() {
    let (around, server) = server(&[]);
    let path = around.path().to_str().unwrap();
    for target in ["/", "/nothing", "/sub", "/sub/", "/%zz", "/a/b"] {
        let response = server.get(target);
        assert!(!response.head.contains(path) && !response.text().contains(path), "{target}");
    }
}

/// A site with links that only the sandbox forbids.
fn server_with_links_to_proc(options: &[&str]) -> Server {
    let root = tempfile::tempdir().unwrap();
    symlink("/proc/self/environ", root.path().join("environ")).unwrap();
    symlink("/proc/self/root/etc/passwd", root.path().join("passwd")).unwrap();
    symlink("/etc/hostname", root.path().join("hostname")).unwrap();
    fs::write(root.path().join("a"), "a").unwrap();
    Server::start(root, options)
}

#[test]
fn a_confined_process_cannot_read_outside_even_through_proc() {
    let open = server_with_links_to_proc(&["--symlinks", "any", "--no-sandbox"]);
    assert_eq!(open.get("/environ").status, 200, "without the sandbox the rules for links alone let this through");
    let confined = server_with_links_to_proc(&["--symlinks", "any", "-v"]);
    if confined.running.stderr().contains("not in this kernel") {
        return testkit::skip_for_kernel("this kernel has no Landlock");
    }
    assert_eq!(confined.get("/environ").status, 403);
    assert_ne!(confined.get("/passwd").status, 200);
    assert_eq!(confined.get("/a").text(), "a");
    let beneath = server_with_links_to_proc(&["-v"]);
    assert!(beneath.running.stderr().contains("Landlock: reads "), "{}", beneath.running.stderr());
    for target in ["/environ", "/passwd", "/hostname"] {
        assert_eq!(beneath.get(target).status, 404, "{target}");
    }
}

#[test]
fn root_becomes_another_user_permanently() {
    if !nix::unistd::geteuid().is_root() {
        return testkit::skip("only root can become another user");
    }
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let refused = finish(httpd().args(["-b", "127.0.0.1", "-p", "0", "--user", "nobody"]).arg(root.path()), b"");
    let expected = format!("httpd: as user nobody, open folder {}: Permission denied\n", root.path().display());
    assert_eq!((refused.code(), refused.stderr), (2, expected));
    fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(root.path().join("public"), "public").unwrap();
    fs::write(root.path().join("private"), "private").unwrap();
    fs::set_permissions(root.path().join("private"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let secret_copy = root.path().join("public.gz");
    fs::write(&secret_copy, "gzipped").unwrap();
    fs::set_permissions(secret_copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::create_dir(root.path().join("sealed")).unwrap();
    fs::write(root.path().join("sealed/index.html"), "index").unwrap();
    fs::set_permissions(root.path().join("sealed"), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let server = Server::start(root, &["--user", "nobody"]);
    assert_eq!(server.get("/sealed").field("Location"), Some("sealed/"), "a folder that cannot be listed");
    assert_eq!(server.get("/sealed/").text(), "index");
    assert_eq!(server.get("/public").text(), "public");
    let original = server.connect().get("/public", "Accept-Encoding: gzip\r\n");
    assert_eq!(original.text(), "public", "a compressed file that cannot be read is not used");
    assert_eq!(server.get("/private").status, 403);
    let status = fs::read_to_string(format!("/proc/{}/status", server.running.id())).unwrap();
    let line = |key: &str| status.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(!line("Uid:").contains("\t0"), "{status}");
    assert!(line("NoNewPrivs:").ends_with('1') && line("CapEff:").ends_with("0000"), "{status}");
}

#[test]
fn root_becomes_a_user_and_a_group_by_name_or_number() {
    if !nix::unistd::geteuid().is_root() {
        return testkit::skip("only root can become another user");
    }
    let start = |user: &str| {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let server = Server::start(root, &["--user", user]);
        let status = fs::read_to_string(format!("/proc/{}/status", server.running.id())).unwrap();
        let line = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().map(|word| word.parse::<u32>().unwrap()).collect::<Vec<_>>()
        };
        (line("Uid:"), line("Gid:"), line("Groups:"))
    };
    let unix_user = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let (uid, gid) = (unix_user.uid.as_raw(), unix_user.gid.as_raw());
    assert_eq!(start(&uid.to_string()), (vec![uid; 4], vec![gid; 4], vec![gid]));
    assert_eq!(start("nobody:daemon"), (vec![uid; 4], vec![1; 4], vec![1]));
    assert_eq!(start("54321:54322"), (vec![54321; 4], vec![54322; 4], vec![54322]));
    let root = tempfile::tempdir().unwrap();
    for (user, why) in [
        ("54321", "the number has no user entry; add a group, as in 1000:1000"),
        ("no-such-user", "no such user"),
        ("nobody:no-such-group", "no such group"),
    ] {
        let refused = finish(httpd().args(["-b", "127.0.0.1", "-p", "0", "--user", user]).arg(root.path()), b"");
        assert_eq!((refused.code(), refused.stderr), (2, format!("httpd: become user {user}: {why}\n")));
    }
}

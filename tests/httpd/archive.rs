//! `?download=tar`: a folder as one archive, by the rules by which its files are served.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;
use testkit::http::Response;

use crate::fixture::Server;

/// The files of an archive by path; folders have no content.
fn unpacked(bytes: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    assert!(bytes.len().is_multiple_of(512) && bytes.ends_with(&[0; 1024]), "the archive has its end");
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, mut content) = (entry.path_bytes().into_owned(), Vec::new());
        entry.read_to_end(&mut content).unwrap();
        assert!(files.insert(path, content).is_none(), "every path stands once");
    }
    files
}

fn names(response: &Response) -> Vec<String> {
    unpacked(&response.body).into_keys().map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
}

#[test]
fn a_folder_is_sent_with_everything_below_it() {
    let big = vec![b'x'; 300_000];
    let files: [(&str, &[u8]); 6] = [
        ("d/a", b"a"),
        ("d/sub/big", &big),
        ("d/sub/deep/er", b""),
        ("d/empty/", b""),
        ("other", b"o"),
        ("d/exact", &[b'e'; 512]),
    ];
    let server = Server::with_files(&files);
    let response = server.get("/d/?download=tar");
    assert_eq!((response.status, response.field("Content-Type")), (200, Some("application/x-tar")));
    assert_eq!(response.field("Content-Disposition"), Some("attachment; filename=\"d.tar\""));
    assert_eq!(response.field("Transfer-Encoding"), Some("chunked"));
    let expected = ["d/", "d/a", "d/empty/", "d/exact", "d/sub/", "d/sub/big", "d/sub/deep/", "d/sub/deep/er"];
    assert_eq!(names(&response), expected);
    let files = unpacked(&response.body);
    assert!(files[&b"d/sub/big"[..]] == big && files[&b"d/a"[..]] == b"a" && files[&b"d/exact"[..]] == [b'e'; 512]);
    let root = server.get("/?download=tar");
    assert_eq!(
        root.field("Content-Disposition"),
        Some("attachment; filename=\"files.tar\""),
        "no name of this machine"
    );
    assert!(names(&root).contains(&"files/other".to_owned()));
    let redirect = server.get("/d?download=tar");
    assert_eq!((redirect.status, redirect.field("Location")), (301, Some("d/?download=tar")));
}

#[test]
fn head_says_what_get_would_and_http_1_0_gets_it_without_chunks() {
    let server = Server::with_files(&[("d/a", b"a")]);
    let mut client = server.connect();
    let (head, get) = (client.head("/d/?download=tar", ""), client.get("/d/?download=tar", ""));
    let fields =
        |response: &Response| response.head.lines().filter(|line| !line.starts_with("Date")).collect::<String>();
    assert_eq!(fields(&head), fields(&get));
    let old = server.answer("GET /d/?download=tar HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!((old.field("Transfer-Encoding"), old.field("Connection")), (None, Some("close")));
    assert_eq!(unpacked(&old.body), unpacked(&get.body));
}

/// A folder `d` with everything that may be left out, and links to the folder `v2` beside it and to `outside`.
fn tree(outside: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("d/.git")).unwrap();
    fs::create_dir_all(root.join("v2")).unwrap();
    fs::write(root.join("d/.git/config"), "c").unwrap();
    fs::write(root.join("v2/f"), "two").unwrap();
    symlink("../v2", root.join("d/latest")).unwrap();
    symlink("../v2/f", root.join("d/file")).unwrap();
    symlink("..", root.join("d/loop")).unwrap();
    symlink(outside, root.join("d/out")).unwrap();
    symlink("nowhere", root.join("d/broken")).unwrap();
    nix::unistd::mkfifo(&root.join("d/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    drop(std::os::unix::net::UnixListener::bind(root.join("d/socket")).unwrap());
    folder
}

#[test]
fn dot_files_are_left_out_and_links_follow_the_policy() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    // The link to the root lists everything again, except the folder that has the link.
    let inside = ["d/", "d/file", "d/latest/", "d/latest/f", "d/loop/", "d/loop/v2/", "d/loop/v2/f"];
    let any = [&inside[..], &["d/out/", "d/out/secret"]].concat();
    let hidden = [&["d/", "d/.git/", "d/.git/config"], &inside[1..]].concat();
    for (options, expected) in [
        (&[][..], &inside[..]),
        (&["--symlinks", "none"], &["d/"]),
        (&["--symlinks", "any"], &any),
        (&["--hidden"], &hidden),
    ] {
        let server = Server::start(tree(outside.path()), options);
        let response = server.get("/d/?download=tar");
        assert_eq!(names(&response), expected, "{options:?}");
        let files = unpacked(&response.body);
        assert!(files.get(&b"d/file"[..]).is_none_or(|content| content == b"two"));
        let of_git = server.get("/d/.git/?download=tar").status;
        assert_eq!(of_git, if options == ["--hidden"] { 200 } else { 404 });
    }
}

#[test]
fn without_listings_there_are_no_archives_either() {
    let server = Server::with_options(&[("d/a", b"a"), ("i/index.html", b"index")], &["--no-listing"]);
    assert_eq!(server.get("/d/?download=tar").status, 404);
    assert_eq!(server.get("/i/?download=tar").text(), "index");
}

#[test]
fn names_of_any_bytes_are_archived() {
    let server = Server::with_files(&[("d/", b"")]);
    let long = "long/".repeat(60) + &"n".repeat(200);
    let names: [&[u8]; 4] =
        [b"not \xff utf-8", "Gr\u{fc}\u{df}e".as_bytes(), b"line\nbreak \"quoted\"", long.as_bytes()];
    for name in names {
        let path = server.path("d").join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let files = unpacked(&server.get("/d/?download=tar").body);
    for name in names {
        assert_eq!(files[&[b"d/", name].concat()], name);
    }
}

#[test]
fn the_executable_bit_is_archived() {
    let server = Server::with_files(&[("d/run", b"#!"), ("d/text", b"t")]);
    fs::set_permissions(server.path("d/run"), fs::Permissions::from_mode(0o750)).unwrap();
    let body = server.get("/d/?download=tar").body;
    let modes: Vec<u32> = tar::Archive::new(body.as_slice())
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().header().mode().unwrap())
        .collect();
    assert_eq!(modes, [0o755, 0o755, 0o644]);
}

#[test]
fn a_file_that_shrinks_ends_the_connection_and_one_that_grows_is_cut() {
    let size = 40_000_000;
    let server = Server::with_files(&[("d/big", &vec![b'x'; size]), ("d/z", b"last")]);
    let read = |change: &dyn Fn(&fs::File)| {
        let mut client = server.connect();
        client.send("GET /d/?download=tar HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        // What follows cannot have been sent yet: it is more than sockets hold.
        let mut first = [0; 2000];
        client.stream().read_exact(&mut first).unwrap();
        change(&fs::File::options().write(true).open(server.path("d/big")).unwrap());
        let mut rest = first.to_vec();
        let _ = client.stream().read_to_end(&mut rest);
        rest
    };
    let cut = read(&|file| file.set_len(size as u64 + 5_000_000).unwrap());
    assert!(cut.ends_with(b"\r\n0\r\n\r\n") && cut.len() < size + 10_000);
    let broken = read(&|file| file.set_len(20_000_000).unwrap());
    assert!(!broken.ends_with(b"\r\n0\r\n\r\n") && broken.len() < 40_000_000, "{}", broken.len());
}

#[test]
fn the_listing_has_a_button_for_the_archive() {
    let server = Server::with_files(&[("d/a", b"a")]);
    assert!(server.get("/d/").text().contains("<button name=\"download\" value=\"tar\">"));
}

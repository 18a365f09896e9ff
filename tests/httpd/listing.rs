//! The listing of a folder, for people and for programs.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use crate::fixture::Server;

#[test]
fn a_folder_without_index_is_listed_folders_first_in_natural_order() {
    let server = Server::with_files(&[("d/file10", b"x"), ("d/file2", b"xx"), ("d/sub/x", b""), ("d/.hidden", b"")]);
    let page = server.get("/d/");
    assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"));
    let links: Vec<&str> = page.text().split("href=\"./").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(links, ["sub/", "file2", "file10"]);
    assert!(page.field("Content-Security-Policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
}

#[test]
fn programs_get_json() {
    let server = Server::with_files(&[("b.txt", b"12345"), ("sub/x", b"")]);
    for (target, accept) in [("/?format=json", ""), ("/", "Accept: application/json\r\n")] {
        let response = server.connect().get(target, accept);
        assert_eq!(response.field("Content-Type"), Some("application/json"));
        let text = response.text();
        assert!(text.contains(r#""name":"sub","type":"folder","size":null"#), "{text}");
        assert!(text.contains(r#""name":"b.txt","type":"file","size":5"#), "{text}");
    }
}

#[test]
fn sorting_works_without_a_script() {
    let server = Server::with_files(&[("a", b"333"), ("b", b"1"), ("c", b"22")]);
    let names = |query: &str| {
        let text = server.get(&format!("/?format=json&{query}")).text().to_owned();
        text.split("\"name\":\"").skip(1).map(|rest| rest[..1].to_owned()).collect::<String>()
    };
    assert_eq!(names("sort=size"), "bca");
    assert_eq!(names("sort=size&order=desc"), "acb");
    assert_eq!(names("sort=name&order=desc"), "cba");
}

#[test]
fn names_of_any_bytes_are_listed_linked_and_served() {
    let names: [&[u8]; 8] =
        [b"a b", b"caf\xe9", b"new\nline", b"quo\"te", b"100%", b"<b>&amp;", b"javascript:alert(1)", b"#?+;"];
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::write(folder.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let server = Server::start(folder, &[]);
    let page = server.get("/").text().to_owned();
    assert!(!page.contains("<b>") && !page.contains("href=\"javascript"));
    let links = page.split("href=\"./").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut contents: Vec<Vec<u8>> = links.map(|link| server.get(&format!("/{link}")).body).collect();
    contents.sort();
    let mut expected: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
    expected.sort();
    assert_eq!(contents, expected);
}

#[test]
fn http_1_0_gets_the_listing_until_the_end_of_the_connection() {
    let server = Server::with_files(&[("a", b"")]);
    let response = server.answer("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!((response.field("Transfer-Encoding"), response.field("Connection")), (None, Some("close")));
    assert!(response.text().ends_with("</html>\n"));
    let unread_body = "GET / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nx";
    assert!(server.answer(unread_body).text().ends_with("</html>\n"), "also when a body is still to come");
}

#[test]
fn listings_can_be_switched_off() {
    let server = Server::with_options(&[("sub/a", b"a")], &["--no-listing"]);
    assert_eq!(server.get("/sub/").status, 404);
    assert_eq!(server.get("/sub/a").text(), "a");
}

#[test]
fn sorting_the_archive_and_the_views_are_buttons_so_that_programs_follow_links_to_entries_only() {
    let server = Server::with_files(&[("d/e/a.jpg", b"x"), ("d/e/sub/b", b"")]);
    let links = |page: &str| {
        let links = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        links.filter(|link| !link.starts_with('#')).collect::<Vec<_>>()
    };
    assert_eq!(links(server.get("/d/e/").text()), ["../../", "../", "./sub/", "./a.jpg"]);
    // The order and the view are kept when a folder is entered.
    let query = "?sort=size-desc&amp;view=grid";
    let expected = [format!("../../{query}"), format!("../{query}"), format!("./sub/{query}"), "./a.jpg".to_owned()];
    let grid = server.get("/d/e/?sort=size-desc&view=grid");
    assert_eq!(links(grid.text()), expected);
    assert!(grid.text().contains("<img loading=\"lazy\" alt=\"\" src=\"./a.jpg\">"), "{}", grid.text());
}

#[test]
fn the_first_crumb_is_the_host_and_every_name_is_isolated_from_the_direction_of_others() {
    let server = Server::with_files(&[("שלום/עולם/תמונה.jpg", b"x")]);
    let target = "/%D7%A9%D7%9C%D7%95%D7%9D/%D7%A2%D7%95%D7%9C%D7%9D/";
    let page = server.answer(format!("GET {target} HTTP/1.1\r\nHost: my-laptop:6789\r\n\r\n"));
    for text in [
        "<bdi>my-laptop:6789</bdi>",
        "<bdi>שלום</bdi>",
        "<h1><bdi>עולם</bdi></h1>",
        "<bdi>תמונה.jpg</bdi>",
        "<title>עולם</title>",
    ] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    let without_host = server.answer("GET / HTTP/1.0\r\n\r\n");
    assert!(without_host.text().contains("<h1><bdi>/</bdi></h1>"));
}

#[test]
fn an_unknown_format_is_400() {
    let server = Server::with_files(&[("d/a", b""), ("index.html", b"index")]);
    for query in ["format=xml", "download=zip", "sort=size&format="] {
        assert_eq!(server.get(&format!("/d/?{query}")).status, 400, "{query}");
        assert_eq!(server.get(&format!("/?{query}")).text(), "index", "an index file ignores the query");
    }
    assert_eq!(server.get("/d/?filter=x&unknown=y").status, 200);
}

#[test]
fn listings_are_compressed_with_the_option() {
    let names: Vec<String> = (0..500).map(|number| format!("file {number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let server = Server::with_options(&files, &["--compress"]);
    let plain = server.get("/");
    assert_eq!((plain.field("Content-Encoding"), plain.field("Vary")), (None, Some("Accept, Accept-Encoding")));
    for target in ["/", "/?format=json"] {
        let whole = server.get(target);
        let coded = server.connect().get(target, "Accept-Encoding: gzip\r\n");
        assert_eq!(coded.field("Content-Encoding"), Some("gzip"));
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(coded.body.as_slice()).read_to_end(&mut text).unwrap();
        assert!(text == whole.body && coded.body.len() * 5 < text.len(), "{target}: {} bytes", coded.body.len());
    }
    let server = Server::with_files(&[("a", b"")]);
    assert_eq!(server.connect().get("/", "Accept-Encoding: gzip\r\n").field("Content-Encoding"), None);
}

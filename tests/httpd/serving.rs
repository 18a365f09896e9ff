//! Files, folders, types, errors, methods, compressed files, several clients at once.

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use crate::fixture::Server;

#[test]
fn a_file_comes_whole_with_type_length_and_date() {
    let server = Server::with_files(&[("a/hello.txt", b"hello\n")]);
    let response = server.get("/a/hello.txt");
    assert_eq!((response.status, response.text()), (200, "hello\n"));
    assert_eq!(response.field("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.field("Content-Length"), Some("6"));
    assert_eq!(response.field("Accept-Ranges"), Some("bytes"));
    assert_eq!(response.field("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(response.field("Cache-Control"), Some("no-cache"));
    assert!(response.field("Date").is_some_and(|date| date.ends_with(" GMT") && date.len() == 29));
}

#[test]
fn files_of_every_size_arrive_intact() {
    // Around the limits between copying, memory and sendfile.
    let sizes = [0, 1, 16 * 1024, 16 * 1024 + 1, 128 * 1024, 128 * 1024 + 1, 5_000_000];
    let content: Vec<u8> = (0..5_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let names: Vec<String> = sizes.iter().map(|size| format!("f{size}")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().zip(sizes).map(|(name, size)| (name.as_str(), &content[..size])).collect();
    let server = Server::with_files(&files);
    let mut client = server.connect();
    for _ in 0..2 {
        for (name, content) in &files {
            let response = client.get(&format!("/{name}"), "");
            assert_eq!(response.status, 200);
            assert!(response.body == *content, "{name}: {} bytes arrived", response.body.len());
        }
    }
}

#[test]
fn a_single_worker_serves_everything() {
    let big = vec![b'x'; 3_000_000];
    let server = Server::with_options(&[("big", &big), ("small", b"s"), ("sub/", b"")], &["--workers", "1"]);
    let mut client = server.connect();
    assert!(client.get("/big", "").body == big);
    assert_eq!(client.get("/small", "").body, b"s");
    assert!(client.get("/sub/", "").text().contains("This folder is empty."));
    assert!(client.get("/big", "Range: bytes=-10\r\n").body == big[..10]);
}

#[test]
fn a_single_worker_survives_any_number_of_pipelined_downloads() {
    let big = vec![b'x'; 130 * 1024];
    let server = Server::with_options(&[("big", &big)], &["--workers", "1"]);
    let mut client = server.connect();
    let mut sender = client.stream().try_clone().unwrap();
    let requests = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000);
    let sending = std::thread::spawn(move || std::io::Write::write_all(&mut sender, requests.as_bytes()));
    for _ in 0..1000 {
        assert_eq!(client.response().body.len(), big.len());
    }
    sending.join().unwrap().unwrap();
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    let big = vec![b'x'; 300_000];
    let server = Server::with_files(&[("small", b"small"), ("big", &big), ("folder/x", b"")]);
    let mut client = server.connect();
    for target in ["/small", "/big", "/folder/", "/folder", "/nothing"] {
        let (get, head) = (client.get(target, ""), client.head(target, ""));
        let without_date =
            |head: &str| head.lines().filter(|line| !line.starts_with("Date")).collect::<Vec<_>>().join("\n");
        assert_eq!(without_date(&get.head), without_date(&head.head), "{target}");
        assert!(head.body.is_empty());
    }
}

#[test]
fn a_folder_is_its_index_file_and_gets_its_slash() {
    let server = Server::with_files(&[("index.html", b"root"), ("sub dir/index.html", b"sub")]);
    assert_eq!(server.get("/").text(), "root");
    assert_eq!(server.get("/sub%20dir/").text(), "sub");
    let redirect = server.get("/sub%20dir?a=b");
    assert_eq!((redirect.status, redirect.field("Location")), (301, Some("sub%20dir/?a=b")));
    assert_eq!(server.get("/index.html/").status, 404);
}

#[test]
fn a_redirect_never_leads_to_another_host() {
    let server = Server::with_files(&[("example.com/x", b"")]);
    for target in ["//example.com", "///example.com", "/./example.com", "/x/..//example.com"] {
        assert_eq!(server.get(target).field("Location"), Some("example.com/"), "{target}");
    }
}

#[test]
fn the_index_can_have_other_names() {
    let server = Server::with_options(&[("b.htm", b"b")], &["--index", "a.htm", "--index", "b.htm"]);
    assert_eq!(server.get("/").text(), "b");
}

#[test]
fn what_is_missing_is_404_with_the_page_of_the_site_if_it_has_one() {
    let server = Server::with_files(&[("x", b"")]);
    let plain = server.get("/nothing");
    assert_eq!((plain.status, plain.field("Content-Type")), (404, Some("text/plain; charset=utf-8")));
    let html = server.connect().get("/nothing", "Accept: text/html\r\n");
    assert!(html.text().contains("<main><h1>404 Not Found</h1>"));
    let deep = server.connect().get("/a/b/c?x", "Accept: text/html\r\n");
    assert!(deep.text().contains("<a href=\"../../\">Start page</a><a href=\"./\">Folder above</a>"));
    assert!(html.field("Content-Security-Policy").is_some());
    let server = Server::with_files(&[("404.html", b"our own page")]);
    let own = server.get("/nothing/at/all");
    assert_eq!((own.status, own.text()), (404, "our own page"));
    assert_eq!(own.field("ETag"), None);
}

#[test]
fn only_reading_is_allowed() {
    let server = Server::with_files(&[("a", b"a")]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "CONNECT", "TRACE"] {
        let response = server.answer(format!("{method} /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxx"));
        assert_eq!((response.status, response.field("Allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
    let response = server.answer("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
    assert_eq!((response.status, response.field("Allow")), (405, Some("GET, HEAD, OPTIONS")));
    for target in ["/a", "*"] {
        let response = server.answer(format!("OPTIONS {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((response.status, response.field("Allow")), (204, Some("GET, HEAD, OPTIONS")), "{target}");
    }
}

#[test]
fn compressed_files_beside_the_original_are_used_when_accepted() {
    let server = Server::with_files(&[("a.css", b"original"), ("a.css.gz", b"gzipped"), ("a.css.br", b"brotli")]);
    let mut client = server.connect();
    let original = client.get("/a.css", "");
    assert_eq!((original.text(), original.field("Content-Encoding")), ("original", None));
    assert_eq!(original.field("Vary"), Some("Accept-Encoding"));
    let coded = client.get("/a.css", "Accept-Encoding: gzip, br\r\n");
    assert_eq!((coded.text(), coded.field("Content-Encoding")), ("brotli", Some("br")));
    assert_eq!(coded.field("Content-Type"), Some("text/css; charset=utf-8"));
    assert_ne!(coded.field("ETag"), original.field("ETag"));
    let tag = coded.field("ETag").unwrap();
    let not_modified = client.get("/a.css", &format!("Accept-Encoding: br\r\nIf-None-Match: {tag}\r\n"));
    assert_eq!((not_modified.status, not_modified.field("Vary")), (304, Some("Accept-Encoding")));
    assert_eq!(client.get("/a.css", "Accept-Encoding: br;q=0, gzip;q=0.1\r\n").text(), "gzipped");
    let refused = client.get("/a.css", "Accept-Encoding: zstd, identity;q=0\r\n");
    assert_eq!((refused.status, refused.field("Vary")), (406, Some("Accept-Encoding")));
    assert_eq!(client.get("/a.css.br", "").field("Content-Encoding"), None);
}

#[test]
fn a_compressed_file_older_than_its_original_is_stale_and_not_used() {
    let server = Server::with_files(&[("a.css", b"original"), ("a.css.gz", b"gzipped")]);
    let old = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(60));
    File::options().write(true).open(server.path("a.css.gz")).unwrap().set_times(old).unwrap();
    assert_eq!(server.connect().get("/a.css", "Accept-Encoding: gzip\r\n").text(), "original");
}

#[test]
fn fields_can_be_added_to_every_answer() {
    let options = ["--header", "X-Team: web", "--cors", "--cross-origin-isolated", "--cache", "*.js=max-age=60"];
    let server = Server::with_options(&[("a.js", b""), ("sub/x", b"")], &options);
    let tag = server.get("/a.js").field("ETag").unwrap().to_owned();
    let mut client = server.connect();
    let answers = [
        client.get("/a.js", ""),
        client.get("/a.js", &format!("If-None-Match: {tag}\r\n")),
        client.get("/sub/", ""),
        client.get("/sub", ""),
        client.get("/nothing", ""),
        client.get("/%zz", ""),
    ];
    for answer in &answers {
        assert_eq!(answer.field("X-Team"), Some("web"), "{}", answer.head);
        assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("*"), "{}", answer.head);
        assert_eq!(answer.field("Cross-Origin-Opener-Policy"), Some("same-origin"), "{}", answer.head);
    }
    assert_eq!(answers[0].field("Cache-Control"), Some("max-age=60"));
}

#[test]
fn a_preflight_request_is_allowed() {
    let ask = "OPTIONS /a HTTP/1.1\r\nHost: h\r\nOrigin: http://example.org\r\nAccess-Control-Request-Method: GET\r\n\
               Access-Control-Request-Headers: authorization, x-a\r\nAccess-Control-Request-Private-Network: true\r\n\r\n";
    let answer = Server::with_options(&[("a", b"a")], &["--cors"]).answer(ask);
    assert_eq!((answer.status, answer.field("Access-Control-Allow-Origin")), (204, Some("*")));
    assert_eq!(answer.field("Access-Control-Allow-Methods"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(answer.field("Access-Control-Allow-Headers"), Some("authorization, x-a"));
    assert_eq!(answer.field("Access-Control-Allow-Private-Network"), Some("true"));
    assert!(answer.field("Access-Control-Max-Age").is_some());
    let closed = Server::with_files(&[("a", b"a")]).answer(ask);
    assert!(!closed.head.contains("Access-Control"), "{}", closed.head);
}

#[test]
fn single_page_applications_and_clean_urls_find_their_files() {
    let files: &[(&str, &[u8])] = &[("index.html", b"app"), ("about.html", b"about"), ("a.js", b"js")];
    let server = Server::with_options(files, &["--spa", "--clean-urls"]);
    assert_eq!(server.get("/about").text(), "about");
    let page = server.get("/users/7");
    assert_eq!((page.status, page.text()), (200, "app"));
    assert_eq!(server.get("/b.js").status, 404);
}

#[test]
fn a_slow_download_does_not_keep_others_waiting() {
    let big = vec![b'x'; 20_000_000];
    let server = Server::with_options(&[("big", &big), ("small", b"small")], &["--workers", "2"]);
    let mut slow: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.connect();
            client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
            client
        })
        .collect();
    for _ in 0..50 {
        assert_eq!(server.get("/small").text(), "small");
    }
    assert!(slow.pop().unwrap().response().body == big);
}

#[test]
fn many_clients_at_once_get_their_own_answers() {
    let names: Vec<String> = (0..32).map(|number| format!("f{number}")).collect();
    let contents: Vec<Vec<u8>> = (0..32).map(|number| vec![number; 1000 + usize::from(number) * 9000]).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(contents.iter().map(Vec::as_slice)).collect();
    let server = Server::with_files(&files);
    std::thread::scope(|scope| {
        for start in 0..8 {
            let (server, files) = (&server, &files);
            scope.spawn(move || {
                let mut client = server.connect();
                for (name, content) in files.iter().cycle().skip(start * 4).take(64) {
                    assert!(client.get(&format!("/{name}"), "").body == *content, "{name}");
                }
            });
        }
    });
}

//! Content types: by name, by content, by option; files that are stored compressed.

use crate::fixture::Server;

/// Large enough that a file is not kept in memory.
const BIG: usize = 200_000;

fn content_type(server: &Server, target: &str) -> String {
    let (get, head) = (server.get(target), server.connect().head(target, ""));
    assert_eq!(get.status, 200, "{target}");
    assert_eq!(get.field("Content-Type"), head.field("Content-Type"), "{target}");
    get.field("Content-Type").unwrap().to_owned()
}

#[test]
fn the_type_of_each_extension_is_the_registered_one() {
    let table = [
        ("a.m3u8", "application/vnd.apple.mpegurl"),
        ("a.m4s", "video/iso.segment"),
        ("a.ttml", "application/ttml+xml"),
        ("a.m4a", "audio/mp4"),
        ("a.mid", "audio/midi"),
        ("a.xml", "application/xml"),
        ("a.xsd", "application/xml"),
        ("a.xslt", "application/xslt+xml"),
        ("a.dtd", "application/xml-dtd"),
        ("a.woff", "font/woff"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.otf", "font/otf"),
        ("a.usdz", "model/vnd.usdz+zip"),
        ("a.mobileconfig", "application/x-apple-aspen-config"),
        ("a.stl", "model/stl"),
        ("a.obj", "model/obj"),
        ("a.mtl", "model/mtl"),
        ("a.step", "model/step"),
        ("a.stp", "model/step"),
        ("a.3mf", "model/3mf"),
        ("a.glb", "model/gltf-binary"),
        ("a.gltf", "model/gltf+json"),
        ("a.ktx2", "image/ktx2"),
        ("a.psd", "image/vnd.adobe.photoshop"),
        ("a.avif", "image/avif"),
        ("a.jxl", "image/jxl"),
        ("a.rpm", "application/x-rpm"),
        ("a.deb", "application/vnd.debian.binary-package"),
        ("a.tgz", "application/gzip"),
        ("a.msix", "application/msix"),
        ("a.appx", "application/appx"),
        ("a.appinstaller", "application/appinstaller"),
        ("a.sxg", "application/signed-exchange;v=b3"),
        ("a.wgsl", "text/wgsl; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.geojson", "application/geo+json"),
        ("a.topojson", "application/json"),
        ("a.jsonl", "application/jsonl"),
        ("a.ndjson", "application/x-ndjson"),
        (".well-known/openid-configuration", "application/json"),
        (".well-known/matrix/client", "application/json"),
        (".well-known/webfinger", "application/jrd+json"),
        ("apple-app-site-association", "application/json"),
    ];
    let text =
        "ts mts cts toml yaml pub mod rst adoc tex diff patch sh sql ipynb srt go java vue glsl cfg conf ini log lock";
    let text: Vec<String> = text.split(' ').map(|extension| format!("b.{extension}")).collect();
    let names = table.iter().map(|(name, _)| *name).chain(text.iter().map(String::as_str));
    let files: Vec<(&str, &[u8])> = names.map(|name| (name, &b"text"[..])).collect();
    let server = Server::with_files(&files);
    for (name, expected) in table {
        assert_eq!(content_type(&server, &format!("/{name}")), expected, "{name}");
    }
    for name in text {
        assert_eq!(content_type(&server, &format!("/{name}")), "text/plain; charset=utf-8", "{name}");
    }
}

#[test]
fn the_content_decides_about_the_encoding_and_about_files_without_extension() {
    let mut video = vec![0; BIG];
    (video[0], video[188]) = (0x47, 0x47);
    let (latin, big_latin) = (b"caf\xe9".to_vec(), b"caf\xe9 ".repeat(BIG / 5));
    let files: &[(&str, &[u8])] = &[
        ("a.txt", &latin),
        ("b.txt", &big_latin),
        ("c.txt", b"caf\xc3\xa9"),
        ("a.html", b"<meta charset=iso-8859-1>caf\xe9"),
        ("b.html", b"<meta charset=utf-8>"),
        ("a.xml", b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a>\xe9</a>"),
        ("a.ts", b"let x: number"),
        ("b.ts", &video),
        ("c.ts", &video[..300]),
        ("README", b"text"),
        ("program", b"\x7fELF\x02\x01\x01\0"),
        ("big", &video),
    ];
    let server = Server::with_files(files);
    for (target, expected) in [
        ("/a.txt", "text/plain"),
        ("/b.txt", "text/plain"),
        ("/c.txt", "text/plain; charset=utf-8"),
        ("/a.html", "text/html"),
        ("/b.html", "text/html; charset=utf-8"),
        ("/a.xml", "application/xml"),
        ("/a.ts", "text/plain; charset=utf-8"),
        ("/b.ts", "video/mp2t"),
        ("/c.ts", "video/mp2t"),
        ("/README", "text/plain; charset=utf-8"),
        ("/program", "application/octet-stream"),
        ("/big", "application/octet-stream"),
    ] {
        assert_eq!(content_type(&server, target), expected, "{target}");
    }
    std::fs::write(server.path("README"), b"\0\x01").unwrap();
    assert_eq!(content_type(&server, "/README"), "application/octet-stream", "the type follows the content");
}

#[test]
fn a_compressed_variant_has_the_type_of_its_original_and_follows_it() {
    let server = Server::with_files(&[("a.html", b"<meta charset=latin1>"), ("a.html.gz", b"zipped")]);
    let get = || {
        let response = server.connect().get("/a.html", "Accept-Encoding: gzip\r\n");
        (response.text().to_owned(), response.field("Content-Type").unwrap().to_owned())
    };
    assert_eq!(get(), ("zipped".to_owned(), "text/html".to_owned()));
    let old = std::fs::FileTimes::new().set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(9));
    std::fs::write(server.path("a.html"), "<meta charset=utf-8>").unwrap();
    std::fs::File::options().write(true).open(server.path("a.html")).unwrap().set_times(old).unwrap();
    assert_eq!(get(), ("zipped".to_owned(), "text/html; charset=utf-8".to_owned()));
}

#[test]
fn types_by_option_win() {
    let options =
        ["--mime", "ts=text/x-one", "--mime", "*.d.ts=text/x-two", "--mime", "/.well-known/x=application/json"];
    let options = [&options[..], &["--default-type", "application/x-data"]].concat();
    let files: &[(&str, &[u8])] =
        &[("a.ts", b""), ("b/a.d.ts", b""), (".well-known/x", b"{}"), ("a.what", b"\0"), ("what", b"\0"), ("t", b"t")];
    let server = Server::with_options(files, &options);
    for (target, expected) in [
        ("/a.ts", "text/x-one"),
        ("/b/a.d.ts", "text/x-two"),
        ("/.well-known/x", "application/json"),
        ("/a.what", "application/x-data"),
        ("/what", "application/x-data"),
        ("/t", "text/plain; charset=utf-8"),
    ] {
        assert_eq!(content_type(&server, target), expected, "{target}");
    }
}

#[test]
fn compressed_builds_are_sent_as_what_they_contain() {
    let files: &[(&str, &[u8])] = &[
        ("Build/game.wasm.br", b"brotli"),
        ("Build/game.framework.js.gz", b"gzip"),
        ("Build/game.data.zst", b"zstd"),
        ("other/x.tar.gz", b"archive"),
        ("logo.svgz", b"svg"),
        ("Build/big.js.br", &vec![b'x'; BIG]),
    ];
    let server = Server::with_options(files, &["--encoded", "Build/**", "--compress"]);
    for (target, media_type, coding) in [
        ("/Build/game.wasm.br", "application/wasm", Some("br")),
        ("/Build/game.framework.js.gz", "text/javascript; charset=utf-8", Some("gzip")),
        ("/Build/game.data.zst", "application/octet-stream", Some("zstd")),
        ("/other/x.tar.gz", "application/gzip", None),
        ("/logo.svgz", "image/svg+xml", Some("gzip")),
        ("/Build/big.js.br", "text/javascript; charset=utf-8", Some("br")),
    ] {
        let response = server.connect().get(target, "Accept-Encoding: gzip, br\r\n");
        assert_eq!(response.field("Content-Type"), Some(media_type), "{target}");
        assert_eq!(response.field("Content-Encoding"), coding, "{target}");
        let part = server.connect().get(target, "Range: bytes=0-1\r\n");
        assert_eq!((part.status, part.body.len(), part.field("Content-Encoding")), (206, 2, coding), "{target}");
    }
}

#[test]
fn a_file_that_exists_in_compressed_form_only_is_served_to_clients_that_accept_it() {
    let files: &[(&str, &[u8])] =
        &[("x.js.gz", b"gzipped"), ("d/index.html.br", b"page"), ("y.css", b"own"), ("z.gz/a", b"")];
    let server = Server::with_options(files, &["--live-reload"]);
    let get = |target: &str, coding: &str| server.connect().get(target, &format!("Accept-Encoding: {coding}\r\n"));
    let script = get("/x.js", "gzip, br");
    assert_eq!((script.status, script.text()), (200, "gzipped"));
    assert_eq!(script.field("Content-Type"), Some("text/javascript; charset=utf-8"));
    assert_eq!((script.field("Content-Encoding"), script.field("Vary")), (Some("gzip"), Some("Accept-Encoding")));
    let tag = script.field("ETag").unwrap();
    let fields = format!("Accept-Encoding: gzip\r\nIf-None-Match: {tag}\r\n");
    assert_eq!(server.connect().get("/x.js", &fields).status, 304);
    assert_eq!((get("/d/", "br").text(), get("/d/", "gzip").status), ("page", 200), "the second is the listing");
    for (target, coding) in [("/x.js", "br"), ("/x.js", "identity"), ("/x.js", "gzip;q=0"), ("/z", "gzip")] {
        assert_eq!(get(target, coding).status, 404, "{target} {coding}");
    }
    assert_eq!(server.get("/x.js").status, 404);
    let server = Server::with_options(files, &["--no-precompressed"]);
    assert_eq!(server.connect().get("/x.js", "Accept-Encoding: gzip\r\n").status, 404);
}

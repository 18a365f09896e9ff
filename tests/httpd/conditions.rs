//! Conditional requests and ranges on the wire, for files in memory and for files sent from the disk.

use std::fs::{File, FileTimes};
use std::time::{Duration, UNIX_EPOCH};

use crate::fixture::Server;

const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A small and a big file, both last changed at [`CHANGED`].
fn server() -> (Server, Vec<u8>) {
    let big: Vec<u8> = (0..300_000u32).map(|number| (number % 251) as u8).collect();
    let server = Server::with_files(&[("small", &big[..1000]), ("big", &big)]);
    for name in ["small", "big"] {
        let time = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777));
        File::options().write(true).open(server.path(name)).unwrap().set_times(time).unwrap();
    }
    (server, big)
}

#[test]
fn a_client_that_has_the_file_gets_304() {
    let (server, _) = server();
    let mut client = server.connect();
    for target in ["/small", "/big"] {
        let first = client.get(target, "");
        assert_eq!(first.field("Last-Modified"), Some(CHANGED));
        let tag = first.field("ETag").unwrap();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
        for condition in [
            format!("If-None-Match: {tag}\r\n"),
            format!("If-None-Match: \"x\", W/{tag}\r\n"),
            "If-None-Match: *\r\n".to_owned(),
            format!("If-Modified-Since: {CHANGED}\r\n"),
            "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n".to_owned(),
            "If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n".to_owned(),
        ] {
            let again = client.get(target, &condition);
            assert_eq!((again.status, again.field("ETag")), (304, Some(tag)), "{condition}");
            assert!(again.field("Date").is_some() && again.field("Cache-Control").is_some());
        }
        let other = client.get(target, &format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {CHANGED}\r\n"));
        assert_eq!(other.status, 200);
    }
}

#[test]
fn a_date_never_hides_a_change_within_the_same_second() {
    let server = Server::with_files(&[("small", b"one"), ("big", &vec![b'1'; 300_000])]);
    for (target, next) in [("/small", b"two".to_vec()), ("/big", vec![b'2'; 300_000])] {
        let mut client = server.connect();
        let date = client.get(target, "").field("Last-Modified").unwrap().to_owned();
        std::fs::write(server.path(&target[1..]), &next).unwrap();
        let again = client.get(target, &format!("If-Modified-Since: {date}\r\n"));
        assert!(again.status == 200 && again.body == next, "{target}: {}", again.head);
    }
}

#[test]
fn a_failed_precondition_is_412() {
    let (server, _) = server();
    let mut client = server.connect();
    for target in ["/small", "/big"] {
        assert_eq!(client.get(target, "If-Match: \"x\"\r\n").status, 412);
        assert_eq!(client.get(target, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n").status, 412);
        assert_eq!(client.get(target, "If-Match: *\r\n").status, 200);
    }
}

#[test]
fn one_range_is_sent_with_its_place() {
    let (server, content) = server();
    let mut client = server.connect();
    for (target, size) in [("/small", 1000), ("/big", 300_000)] {
        for (range, start, end) in [
            ("0-0".to_owned(), 0, 1),
            ("10-19".to_owned(), 10, 20),
            (format!("{}-", size - 5), size - 5, size),
            ("-7".to_owned(), size - 7, size),
            ("0-999999999".to_owned(), 0, size),
            ("-999999999".to_owned(), 0, size),
        ] {
            let response = client.get(target, &format!("Range: bytes={range}\r\n"));
            let place = format!("bytes {start}-{}/{size}", end - 1);
            assert_eq!((response.status, response.field("Content-Range")), (206, Some(place.as_str())), "{range}");
            assert!(response.body == content[start..end], "{target} {range}");
        }
    }
}

#[test]
fn several_ranges_are_sent_as_parts() {
    let (server, content) = server();
    let mut client = server.connect();
    for (target, size) in [("/small", 1000), ("/big", 300_000)] {
        let response = client.get(target, "Range: bytes=0-9, 500-509,-5\r\n");
        assert_eq!(response.status, 206);
        let media_type = response.field("Content-Type").unwrap();
        let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let mut expected = Vec::new();
        for (start, end) in [(0, 10), (500, 510), (size - 5, size)] {
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {start}-{}/{size}\r\n\r\n",
                end - 1
            );
            expected.extend_from_slice(head.as_bytes());
            expected.extend_from_slice(&content[start..end]);
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert!(response.body == expected, "{target}: {}", String::from_utf8_lossy(&response.body));
        assert_eq!(client.get(target, "").body.len(), size, "the connection goes on");
    }
}

#[test]
fn a_range_outside_is_416_and_junk_is_ignored() {
    let (server, _) = server();
    let mut client = server.connect();
    for (target, size) in [("/small", 1000), ("/big", 300_000)] {
        for range in [format!("bytes={size}-"), "bytes=-0".to_owned()] {
            let response = client.get(target, &format!("Range: {range}\r\n"));
            let place = format!("bytes */{size}");
            assert_eq!((response.status, response.field("Content-Range")), (416, Some(place.as_str())));
        }
        for range in ["bytes=5-3", "bytes=x-", "pages=1-2", "bytes=0-1,x"] {
            assert_eq!(client.get(target, &format!("Range: {range}\r\n")).status, 200, "{range}");
        }
        let head = client.head(target, "Range: bytes=0-1\r\n");
        assert_eq!((head.status, head.field("Content-Length")), (200, Some(size.to_string().as_str())));
    }
}

#[test]
fn if_range_decides_between_the_part_and_the_whole() {
    let (server, _) = server();
    let mut client = server.connect();
    for target in ["/small", "/big"] {
        let tag = client.get(target, "").field("ETag").unwrap().to_owned();
        let mut status =
            |validator: &str| client.get(target, &format!("Range: bytes=0-1\r\nIf-Range: {validator}\r\n")).status;
        assert_eq!(status(&tag), 206);
        assert_eq!(status(CHANGED), 206);
        assert_eq!(status("\"other\""), 200);
        assert_eq!(status(&format!("W/{tag}")), 200);
        assert_eq!(status("Mon, 07 Nov 1994 08:49:37 GMT"), 200);
    }
}

#[test]
fn the_tag_of_a_small_file_is_made_of_its_content_alone() {
    let (first, _) = server();
    let (second, _) = server();
    assert_eq!(first.get("/small").field("ETag"), second.get("/small").field("ETag"));
    assert_ne!(first.get("/small").field("ETag"), first.get("/big").field("ETag"));
}

#[test]
fn a_time_that_build_tools_invented_gives_no_dates_away() {
    let (server, _) = server();
    let time = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1));
    File::options().write(true).open(server.path("small")).unwrap().set_times(time).unwrap();
    let mut client = server.connect();
    assert_eq!(client.get("/small", "").field("Last-Modified"), None);
    assert_eq!(client.get("/small", &format!("If-Modified-Since: {CHANGED}\r\n")).status, 200);
}

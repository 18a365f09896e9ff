//! The quick-start site: the statements of its page about its files are true.

use std::path::Path;
use std::process::Command;

use testkit::http::Client;
use testkit::process::Running;

use crate::fixture::{httpd, listening_address};

fn www() -> (Running, Client) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../www");
    let command: &mut Command = &mut httpd();
    let running = Running::start(command.args(["-b", "127.0.0.1", "-p", "0", "--root"]).arg(root));
    let address = running.wait_for_stderr(listening_address);
    (running, Client::connect(address))
}

#[test]
fn every_link_of_the_page_is_served() {
    let (_running, mut client) = www();
    let page = client.get("/", "").text().to_owned();
    let mut checked = 0;
    for attribute in ["href=\"", "src=\""] {
        for link in page.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
            if link.starts_with('#') || link.contains(':') {
                continue;
            }
            let status = client.get(&format!("/{}", link.trim_start_matches("./")), "").status;
            let expected = if link.contains("no/such") { 404 } else { 200 };
            assert_eq!(status, expected, "{link}");
            checked += 1;
        }
    }
    assert!(checked > 5, "the page has lost its links");
}

#[test]
fn each_line_of_the_numbers_has_its_byte_range() {
    let (_running, mut client) = www();
    let whole = client.get("/numbers.txt", "").text().to_owned();
    for number in [0, 20, 21, 255] {
        let (first, last) = (number * 32, number * 32 + 31);
        let line = client.get("/numbers.txt", &format!("Range: bytes={first}-{last}\r\n"));
        let place = format!("bytes {first}-{last}/{}", whole.len());
        assert_eq!(line.field("Content-Range"), Some(place.as_str()));
        assert!(line.text().starts_with(&place), "{}", line.text());
    }
}

#[test]
fn the_page_has_the_right_size_of_every_file() {
    let (_running, mut client) = www();
    let page = client.get("/", "").text().to_owned();
    let rows: Vec<&str> = page.split("<th scope=\"row\"><a href=\"").skip(1).collect();
    for row in &rows {
        let link = row.split('"').next().unwrap();
        let size = row.split("class=\"size\">").nth(1).unwrap().split('<').next().unwrap();
        if !link.ends_with('/') {
            let length = client.get(&format!("/{link}"), "").body.len().to_string();
            assert_eq!(size.replace(',', ""), length, "{link}");
        }
    }
    assert!(rows.len() > 5, "the page has lost its table");
}

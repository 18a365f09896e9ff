//! Content that is made from files: listings, tar archives, the page with the live-reload script.

use httpd::content::archive::header::TarHeader as Header;
use httpd::content::listing::{FolderEntry, Heading, ListingFormat, ListingQuery, write};
use httpd::content::mime::MimeTypes;
use httpd::live_reload::page as live_reload;
use httpd::proto::disposition::attachment;

/// A file name adds no markup to the page, in any order and view, and the JSON listing has the same names.
pub fn listing(data: &[u8]) {
    let mut names = data.split(|byte| matches!(byte, 0 | b'/'));
    let Ok(query) = ListingQuery::parse(names.next().unwrap_or_default()) else { return };
    let folder = names.next().unwrap_or_default();
    let names: Vec<&[u8]> = names.filter(|name| !matches!(*name, b"" | b"." | b"..")).take(30).collect();
    let html = page(query, ListingFormat::Html, folder, &names);
    assert!(!html.chars().any(|one| one.is_control() && one != '\n'), "a control character");
    // The same page with names of the same lengths and extensions that need no escaping.
    let plain_name = |name: &[u8]| -> Vec<u8> {
        name.iter().map(|byte| if byte.is_ascii_alphanumeric() || *byte == b'.' { *byte } else { b'_' }).collect()
    };
    let plain: Vec<Vec<u8>> = names.iter().map(|name| plain_name(name)).collect();
    let plain: Vec<&[u8]> = plain.iter().map(Vec::as_slice).collect();
    let plain = page(query, ListingFormat::Html, &plain_name(folder), &plain);
    for mark in ['<', '>', '"', '\'', '\n'] {
        assert_eq!(html.matches(mark).count(), plain.matches(mark).count(), "{mark:?} in {html}");
    }
    for link in html.split("href=\"").skip(1) {
        assert!(["./", "../", "#"].iter().any(|start| link.starts_with(start)), "an unexpected link: {link}");
    }
    let json = page(query, ListingFormat::Json, folder, &names);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let mut read: Vec<&str> = json.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    let mut names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
    read.sort_unstable();
    names.sort_unstable();
    assert_eq!(read, names);
    let types = MimeTypes::default();
    let content_type = types.of(data, Some(data));
    assert!(content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "not a field value: {content_type}");
}

fn page(query: ListingQuery, format: ListingFormat, folder: &[u8], names: &[&[u8]]) -> String {
    let entry = |name: &&[u8]| FolderEntry {
        name: name.to_vec(),
        is_folder: name.len().is_multiple_of(3),
        size: name.len() as u64 * 1_000_003,
        modified: i64::try_from(name.len()).unwrap_or(0) * 100_000_007,
    };
    let heading = Heading { host: b"example.com", relative: folder, query, types: &MimeTypes::default() };
    let mut out = Vec::new();
    write(&mut out, format, &heading, names.iter().map(entry).collect()).expect("memory");
    String::from_utf8(out).expect("a listing is text")
}

/// The script element is inserted before a `base` element, the last `</body` or the end of an HTML page, which is otherwise
/// unchanged; a page in UTF-16 and XML without either are left alone.
pub fn live_reload_page(data: &[u8]) {
    let element = live_reload::script_element(5, "../");
    let begins = |at: usize, tag: &str| {
        data[at..].get(..tag.len()).is_some_and(|text| text.eq_ignore_ascii_case(tag.as_bytes()))
    };
    let end_of_body = (0..data.len()).rev().find(|at| begins(*at, "</body"));
    for is_xml in [false, true] {
        let Some(injected) = live_reload::inject(data, &element, is_xml) else {
            let is_utf_16 = data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff");
            assert!(is_utf_16 || is_xml && end_of_body.is_none());
            continue;
        };
        let at_base = (0..data.len()).filter(|at| begins(*at, "<base"));
        let at_end = end_of_body.or((!is_xml).then_some(data.len()));
        let fits = |at: usize| injected == [&data[..at], element.as_bytes(), &data[at..]].concat();
        assert!(at_base.chain(at_end).any(fits), "{}", String::from_utf8_lossy(&injected));
    }
}

/// The crate tar reads the same values from the header; a name cannot leave its quotes in Content-Disposition.
pub fn archive(data: &[u8]) {
    let Some((numbers, name)) = data.split_first_chunk::<16>() else { return };
    let (size, modified) = numbers.split_at(8);
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let (size, modified) = (number(size) >> 1, number(modified) % (1 << 33));
    let value = attachment(name);
    assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && value.matches('"').count() == 2, "{value}");
    if name.is_empty() || name.contains(&0) {
        return;
    }
    let is_folder = name.ends_with(b"/");
    let size = if is_folder { 0 } else { size };
    let entry = Header { name, size, modified: modified.try_into().expect("33 bits"), executable: false };
    let mut archive = Vec::new();
    entry.write(&mut archive);
    let mut archive = tar::Archive::new(archive.as_slice());
    let read = archive.entries().expect("entries").next().expect("one").expect("a header");
    assert_eq!(read.path_bytes().as_ref(), name);
    assert_eq!((read.header().size().expect("a size"), read.header().mtime().expect("a time")), (size, modified));
    assert_eq!(read.header().entry_type().is_dir(), is_folder);
}

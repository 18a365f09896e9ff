//! What comes from this machine: names of files, configuration, words of a command line. Strangers have a hand in each: who
//! uploads a file names it, and lists of targets or accounts are made by other programs.
//!
//! Each function takes arbitrary bytes and panics when the code does, or when a property that it must have is broken.

use std::path::Path;

use common::{SafeText, values};
use httpd::content::archive::header::TarHeader as Header;
use httpd::content::listing::{FolderEntry, ListingFormat, Order, write};
use httpd::content::mime::MimeTypes;
use httpd::live_reload::page;
use httpd::proto::disposition::attachment;
use ping::family::Family;
use ping::multi::target_spec::{self, MAX_TARGETS, TargetSpec};
use smtp_send::account::file::{PathBases, read};
use smtp_send::net::address::Server;
use smtp_send::proto::dsn::{Envid, Notify};

/// A name of a file adds no markup to the page, however it is sorted, and a program reads the same names out of the JSON.
pub fn file_names(data: &[u8]) {
    let mut names = data.split(|byte| matches!(byte, 0 | b'/'));
    let (order, form) = Order::from_query(names.next().unwrap_or_default());
    let folder = names.next().unwrap_or_default();
    let names: Vec<&[u8]> = names.filter(|name| !matches!(*name, b"" | b"." | b"..")).take(30).collect();
    let page = |form, folder: &[u8], names: &[&[u8]]| {
        let entry = |name: &&[u8]| FolderEntry {
            name: name.to_vec(),
            is_folder: name.len() % 3 == 0,
            size: name.len() as u64 * 1_000_003,
            modified: i64::try_from(name.len()).unwrap_or(0) * 100_000_007,
        };
        let mut out = Vec::new();
        write(&mut out, form, folder, order, &mut names.iter().map(entry).collect::<Vec<_>>()).expect("memory");
        String::from_utf8(out).expect("a listing is text")
    };
    let html = page(form.unwrap_or(ListingFormat::Html), folder, &names);
    assert!(!html.chars().any(|one| one.is_control() && one != '\n'), "an order to a terminal");
    let html = page(ListingFormat::Html, folder, &names);
    // The same page with names of the same lengths in which nothing is to be escaped.
    let plain: Vec<Vec<u8>> = names.iter().map(|name| vec![b'x'; name.len()]).collect();
    let plain: Vec<&[u8]> = plain.iter().map(Vec::as_slice).collect();
    let plain = page(ListingFormat::Html, &vec![b'x'; folder.len()], &plain);
    for sign in ['<', '>', '"', '\'', '\n'] {
        assert_eq!(html.matches(sign).count(), plain.matches(sign).count(), "{sign:?} in {html}");
    }
    for link in html.split("href=\"").skip(1) {
        assert!(
            ["./", "../", "?sort=", "?download=tar"].iter().any(|start| link.starts_with(start)),
            "it leads elsewhere: {link}"
        );
    }
    let json: serde_json::Value = serde_json::from_str(&page(ListingFormat::Json, folder, &names)).expect("JSON");
    let mut read: Vec<&str> = json.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    let mut names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
    read.sort_unstable();
    names.sort_unstable();
    assert_eq!(read, names);
    let types = MimeTypes::default();
    let content_type = types.of(data);
    assert!(content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "not fit for a field: {content_type}");
}

/// A page with the script in it is the page and the script, and no end of a body stands in front of it that is the last.
pub fn page(data: &[u8]) {
    let Some(injected) = page::inject(data, 5) else { return };
    let element = page::script_element(5).into_bytes();
    assert_eq!(injected.len(), data.len() + element.len());
    let is_end = |at: &usize| data[*at..].get(..6).is_some_and(|tag| tag.eq_ignore_ascii_case(b"</body"));
    let place = (0..data.len()).rev().find(is_end).unwrap_or(data.len());
    assert_eq!(injected, [&data[..place], &element, &data[place..]].concat());
}

/// Another implementation reads of a tar header what was written, and a name cannot break out of Content-Disposition.
pub fn archive(data: &[u8]) {
    let Some((numbers, name)) = data.split_first_chunk::<16>() else { return };
    let (size, modified) = numbers.split_at(8);
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight octets"));
    let (size, modified) = (number(size) >> 1, number(modified) % (1 << 33));
    let value = attachment(name);
    assert!(value.bytes().all(|octet| (b' '..=b'~').contains(&octet)) && value.matches('"').count() == 2, "{value}");
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

/// A rate is its number times its unit, and a rate in plain bytes is read as itself.
pub fn rate(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(rate) = values::bytes_per_second(text) else { return };
    assert!(rate > 0);
    assert_eq!(values::bytes_per_second(&rate.to_string()), Ok(rate));
    let end = text.find(|byte: char| !byte.is_ascii_digit() && byte != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let first = unit.trim_start().chars().next().unwrap_or('b').to_ascii_uppercase();
    let power = "KMGT".find(first).map_or(0, |power| i32::try_from(power).unwrap() + 1);
    let exact = number.parse::<f64>().expect("a number") * 1024f64.powi(power);
    assert!((rate as f64 - exact).abs() <= 2.0 + exact * 1e-8, "{rate} for {text}");
}

/// What is shown is one harmless line, and nothing of it is ambiguous: the bytes can be told from it.
pub fn safe_text(data: &[u8]) {
    let shown = SafeText(data).to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    assert_eq!(shown.parse::<String>().map(|text| text.contains(['\u{202e}', '\u{2066}', '\u{feff}'])), Ok(false));
    if data.iter().all(|byte| (b' '..=b'~').contains(byte) && *byte != b'\\') {
        assert_eq!(shown.as_bytes(), data);
    }
    // Each byte is shown by itself, so a text that is shown in two pieces is the same.
    let middle = (0..=data.len() / 2).rev().find(|at| data[*at..].first().is_none_or(u8::is_ascii)).unwrap_or(0);
    let (first, second) = data.split_at(middle);
    assert_eq!(format!("{}{}", SafeText(first), SafeText(second)), shown);
}

/// A mistake is in a line that is there; an argument is that of its key, and no key says what a file may not.
pub fn account(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let places = PathBases { folder: Path::new("/etc/smtp-send"), home: Some(Path::new("/home/ann")) };
    match read(text, "default", places) {
        Ok((names, settings)) => {
            assert_eq!(settings.is_some(), names.iter().any(|name| name == "default"));
            for setting in settings.unwrap_or_default() {
                assert!((1..=text.lines().count()).contains(&setting.line), "{setting:?}");
                let Some(argument) = setting.argument else { continue };
                let argument = argument.into_string().expect("text");
                let rest = argument.strip_prefix(&format!("--{}", setting.key)).expect("the option of its key");
                assert!(rest.is_empty() || rest.starts_with('='), "{argument}");
            }
        }
        Err(mistake) => {
            assert!((1..=text.lines().count().max(1) + 1).contains(&mistake.line), "{mistake:?}");
            assert!(!mistake.what.is_empty() && !mistake.what.contains('\n'), "{mistake:?}");
        }
    }
}

/// A server that is understood is a host name or an address; wishes for reports fit into a command.
pub fn server(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(Server { host, port }) = Server::parse(&text) {
        assert!(!host.is_empty() && port != Some(0));
        assert!(!host.chars().any(|one| one.is_control() || one.is_whitespace()), "{host:?}");
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let again = if host.contains(':') { format!("[{host}]{port}") } else { format!("{host}{port}") };
        assert_eq!(Server::parse(&again).map(|server| server.host), Ok(host));
    }
    if let Some(envelope) = Envid::parse(&text) {
        let written = envelope.to_string();
        assert!(written.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'='), "{written}");
    }
    if let Some(notify) = Notify::parse(&text) {
        assert_eq!(Notify::parse(&notify.to_string()), Some(notify));
    }
}

/// A block has as many addresses as one run takes, none of them a group, all of one family.
pub fn target(data: &[u8]) {
    let word = String::from_utf8_lossy(data);
    let parsed = target_spec::parse(&word, None);
    let (first, count) = match parsed {
        Ok(TargetSpec::Address(first)) => (first, 1),
        Ok(TargetSpec::Block { first, count }) => {
            assert!(target_spec::is_block(&word));
            (first, count)
        }
        Ok(TargetSpec::Name(name)) => return assert_eq!(name, word),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!((1..=MAX_TARGETS).contains(&count), "{count}");
    let (one, other) = (target_spec::address(first), target_spec::address(first + u128::from(count - 1)));
    assert!(!one.is_multicast() && !other.is_multicast());
    assert_eq!(target_spec::number(one), first);
    let families = [Family::V4, Family::V6].map(|family| target_spec::parse(&word, Some(family)).is_ok());
    assert_eq!(families.iter().filter(|fits| **fits).count(), 1, "{word}: {families:?}");
}

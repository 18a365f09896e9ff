//! The listing of a folder, as HTML or JSON.
//!
//! Entries are read and sorted first; the text is rendered while it is sent, so a folder of 100,000 files needs little
//! memory. The page works without JavaScript, except for the filter box. Names are arbitrary bytes: escaped in text,
//! percent-encoded in links, which begin with `./` so that no name is an absolute URL.

mod entries;

use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use chrono::{DateTime, Local, SecondsFormat};
use common::json::JsonString;

use crate::content::BodySink;
use crate::content::files::Root;
use crate::content::routing::Site;
use crate::content::size::human_size;
use crate::proto::percent::percent_encode;

use entries::read_entries;
pub use entries::{Column, FolderEntry, Order};

const STYLE: &str = include_str!("listing/style.css");
const SCRIPT: &str = include_str!("listing/script.js");
/// The Content-Security-Policy of the page: its own style and script, by hash.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-JeE4B93kT2CtsUUMzpcsA2+YAABUwP7nNxAsXfOXwTA='; \
                          script-src 'sha256-pP1GhhOp0mrtmqhHzDsicsG7d9v49Zw1ndo1N/VAnhQ='; base-uri 'none'; form-action 'none'";

/// Bytes collected before they are sent.
const BUFFER_SIZE: usize = 32 * 1024;

/// The format of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingFormat {
    /// A page.
    Html,
    /// An array of objects: `name`, `type`, `size`, `modified`.
    Json,
}

impl ListingFormat {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// A listing to be rendered.
#[derive(Debug)]
pub struct FolderPage {
    /// The root, for links to other places inside it.
    pub root: Arc<Root>,
    /// The rules for names.
    pub site: Arc<Site>,
    /// The folder.
    pub folder: OwnedFd,
    /// Its path below the root.
    pub relative: Vec<u8>,
    /// The order of the entries.
    pub order: Order,
    /// The format.
    pub format: ListingFormat,
    /// A script element that is appended to the page; may be empty.
    pub script: Vec<u8>,
}

impl FolderPage {
    /// Reads the folder and writes the listing.
    pub(crate) fn write_to(self, sink: &mut impl BodySink) -> io::Result<()> {
        let Self { root, site, folder, relative, order, format, script } = self;
        let mut entries = read_entries(folder, &relative, &root, &site)?;
        let mut body = BufWriter::with_capacity(BUFFER_SIZE, SinkWriter(sink));
        write(&mut body, format, &relative, order, &mut entries)?;
        body.write_all(&script)?;
        body.flush()
    }
}

/// Sorts the entries and writes the listing of the folder at `relative`.
pub fn write(
    out: &mut impl Write,
    format: ListingFormat,
    relative: &[u8],
    order: Order,
    entries: &mut [FolderEntry],
) -> io::Result<()> {
    entries.sort_by(|a, b| order.compare(a, b));
    match format {
        ListingFormat::Html => write_html(out, relative, order, entries),
        ListingFormat::Json => write_json(out, entries),
    }
}

/// Adapts a [`BodySink`] to [`Write`].
struct SinkWriter<'a, S: BodySink>(&'a mut S);

impl<S: BodySink> Write for SinkWriter<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.bytes(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_html(out: &mut impl Write, relative: &[u8], order: Order, entries: &[FolderEntry]) -> io::Result<()> {
    let title = if relative.is_empty() { "/".to_owned() } else { format!("/{}/", escape(relative)) };
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<main>\n<header>\n<h1>"
    )?;
    write_breadcrumb(out, relative)?;
    write!(
        out,
        "</h1>\n<input type=\"search\" placeholder=\"Filter\" aria-label=\"Filter by name\" hidden>\n</header>\n\
         <table>\n<thead><tr>{}{}{}</tr></thead>\n<tbody>\n",
        order.heading(Column::Name, "Name"),
        order.heading(Column::Size, "Size"),
        order.heading(Column::Time, "Modified"),
    )?;
    if !relative.is_empty() {
        out.write_all(b"<tr><td><a class=\"d\" href=\"../\">..</a></td><td></td><td></td></tr>\n")?;
    }
    for entry in entries {
        write_row(out, entry)?;
    }
    let files = entries.iter().filter(|entry| !entry.is_folder);
    let total = files.clone().map(|entry| entry.size).sum();
    let (folders, files) = (entries.len() - files.clone().count(), files.count());
    write!(
        out,
        "</tbody>\n</table>\n<p>{folders} {}, {files} {}, {} \u{b7} <a href=\"?download=tar\">all of it as .tar</a></p>\n</main>\n<script>{SCRIPT}</script>\n</html>\n",
        if folders == 1 { "folder" } else { "folders" },
        if files == 1 { "file" } else { "files" },
        human_size(total),
    )
}

fn write_breadcrumb(out: &mut impl Write, relative: &[u8]) -> io::Result<()> {
    let segments: Vec<&[u8]> = relative.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()).collect();
    let up = |levels: usize| if levels == 0 { "./".to_owned() } else { "../".repeat(levels) };
    write!(out, "<a href=\"{}\" aria-label=\"root\">~</a>", up(segments.len()))?;
    for (depth, segment) in segments.iter().enumerate() {
        write!(out, "<span>/</span><a href=\"{}\">{}</a>", up(segments.len() - depth - 1), escape(segment))?;
    }
    Ok(())
}

fn write_row(out: &mut impl Write, entry: &FolderEntry) -> io::Result<()> {
    let mut link = Vec::with_capacity(entry.name.len() + 8);
    percent_encode(&entry.name, &mut link);
    let (class, slash) = if entry.is_folder { ("d", "/") } else { ("f", "") };
    out.write_all(b"<tr><td><a class=\"")?;
    out.write_all(class.as_bytes())?;
    out.write_all(b"\" href=\"./")?;
    out.write_all(&link)?;
    write!(out, "{slash}\">{}{slash}</a></td>", escape(&entry.name))?;
    if entry.is_folder {
        out.write_all(b"<td></td>")?;
    } else {
        write!(out, "<td title=\"{} bytes\">{}</td>", entry.size, human_size(entry.size))?;
    }
    let time = local_time(entry.modified);
    let stamp = time.map(|time| time.format("%Y-%m-%dT%H:%M:%S%:z").to_string()).unwrap_or_default();
    let short = time.map(|time| time.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    writeln!(out, "<td><time datetime=\"{stamp}\" title=\"{stamp}\">{short}</time></td></tr>")
}

fn local_time(seconds: i64) -> Option<DateTime<Local>> {
    DateTime::from_timestamp(seconds, 0).map(DateTime::<Local>::from)
}

/// Escapes text for HTML, also in double quotes; control characters become visible, invalid UTF-8 is replaced.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            // U+2400 and following are symbols for the control characters.
            '\0'..='\x1f' => text.extend(char::from_u32(0x2400 + u32::from(character))),
            '\x7f' => text.push('\u{2421}'),
            // Bidirectional overrides make one name look like another; C1 controls are terminal commands.
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => text.push('\u{fffd}'),
            _ => text.push(character),
        }
    }
    text
}

fn write_json(out: &mut impl Write, entries: &[FolderEntry]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (number, entry) in entries.iter().enumerate() {
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        let kind = if entry.is_folder { "folder" } else { "file" };
        write!(out, "{{\"name\":{},\"type\":\"{kind}\",\"size\":", JsonString(&entry.name))?;
        if entry.is_folder {
            out.write_all(b"null")?;
        } else {
            write!(out, "{}", entry.size)?;
        }
        match DateTime::from_timestamp(entry.modified, 0) {
            Some(time) => write!(out, ",\"modified\":\"{}\"}}", time.to_rfc3339_opts(SecondsFormat::Secs, true))?,
            None => out.write_all(b",\"modified\":null}")?,
        }
    }
    out.write_all(b"\n]\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine;

    fn entry(name: &str, is_folder: bool, size: u64) -> FolderEntry {
        FolderEntry { name: name.as_bytes().to_vec(), is_folder, size, modified: 1_700_000_000 }
    }

    fn html(relative: &str, entries: &[FolderEntry]) -> String {
        let mut out = Vec::new();
        write_html(&mut out, relative.as_bytes(), Order::default(), entries).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_policy_allows_exactly_the_style_and_the_script_of_the_page() {
        let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, text.as_bytes()));
        let (style, script) = (hash(STYLE), hash(SCRIPT));
        assert!(POLICY.contains(&format!("style-src 'sha256-{style}'")), "the hash of the style is {style}");
        assert!(POLICY.contains(&format!("script-src 'sha256-{script}'")), "the hash of the script is {script}");
    }

    #[test]
    fn names_are_escaped_as_text_and_encoded_as_links() {
        let page = html("", &[entry("<b>\"&'.txt", false, 1), entry("javascript:x", false, 1), entry("a\nb", true, 0)]);
        assert!(page.contains("href=\"./%3Cb%3E%22%26%27.txt\">&lt;b&gt;&quot;&amp;&#39;.txt</a>"), "{page}");
        assert!(page.contains("href=\"./javascript%3Ax\""), "{page}");
        assert!(page.contains("href=\"./a%0Ab/\">a\u{240a}b/</a>"), "{page}");
    }

    #[test]
    fn sizes_are_rounded_with_the_exact_number_as_title() {
        assert!(html("", &[entry("a", false, 1_234_567)]).contains("<td title=\"1234567 bytes\">1.2 MB</td>"));
    }

    #[test]
    fn the_breadcrumb_leads_to_every_folder_above() {
        let page = html("a/b", &[]);
        let expected = "<a href=\"../../\" aria-label=\"root\">~</a><span>/</span><a href=\"../\">a</a>\
                        <span>/</span><a href=\"./\">b</a>";
        assert!(page.contains(expected), "{page}");
    }

    #[test]
    fn json_names_type_size_and_time() {
        let mut out = Vec::new();
        write_json(&mut out, &[entry("d", true, 0), entry("a\"b", false, 5)]).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value[0]["type"], "folder");
        assert_eq!(value[0]["size"], serde_json::Value::Null);
        assert_eq!((&value[1]["name"], &value[1]["size"]), (&"a\"b".into(), &5.into()));
        assert_eq!(value[1]["modified"], "2023-11-14T22:13:20Z");
    }

    #[test]
    fn no_name_contains_terminal_control_characters_in_either_format() {
        let entries = [entry("a\u{7f}b\u{9b}2J\u{1b}c", false, 5)];
        let mut out = Vec::new();
        write_json(&mut out, &entries).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value[0]["name"], "a\u{7f}b\u{9b}2J\u{1b}c", "a JSON parser reads the original name");
        for text in [String::from_utf8(out).unwrap(), html("", &entries)] {
            assert!(!text.chars().any(|one| one.is_control() && one != '\n'), "{text:?}");
        }
    }
}

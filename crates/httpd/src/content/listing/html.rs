//! A listing for people. It works without JavaScript, except for the filter.
//!
//! Names are arbitrary bytes: escaped in text, percent-encoded in links, which begin with `./` so that no name is an
//! absolute URL. Sorting and the archive are buttons of forms, which programs that follow links do not press.

use std::io::{self, Write};

use chrono::{DateTime, Local};

use super::icon::{Icon, SYMBOLS};
use super::query::{Column, ListingQuery, View};
use super::{FolderEntry, SCRIPT, STYLE};
use crate::content::mime::MimeTypes;
use crate::content::path::last_segment;
use crate::content::size::human_size;
use crate::proto::percent::percent_encode;

/// What a page shows besides the entries.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// The host of the URL.
    pub host: &'a [u8],
    /// The path of the folder below the root.
    pub relative: &'a [u8],
    /// Order and view.
    pub query: ListingQuery,
    /// Types, for icons.
    pub types: &'a MimeTypes,
}

pub(super) fn write(out: &mut impl Write, heading: &Heading, entries: &[FolderEntry]) -> io::Result<()> {
    let title = escape(if heading.relative.is_empty() { heading.host } else { last_segment(heading.relative) });
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n{SYMBOLS}<main>\n"
    )?;
    write_breadcrumb(out, heading)?;
    writeln!(out, "<h1><bdi>{title}</bdi></h1>")?;
    write_bar(out, heading, entries)?;
    match heading.query.view {
        _ if entries.is_empty() => out.write_all(b"<p>This folder is empty.</p>\n")?,
        View::Table => write_table(out, heading, entries)?,
        View::Grid => write_grid(out, heading, entries)?,
    }
    writeln!(out, "</main>\n<script>{SCRIPT}</script>\n</html>")
}

/// Links to the folders above, beginning with the host.
fn write_breadcrumb(out: &mut impl Write, heading: &Heading) -> io::Result<()> {
    let Some(depth) = heading.relative.split(|byte| *byte == b'/').count().checked_sub(1) else { return Ok(()) };
    if heading.relative.is_empty() {
        return Ok(());
    }
    let query = heading.query.for_links();
    out.write_all(b"<nav aria-label=\"Folders above\"><ol>")?;
    let names = std::iter::once(heading.host).chain(heading.relative.split(|byte| *byte == b'/'));
    for (level, name) in names.take(depth + 1).enumerate() {
        let up = "../".repeat(depth + 1 - level);
        write!(out, "<li><a href=\"{up}{query}\"><bdi>{}</bdi></a></li>", escape(name))?;
    }
    out.write_all(b"</ol></nav>\n")
}

/// The number of entries, the filter, and buttons.
fn write_bar(out: &mut impl Write, heading: &Heading, entries: &[FolderEntry]) -> io::Result<()> {
    let files = entries.iter().filter(|entry| !entry.is_folder);
    let total = files.clone().map(|entry| entry.size).sum();
    let (folders, files) = (entries.len() - files.clone().count(), files.count());
    writeln!(
        out,
        "<div class=\"bar\"><p role=\"status\">{}, {}, {}</p>",
        counted(folders, "folder"),
        counted(files, "file"),
        human_size(total)
    )?;
    let sort = heading.query.order.value();
    let view =
        if heading.query.view == View::Grid { "<input type=\"hidden\" name=\"view\" value=\"grid\">" } else { "" };
    writeln!(
        out,
        "<form id=\"list\">{view}<input type=\"search\" name=\"filter\" placeholder=\"Filter (press /)\" \
         aria-label=\"Filter by name\" hidden disabled></form>"
    )?;
    let is_picture = |entry: &FolderEntry| icon(heading, entry) == Icon::Image;
    if heading.query.view == View::Grid || entries.iter().any(is_picture) {
        let (value, label) = if heading.query.view == View::Grid { ("table", "Table") } else { ("grid", "Pictures") };
        writeln!(
            out,
            "<form><input type=\"hidden\" name=\"sort\" value=\"{sort}\">\
             <button name=\"view\" value=\"{value}\">{label}</button></form>"
        )?;
    }
    out.write_all(b"<form><button name=\"download\" value=\"tar\">Download .tar</button></form></div>\n")
}

fn write_table(out: &mut impl Write, heading: &Heading, entries: &[FolderEntry]) -> io::Result<()> {
    out.write_all(
        b"<table aria-label=\"Files\"><colgroup><col><col class=\"s\"><col class=\"m\"></colgroup>\n<thead><tr>",
    )?;
    let order = heading.query.order;
    for (column, label) in [(Column::Name, "Name"), (Column::Size, "Size"), (Column::Time, "Modified")] {
        let state = order.state_of(column).map(|state| format!(" aria-sort=\"{state}\"")).unwrap_or_default();
        let value = order.after_click(column).value();
        write!(
            out,
            "<th scope=\"col\"{state}><button form=\"list\" name=\"sort\" value=\"{value}\">{label}</button></th>"
        )?;
    }
    out.write_all(b"</tr></thead>\n<tbody>\n")?;
    for entry in entries {
        out.write_all(b"<tr><th scope=\"row\">")?;
        write_link(out, heading, entry)?;
        if entry.is_folder {
            out.write_all(b"</th><td>\xe2\x80\x93</td>")?;
        } else {
            write!(out, "</th><td title=\"{} bytes\">{}</td>", entry.size, human_size(entry.size))?;
        }
        let time = local_time(entry.modified);
        let stamp = time.map(|time| time.format("%Y-%m-%dT%H:%M:%S%:z").to_string()).unwrap_or_default();
        let short = time.map(|time| time.format("%-d %b %Y, %H:%M").to_string()).unwrap_or_default();
        writeln!(out, "<td><time datetime=\"{stamp}\" title=\"{stamp}\">{short}</time></td></tr>")?;
    }
    out.write_all(b"</tbody>\n</table>\n")
}

fn write_grid(out: &mut impl Write, heading: &Heading, entries: &[FolderEntry]) -> io::Result<()> {
    out.write_all(b"<ul class=\"grid\" aria-label=\"Files\">\n")?;
    for entry in entries {
        out.write_all(b"<li>")?;
        write_link(out, heading, entry)?;
        out.write_all(b"</li>\n")?;
    }
    out.write_all(b"</ul>\n")
}

/// The link to an entry: an icon, or in a grid the picture, and the name.
fn write_link(out: &mut impl Write, heading: &Heading, entry: &FolderEntry) -> io::Result<()> {
    let mut link = b"./".to_vec();
    percent_encode(&entry.name, &mut link);
    let (slash, query) = if entry.is_folder { ("/", heading.query.for_links()) } else { ("", String::new()) };
    let icon = icon(heading, entry);
    write!(out, "<a class=\"{}\" href=\"", icon.id())?;
    out.write_all(&link)?;
    write!(out, "{slash}{query}\">")?;
    if icon == Icon::Image && heading.query.view == View::Grid {
        out.write_all(b"<img loading=\"lazy\" alt=\"\" src=\"")?;
        out.write_all(&link)?;
        out.write_all(b"\">")?;
    } else {
        write!(out, "<svg aria-hidden=\"true\"><use href=\"#{}\"/></svg>", icon.id())?;
    }
    write!(out, "<span><bdi>{}</bdi>{slash}</span></a>", escape(&entry.name))
}

fn icon(heading: &Heading, entry: &FolderEntry) -> Icon {
    if entry.is_folder { Icon::Folder } else { Icon::of_file(heading.types, heading.relative, &entry.name) }
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, is_folder: bool, size: u64) -> FolderEntry {
        FolderEntry { name: name.as_bytes().to_vec(), is_folder, size, modified: 1_700_000_000 }
    }

    fn html(relative: &str, query: &str, entries: &[FolderEntry]) -> String {
        let query = ListingQuery::parse(query.as_bytes()).unwrap();
        let heading = Heading { host: b"h:1", relative: relative.as_bytes(), query, types: &MimeTypes::default() };
        let mut out = Vec::new();
        write(&mut out, &heading, entries).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_are_escaped_as_text_and_encoded_as_links() {
        let entries = [entry("<b>\"&'.txt", false, 1), entry("javascript:x", false, 1), entry("a\nb", true, 0)];
        let page = html("", "", &entries);
        assert!(page.contains("href=\"./%3Cb%3E%22%26%27.txt\">"), "{page}");
        assert!(page.contains("<bdi>&lt;b&gt;&quot;&amp;&#39;.txt</bdi>"), "{page}");
        assert!(page.contains("href=\"./javascript%3Ax\""), "{page}");
        assert!(page.contains("href=\"./a%0Ab/\">") && page.contains("<bdi>a\u{240a}b</bdi>/"), "{page}");
    }

    #[test]
    fn sizes_are_rounded_with_the_exact_number_as_title() {
        assert!(html("", "", &[entry("a", false, 1_234_567)]).contains("<td title=\"1234567 bytes\">1.2 MB</td>"));
    }

    #[test]
    fn the_breadcrumb_leads_to_every_folder_above() {
        let page = html("a/<b>/c", "", &[]);
        let expected = "<ol><li><a href=\"../../../\"><bdi>h:1</bdi></a></li><li><a href=\"../../\"><bdi>a</bdi></a></li>\
                        <li><a href=\"../\"><bdi>&lt;b&gt;</bdi></a></li></ol></nav>\n<h1><bdi>c</bdi></h1>";
        assert!(page.contains(expected), "{page}");
        assert!(page.contains("This folder is empty.") && !page.contains("<table"));
        let root = html("", "", &[]);
        assert!(root.contains("<h1><bdi>h:1</bdi></h1>") && !root.contains("<nav"), "{root}");
    }

    #[test]
    fn order_and_view_are_kept_in_links_to_folders_only() {
        let page = html("a", "sort=size-desc&view=grid", &[entry("d", true, 0), entry("x.jpg", false, 1)]);
        assert!(page.contains("href=\"../?sort=size-desc&amp;view=grid\""), "{page}");
        assert!(
            page.contains("href=\"./d/?sort=size-desc&amp;view=grid\"") && page.contains("href=\"./x.jpg\""),
            "{page}"
        );
        assert!(page.contains("<img loading=\"lazy\" alt=\"\" src=\"./x.jpg\">"), "{page}");
    }

    #[test]
    fn the_only_links_are_those_to_entries_and_folders_above() {
        let page = html("a", "", &[entry("x", false, 1)]);
        let links: Vec<&str> = page.split("<a ").skip(1).map(|link| link.split('>').next().unwrap()).collect();
        assert_eq!(links, ["href=\"../\"", "class=\"t\" href=\"./x\""]);
    }

    #[test]
    fn no_name_contains_terminal_control_characters() {
        let page = html("", "", &[entry("a\u{7f}b\u{9b}2J\u{1b}c", false, 5)]);
        assert!(!page.chars().any(|one| one.is_control() && one != '\n'), "{page:?}");
    }
}

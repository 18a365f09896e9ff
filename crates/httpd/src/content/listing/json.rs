//! A listing for programs: an array of objects with `name`, `type`, `size`, `modified`, `href`.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat};
use common::json::JsonString;

use super::FolderEntry;
use crate::proto::percent::percent_encode;

pub(super) fn write(out: &mut impl Write, entries: &[FolderEntry]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (number, entry) in entries.iter().enumerate() {
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        write_entry(out, entry)?;
    }
    out.write_all(b"\n]\n")
}

fn write_entry(out: &mut impl Write, entry: &FolderEntry) -> io::Result<()> {
    // Begins with a dot, so that no name is an absolute URL; the encoded name needs no escapes in JSON.
    let mut href = b"./".to_vec();
    percent_encode(&entry.name, &mut href);
    let (kind, slash) = if entry.is_folder { ("folder", "/") } else { ("file", "") };
    write!(out, "{{\"name\":{},\"type\":\"{kind}\",\"size\":", JsonString(&entry.name))?;
    if entry.is_folder {
        out.write_all(b"null")?;
    } else {
        write!(out, "{}", entry.size)?;
    }
    match DateTime::from_timestamp(entry.modified, 0) {
        Some(time) => write!(out, ",\"modified\":\"{}\"", time.to_rfc3339_opts(SecondsFormat::Secs, true))?,
        None => out.write_all(b",\"modified\":null")?,
    }
    out.write_all(b",\"href\":\"")?;
    out.write_all(&href)?;
    write!(out, "{slash}\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_name_reference_type_size_and_time() {
        let entry = |name: &str, is_folder, size| FolderEntry {
            name: name.as_bytes().to_vec(),
            is_folder,
            size,
            modified: 1_700_000_000,
        };
        let mut out = Vec::new();
        write(&mut out, &[entry("d", true, 0), entry("a\"b c", false, 5)]).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&value[0]["type"], &value[0]["href"]), (&"folder".into(), &"./d/".into()));
        assert_eq!(value[0]["size"], serde_json::Value::Null);
        assert_eq!((&value[1]["name"], &value[1]["size"]), (&"a\"b c".into(), &5.into()));
        assert_eq!(value[1]["href"], "./a%22b%20c");
        assert_eq!(value[1]["modified"], "2023-11-14T22:13:20Z");
    }
}

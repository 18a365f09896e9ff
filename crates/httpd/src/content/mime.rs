//! Content types by file name: `--mime` first, then a table of this program, then `mime_guess`.
//!
//! Text is declared as UTF-8.

use std::borrow::Cow;
use std::collections::HashMap;

/// Extensions for which `mime_guess` is wrong or has no type.
const OWN: [(&str, &str); 12] = [
    ("cjs", "text/javascript"),
    ("gz", "application/gzip"),
    ("js", "text/javascript"),
    ("log", "text/plain"),
    ("map", "application/json"),
    ("mjs", "text/javascript"),
    ("rs", "text/plain"),
    ("ts", "text/plain"),
    ("tsx", "text/plain"),
    ("webmanifest", "application/manifest+json"),
    ("whl", "application/zip"),
    ("zst", "application/zstd"),
];

/// Names without an extension that are text.
const TEXT_NAMES: [&str; 8] =
    ["AUTHORS", "CHANGELOG", "COPYING", "Dockerfile", "LICENSE", "Makefile", "README", "SHA256SUMS"];

/// The type of unknown files, which browsers offer to save.
const UNKNOWN: &str = "application/octet-stream";

/// The table of content types.
#[derive(Debug, Default)]
pub struct MimeTypes {
    overrides: HashMap<String, String>,
}

impl MimeTypes {
    /// A table with overrides: lower-case extension without dot, and type.
    pub fn new(overrides: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { overrides: overrides.into_iter().collect() }
    }

    /// The content type for a file of this path.
    pub fn of(&self, path: &[u8]) -> Cow<'_, str> {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let Some((_, extension)) = name.rsplit_once('.') else {
            let is_text = TEXT_NAMES.contains(&name.as_ref());
            return with_charset(if is_text { "text/plain" } else { UNKNOWN });
        };
        let extension = extension.to_ascii_lowercase();
        if let Some(content_type) = self.overrides.get(&extension) {
            return Cow::Borrowed(content_type);
        }
        let own = OWN.iter().find(|(known, _)| *known == extension).map(|(_, media_type)| *media_type);
        with_charset(own.or_else(|| mime_guess::from_ext(&extension).first_raw()).unwrap_or(UNKNOWN))
    }
}

fn with_charset(media_type: &'static str) -> Cow<'static, str> {
    if media_type.starts_with("text/") {
        Cow::Owned(format!("{media_type}; charset=utf-8"))
    } else {
        Cow::Borrowed(media_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> String {
        MimeTypes::default().of(path.as_bytes()).into_owned()
    }

    #[test]
    fn text_is_utf_8_and_images_have_no_charset() {
        assert_eq!(of("a/index.html"), "text/html; charset=utf-8");
        assert_eq!(of("STYLE.CSS"), "text/css; charset=utf-8");
        assert_eq!(of("a.png"), "image/png");
        assert_eq!(of("a.svg"), "image/svg+xml");
        assert_eq!(of("a.wasm"), "application/wasm");
        assert_eq!(of("a.json"), "application/json");
    }

    #[test]
    fn modules_are_javascript_and_typescript_is_text() {
        assert_eq!(of("m.mjs"), "text/javascript; charset=utf-8");
        assert_eq!(of("m.ts"), "text/plain; charset=utf-8");
    }

    #[test]
    fn unknown_files_are_octet_streams_and_known_names_are_text() {
        assert_eq!(of("a.unknown-thing"), "application/octet-stream");
        assert_eq!(of("program"), "application/octet-stream");
        assert_eq!(of("docs/README"), "text/plain; charset=utf-8");
        assert_eq!(of("v1.2/program"), "application/octet-stream");
    }

    #[test]
    fn an_override_is_used_unchanged() {
        let types = MimeTypes::new([("txt".to_owned(), "text/x-mine".to_owned())]);
        assert_eq!(types.of(b"a.TXT"), "text/x-mine");
    }
}

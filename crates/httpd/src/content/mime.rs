//! Content types: `--mime` first, then a table of this program, then `mime_guess`.
//!
//! The name of a file decides; its first bytes decide where a name is ambiguous, and about the character encoding of text.
//! XML declares its own encoding.

mod sniff;
mod table;

use std::borrow::Cow;

use crate::content::glob::PathPattern;
use crate::content::path::last_segment;
use crate::proto::negotiate::Coding;

/// Bytes at the start of a file that may be examined.
pub const MAX_SNIFF: usize = 4096;

/// The type of unknown files, which browsers offer to save.
const UNKNOWN: &str = "application/octet-stream";

/// The rules for content types.
#[derive(Debug, Default)]
pub struct MimeTypes {
    /// Types by pattern; the last one that matches wins.
    pub overrides: Vec<(PathPattern, String)>,
    /// The type of files without a known one.
    pub default: Option<String>,
    /// Files that are compressed and sent with their coding in Content-Encoding.
    pub encoded: Vec<PathPattern>,
}

/// What the name of a file says about its type.
#[derive(Debug, PartialEq, Eq)]
pub enum TypeByName<'a> {
    /// The type is known.
    Known(&'a str),
    /// Text; its encoding is in the content.
    Text(&'static str),
    /// HTML, which may declare its encoding.
    Html(&'static str),
    /// TypeScript or an MPEG transport stream.
    TypeScript,
    /// A name without extension: text or binary.
    NoExtension,
}

impl MimeTypes {
    /// The type by the path alone, and the coding in which such a file is stored.
    pub fn by_name(&self, path: &[u8]) -> (TypeByName<'_>, Option<Coding>) {
        let coding = self.stored_coding(path);
        let path = match coding {
            Some(coding) if !is_svgz(path) => path.strip_suffix(coding.suffix().as_bytes()).unwrap_or(path),
            _ => path,
        };
        (self.type_of(path), coding)
    }

    fn type_of(&self, path: &[u8]) -> TypeByName<'_> {
        if let Some((_, media_type)) = self.overrides.iter().rev().find(|(pattern, _)| pattern.matches(path)) {
            return TypeByName::Known(media_type);
        }
        if let Some(media_type) = table::by_path(path) {
            return TypeByName::Known(media_type);
        }
        let Some(extension) = extension(path) else { return TypeByName::NoExtension };
        match table::by_extension(&extension) {
            _ if matches!(extension.as_str(), "ts" | "mts" | "cts") => TypeByName::TypeScript,
            Some("text/html") => TypeByName::Html("text/html"),
            Some("text/xml") => TypeByName::Known("application/xml"),
            Some(text) if text.starts_with("text/") => TypeByName::Text(text),
            Some(media_type) => TypeByName::Known(media_type),
            None => TypeByName::Known(self.unknown()),
        }
    }

    /// The type of a file at `path` with this content; `start` is its first bytes, `None` if they are not known.
    pub fn of(&self, path: &[u8], start: Option<&[u8]>) -> Cow<'_, str> {
        let (by_name, coding) = self.by_name(path);
        let start = start.filter(|_| coding.is_none());
        let text = |media_type: &'static str| match start {
            Some(start) if !sniff::is_utf_8(start, start.len() < MAX_SNIFF) => Cow::Borrowed(media_type),
            _ => Cow::Owned(format!("{media_type}; charset=utf-8")),
        };
        match (by_name, start) {
            (TypeByName::Known(media_type), _) => Cow::Borrowed(media_type),
            (TypeByName::Html(html), Some(start)) if sniff::declares_other_charset(start) => Cow::Borrowed(html),
            (TypeByName::Html(html), _) => Cow::Owned(format!("{html}; charset=utf-8")),
            (TypeByName::Text(media_type), _) => text(media_type),
            (TypeByName::TypeScript, Some(start)) if sniff::is_mpeg_ts(start) => Cow::Borrowed("video/mp2t"),
            (TypeByName::TypeScript, _) => text("text/plain"),
            (TypeByName::NoExtension, Some(start)) if sniff::is_text(start) => text("text/plain"),
            (TypeByName::NoExtension, _) => Cow::Borrowed(self.unknown()),
        }
    }

    /// Whether a path has a known type.
    pub fn is_known(&self, path: &[u8]) -> bool {
        self.overrides.iter().any(|(pattern, _)| pattern.matches(path))
            || extension(path).is_some_and(|extension| table::by_extension(&extension).is_some())
    }

    /// The coding in which a file is stored, to be named in Content-Encoding.
    fn stored_coding(&self, path: &[u8]) -> Option<Coding> {
        if is_svgz(path) {
            return Some(Coding::Gzip);
        }
        if !self.encoded.iter().any(|pattern| pattern.matches(path)) {
            return None;
        }
        Coding::ALL.into_iter().find(|coding| path.ends_with(coding.suffix().as_bytes()))
    }

    fn unknown(&self) -> &str {
        self.default.as_deref().unwrap_or(UNKNOWN)
    }
}

impl TypeByName<'_> {
    /// Whether the type depends on the content.
    pub fn needs_content(&self) -> bool {
        !matches!(self, Self::Known(_))
    }
}

fn is_svgz(path: &[u8]) -> bool {
    path.len() > 5 && path.get(path.len() - 5..).is_some_and(|end| end.eq_ignore_ascii_case(b".svgz"))
}

/// The extension of a file name in lower case; a dot at the start of a name begins no extension.
fn extension(path: &[u8]) -> Option<String> {
    let name = last_segment(path);
    let dot = memchr::memrchr(b'.', name).filter(|dot| *dot > 0)?;
    Some(String::from_utf8_lossy(name.get(dot + 1..)?).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> String {
        MimeTypes::default().of(path.as_bytes(), Some(b"text")).into_owned()
    }

    fn sniffed(path: &str, start: &[u8]) -> String {
        MimeTypes::default().of(path.as_bytes(), Some(start)).into_owned()
    }

    fn pattern(text: &str) -> PathPattern {
        PathPattern::of_type(text)
    }

    #[test]
    fn text_in_utf_8_says_so_and_images_have_no_charset() {
        assert_eq!(of("a/index.html"), "text/html; charset=utf-8");
        assert_eq!(of("STYLE.CSS"), "text/css; charset=utf-8");
        assert_eq!(of("a.png"), "image/png");
        assert_eq!(of("a.svg"), "image/svg+xml");
        assert_eq!(of("a.wasm"), "application/wasm");
        assert_eq!(of("a.json"), "application/json");
        assert_eq!(sniffed("a.css", b"caf\xe9"), "text/css");
        assert_eq!(MimeTypes::default().of(b"a.css", None), "text/css; charset=utf-8");
    }

    #[test]
    fn xml_declares_its_own_encoding_and_html_may() {
        for (path, media_type) in
            [("a.xml", "application/xml"), ("a.xsd", "application/xml"), ("a.xhtml", "application/xhtml+xml")]
        {
            assert_eq!(sniffed(path, b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>"), media_type);
        }
        assert_eq!(sniffed("a.html", b"<meta charset=latin1>\xe9"), "text/html");
        assert_eq!(sniffed("a.html", b"<p>\xe9"), "text/html; charset=utf-8");
    }

    #[test]
    fn modules_are_javascript_and_typescript_is_text_unless_it_is_a_video() {
        assert_eq!(of("m.mjs"), "text/javascript; charset=utf-8");
        let mut stream = vec![0; 4096];
        (stream[0], stream[188]) = (0x47, 0x47);
        for name in ["m.ts", "m.mts", "m.cts"] {
            assert_eq!((of(name), sniffed(name, &stream)), ("text/plain; charset=utf-8".into(), "video/mp2t".into()));
        }
    }

    #[test]
    fn files_without_a_known_extension_are_octet_streams_unless_they_are_text_without_extension() {
        assert_eq!(of("a.unknown-thing"), "application/octet-stream");
        assert_eq!(sniffed("v1.2/program", b"\x7fELF\x02\x01\x01\0"), "application/octet-stream");
        for name in ["program", "docs/README", "LICENSE", ".gitignore"] {
            assert_eq!(of(name), "text/plain; charset=utf-8");
        }
        assert_eq!(sniffed("README", b"caf\xe9"), "text/plain");
        let types = MimeTypes { default: Some("text/html".to_owned()), ..MimeTypes::default() };
        assert_eq!(types.of(b"a.unknown-thing", Some(b"text")), "text/html");
        assert_eq!(types.of(b"a.txt", Some(b"text")), "text/plain; charset=utf-8");
    }

    #[test]
    fn the_last_override_that_matches_is_used_unchanged() {
        let overrides = [("txt", "text/x-mine"), ("*.d.ts", "text/x-types"), ("LICENSE", "text/x-license")];
        let overrides = overrides.map(|(text, media_type)| (pattern(text), media_type.to_owned())).to_vec();
        let types = MimeTypes { overrides, ..MimeTypes::default() };
        assert_eq!(types.of(b"a.TXT", None), "text/x-mine");
        assert_eq!(types.of(b"x/a.d.ts", None), "text/x-types");
        assert_eq!(types.of(b"a.ts", None), "text/plain; charset=utf-8");
        assert_eq!(types.of(b"x/LICENSE", None), "text/x-license");
        assert!(types.is_known(b"a.d.ts") && types.is_known(b"a.JS") && !types.is_known(b"john.doe"));
    }

    #[test]
    fn compressed_builds_have_the_type_of_their_content() {
        let types = MimeTypes { encoded: vec![PathPattern::new("Build/**")], ..MimeTypes::default() };
        let of = |path: &str| (types.of(path.as_bytes(), Some(b"x")).into_owned(), types.by_name(path.as_bytes()).1);
        assert_eq!(of("Build/a/x.wasm.br"), ("application/wasm".to_owned(), Some(Coding::Brotli)));
        assert_eq!(of("Build/x.js.gz"), ("text/javascript; charset=utf-8".to_owned(), Some(Coding::Gzip)));
        assert_eq!(of("x.tar.gz"), ("application/gzip".to_owned(), None));
        assert_eq!(of("Build/x.js"), ("text/javascript; charset=utf-8".to_owned(), None));
        assert_eq!(of("logo.SVGZ"), ("image/svg+xml".to_owned(), Some(Coding::Gzip)));
    }
}

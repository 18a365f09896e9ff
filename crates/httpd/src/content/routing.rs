//! The rules of a site: which file answers a path, and with which fields. No I/O.
//!
//! [`Site::find`] looks up paths through a function argument, so all rules are in one place.

use std::borrow::Cow;

use crate::content::mime::MimeTypes;
use crate::content::representation::Representation;
use crate::proto::negotiate::Coding;
use crate::proto::response;
use crate::proto::target::Path;

/// The name of the site's own page for missing files.
pub const NOT_FOUND_PAGE: &[u8] = b"404.html";

/// The rules of a site, from the command line.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option of the command line")]
pub struct Site {
    /// Index file names; the first one that exists wins.
    pub index: Vec<Vec<u8>>,
    /// Whether a folder without an index file is listed.
    pub listing: bool,
    /// Whether names that begin with a dot are served.
    pub hidden: bool,
    /// The file that answers unknown paths without an extension.
    pub spa: Option<Vec<u8>>,
    /// Whether `/about` may be answered by `about.html`.
    pub clean_urls: bool,
    /// Whether precompressed variants are used.
    pub precompressed: bool,
    /// Whether text without a precompressed variant is compressed.
    pub compress: bool,
    /// The content types.
    pub types: MimeTypes,
    /// The value of Cache-Control by path.
    pub cache: CacheRules,
    /// Whether CORS preflight requests are allowed.
    pub cors: bool,
    /// Complete field lines of every response.
    pub extra_headers: Vec<u8>,
}

/// What is at a path.
#[derive(Debug)]
pub enum PathKind<F> {
    /// A regular file.
    File(F),
    /// A folder.
    Folder,
    /// Nothing.
    Absent,
}

/// What answers a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Resolved<F> {
    /// This file.
    File(F),
    /// The listing of the folder.
    Listing,
    /// A redirect to the same path with a final slash.
    AddSlash,
    /// 404, with the site's own page if there is one.
    Missing(Option<F>),
}

impl Default for Site {
    /// The rules without options.
    fn default() -> Self {
        Self {
            index: vec![b"index.html".to_vec()],
            listing: true,
            hidden: false,
            spa: None,
            clean_urls: false,
            precompressed: true,
            compress: false,
            types: MimeTypes::default(),
            cache: CacheRules::default(),
            cors: false,
            extra_headers: Vec::new(),
        }
    }
}

impl Site {
    /// Resolves `path`; `look` returns what is at a relative path.
    pub fn find<F, E>(
        &self,
        path: &Path,
        mut look: impl FnMut(&[u8]) -> Result<PathKind<F>, E>,
    ) -> Result<Resolved<F>, E> {
        let relative = path.relative();
        if self.hides(path) {
            return missing(look);
        }
        if path.is_folder {
            for index in &self.index {
                if let PathKind::File(file) = look(&join(relative, index))? {
                    return Ok(Resolved::File(file));
                }
            }
            if self.listing && matches!(look(relative)?, PathKind::Folder) {
                return Ok(Resolved::Listing);
            }
        } else {
            match look(relative)? {
                PathKind::File(file) => return Ok(Resolved::File(file)),
                PathKind::Folder => return Ok(Resolved::AddSlash),
                PathKind::Absent => {}
            }
            if self.clean_urls
                && let PathKind::File(file) = look(&[relative, b".html"].concat())?
            {
                return Ok(Resolved::File(file));
            }
        }
        if let Some(fallback) = &self.spa
            && !has_extension(relative)
            && let PathKind::File(file) = look(fallback)?
        {
            return Ok(Resolved::File(file));
        }
        missing(look)
    }

    /// Whether a segment of the path is a dot-file, except `/.well-known/` (RFC 8615).
    pub(crate) fn hides(&self, path: &Path) -> bool {
        let is_hidden =
            |(depth, segment): (usize, &[u8])| self.hides_name(segment) && !(depth == 0 && segment == b".well-known");
        path.segments().enumerate().any(is_hidden)
    }

    /// Whether listings omit an entry of this name.
    pub fn hides_name(&self, name: &[u8]) -> bool {
        !self.hidden && name.starts_with(b".")
    }

    /// The representation of the file at `path` in `coding`.
    pub fn representation(
        &self,
        path: &[u8],
        coding: Option<Coding>,
        size: u64,
        etag: Vec<u8>,
        modified: Option<i64>,
    ) -> Representation {
        let cache_control = self.cache.of(path).to_owned();
        let mut fields = Vec::new();
        if self.precompressed || self.compress {
            // Also without a compressed variant: one may appear later, and caches must know.
            response::field(&mut fields, "Vary", "Accept-Encoding");
        }
        fields.extend_from_slice(&self.extra_headers);
        Representation {
            size,
            etag,
            modified,
            content_type: self.types.of(path).into_owned(),
            coding,
            ranges: true,
            cache_control,
            fields,
        }
    }
}

fn missing<F, E>(mut look: impl FnMut(&[u8]) -> Result<PathKind<F>, E>) -> Result<Resolved<F>, E> {
    Ok(match look(NOT_FOUND_PAGE)? {
        PathKind::File(page) => Resolved::Missing(Some(page)),
        _ => Resolved::Missing(None),
    })
}

/// The path of `name` in the folder `relative`.
pub fn join(relative: &[u8], name: &[u8]) -> Vec<u8> {
    if relative.is_empty() { name.to_vec() } else { [relative, b"/", name].concat() }
}

/// The path of the precompressed variant of `path`, or `path` itself.
pub fn with_suffix(path: &[u8], coding: Option<Coding>) -> Cow<'_, [u8]> {
    match coding {
        None => Cow::Borrowed(path),
        Some(coding) => Cow::Owned([path, coding.suffix().as_bytes()].concat()),
    }
}

fn has_extension(relative: &[u8]) -> bool {
    relative.rsplit(|byte| *byte == b'/').next().is_some_and(|name| name.contains(&b'.'))
}

/// Cache-Control by path; the last rule that matches wins.
#[derive(Debug, Default)]
pub struct CacheRules(Vec<(Vec<u8>, String)>);

impl CacheRules {
    /// Caches store it and revalidate every time: never stale, and a 304 is cheap.
    const DEFAULT: &'static str = "no-cache";

    /// Rules in order: a glob for the path (without the leading slash) or the file name, and the value.
    pub fn new(rules: Vec<(String, String)>) -> Self {
        Self(rules.into_iter().map(|(glob, value)| (glob.into_bytes(), value)).collect())
    }

    fn of(&self, path: &[u8]) -> &str {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let matches = |glob: &[u8]| {
            let glob = glob.strip_prefix(b"/").unwrap_or(glob);
            glob_matches(glob, if glob.contains(&b'/') { path } else { name })
        };
        self.0.iter().rev().find(|(glob, _)| matches(glob)).map_or(Self::DEFAULT, |(_, value)| value)
    }
}

/// Whether `text` matches `glob`: `*` is any run of bytes within a segment, `**` across segments, `?` one byte.
///
/// A mismatch resumes after the last `*` or else the last `**`, so the time is at most the product of the lengths.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let (mut star, mut double_star) = (None, None);
    loop {
        match (glob.get(at..).unwrap_or_default(), text.get(position)) {
            ([b'*', b'*', ..], _) => {
                at += 2;
                (star, double_star) = (None, Some((at, position)));
                continue;
            }
            ([b'*', ..], _) => {
                at += 1;
                star = Some((at, position));
                continue;
            }
            ([], None) => return true,
            ([wanted, ..], Some(byte)) if wanted == byte || (*wanted == b'?' && *byte != b'/') => {
                (at, position) = (at + 1, position + 1);
                continue;
            }
            _ => {}
        }
        match (star, double_star) {
            (Some((after, start)), _) if text.get(start).is_some_and(|byte| *byte != b'/') => {
                (at, position) = (after, start + 1);
                star = Some((at, position));
            }
            (_, Some((after, start))) if start < text.len() => {
                (at, position) = (after, start + 1);
                (star, double_star) = (None, Some((at, position)));
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::target::decode_path;
    use std::convert::Infallible;

    /// Resolves `raw` in a site of these files.
    fn found(site: &Site, files: &[&str], raw: &str) -> Resolved<String> {
        let look = |path: &[u8]| -> Result<PathKind<String>, Infallible> {
            let path = String::from_utf8(path.to_vec()).unwrap();
            Ok(if files.contains(&path.as_str()) {
                PathKind::File(path)
            } else if path.is_empty() || files.iter().any(|file| file.starts_with(&format!("{path}/"))) {
                PathKind::Folder
            } else {
                PathKind::Absent
            })
        };
        site.find(&decode_path(raw.as_bytes()).unwrap(), look).unwrap()
    }

    fn file(name: &str) -> Resolved<String> {
        Resolved::File(name.to_owned())
    }

    const FILES: [&str; 7] =
        ["index.html", "a.txt", "docs/index.html", "plain/x", ".secret", ".well-known/token", "about.html"];

    #[test]
    fn files_indexes_listings_and_redirects() {
        let site = Site::default();
        assert_eq!(found(&site, &FILES, "/"), file("index.html"));
        assert_eq!(found(&site, &FILES, "/a.txt"), file("a.txt"));
        assert_eq!(found(&site, &FILES, "/docs/"), file("docs/index.html"));
        assert_eq!(found(&site, &FILES, "/docs"), Resolved::AddSlash);
        assert_eq!(found(&site, &FILES, "/plain/"), Resolved::Listing);
        assert_eq!(found(&site, &FILES, "/a.txt/"), Resolved::Missing(None));
        assert_eq!(found(&site, &FILES, "/nothing"), Resolved::Missing(None));
    }

    #[test]
    fn a_site_may_have_its_own_page_for_missing_files() {
        assert_eq!(found(&Site::default(), &["404.html"], "/nothing"), Resolved::Missing(Some("404.html".to_owned())));
    }

    #[test]
    fn dot_files_are_missing_except_below_well_known() {
        let mut site = Site::default();
        assert_eq!(found(&site, &FILES, "/.secret"), Resolved::Missing(None));
        assert_eq!(found(&site, &FILES, "/docs/.git/config"), Resolved::Missing(None));
        assert_eq!(found(&site, &FILES, "/.well-known/token"), file(".well-known/token"));
        assert_eq!(found(&site, &FILES, "/docs/.well-known/x"), Resolved::Missing(None));
        site.hidden = true;
        assert_eq!(found(&site, &FILES, "/.secret"), file(".secret"));
    }

    #[test]
    fn without_listing_a_folder_without_index_is_missing() {
        let site = Site { listing: false, ..Site::default() };
        assert_eq!(found(&site, &FILES, "/plain/"), Resolved::Missing(None));
    }

    #[test]
    fn a_single_page_application_answers_unknown_paths_without_extension() {
        let site = Site { spa: Some(b"index.html".to_vec()), ..Site::default() };
        assert_eq!(found(&site, &FILES, "/users/7"), file("index.html"));
        assert_eq!(found(&site, &FILES, "/users/"), file("index.html"));
        assert_eq!(found(&site, &FILES, "/missing.js"), Resolved::Missing(None));
        assert_eq!(found(&site, &FILES, "/a.txt"), file("a.txt"));
    }

    #[test]
    fn clean_urls_answer_with_the_html_file_of_that_name() {
        let site = Site { clean_urls: true, ..Site::default() };
        assert_eq!(found(&site, &FILES, "/about"), file("about.html"));
        assert_eq!(found(&site, &FILES, "/about/"), Resolved::Missing(None));
        assert_eq!(found(&site, &FILES, "/plain"), Resolved::AddSlash);
    }

    #[test]
    fn the_last_cache_rule_that_matches_wins() {
        let rule = |glob: &str, value: &str| (glob.to_owned(), value.to_owned());
        let rules = CacheRules::new(vec![rule("*.css", "a"), rule("/assets/**", "b"), rule("assets/x.css", "c")]);
        assert_eq!(rules.of(b"index.html"), "no-cache");
        assert_eq!(rules.of(b"deep/style.css"), "a");
        assert_eq!(rules.of(b"assets/y/z.css"), "b");
        assert_eq!(rules.of(b"assets/x.css"), "c");
    }

    #[test]
    fn globs_stay_within_a_segment_unless_doubled() {
        assert!(glob_matches(b"a/*.js", b"a/b.js") && !glob_matches(b"a/*.js", b"a/b/c.js"));
        assert!(glob_matches(b"a/**.js", b"a/b/c.js") && glob_matches(b"?.js", b"b.js"));
        assert!(!glob_matches(b"?.js", b".js") && !glob_matches(b"a", b"ab"));
    }

    #[test]
    fn a_glob_of_many_stars_takes_no_exponential_time() {
        let (glob, text) = (b"*a".repeat(50), b"a".repeat(20_000));
        assert!(glob_matches(&glob, &text) && !glob_matches(&[&glob[..], b"b"].concat(), &text));
        let glob = b"**a*b/".repeat(20);
        assert!(glob_matches(&glob, &b"xa/ayb/".repeat(20)) && !glob_matches(&glob, &b"xa/".repeat(1000)));
    }

    #[test]
    fn stars_and_double_stars_can_be_mixed() {
        for (glob, text, expected) in [
            ("a/**/b*.js", "a/x/y/bc.js", true),
            ("a/**/b*.js", "a/x/b/c.js", false),
            ("*/x/**", "a/x/y/z", true),
            ("*/x/**", "a/b/x/y", false),
            ("**/x?z", "a/b/xyz", true),
            ("**/x?z", "a/b/x/z", false),
            ("***", "a/b", true),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(glob_matches(glob.as_bytes(), text.as_bytes()), expected, "{glob} {text}");
        }
    }
}

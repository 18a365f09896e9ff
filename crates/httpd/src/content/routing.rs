//! The rules of the site: which file answers a path, and which fields go with it. No I/O.
//!
//! [`Site::find`] asks about paths through a function it is given, so the rules can be read, and tested, in one place,
//! while the looking is done elsewhere.

use std::borrow::Cow;

use crate::content::mime::Types;
use crate::content::representation::Representation;
use crate::proto::negotiate::Coding;
use crate::proto::response;
use crate::proto::target::Path;

/// The name of the page that a site may have for what it does not have.
pub const NOT_FOUND_PAGE: &[u8] = b"404.html";

/// What the command line says about the site.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option of the command line")]
pub struct Site {
    /// File names that stand for their folder, the first one found wins.
    pub index: Vec<Vec<u8>>,
    /// Whether a folder without an index file is listed.
    pub listing: bool,
    /// Whether names that begin with a dot are served.
    pub hidden: bool,
    /// The file that answers unknown paths without an extension.
    pub spa: Option<Vec<u8>>,
    /// Whether `/about` may be answered by `about.html`.
    pub clean_urls: bool,
    /// Whether compressed files beside the original are used.
    pub precompressed: bool,
    /// Whether text is compressed on the way out where nothing compressed lies beside it.
    pub compress: bool,
    /// The content types.
    pub types: Types,
    /// The value of Cache-Control by path.
    pub cache: CacheRules,
    /// Whether a browser that asks beforehand is told that other origins may read everything.
    pub cors: bool,
    /// Complete field lines that stand in every answer.
    pub extra_headers: Vec<u8>,
}

/// What a look at a path saw.
#[derive(Debug)]
pub enum PathKind<F> {
    /// A regular file that may be served.
    File(F),
    /// A folder.
    Folder,
    /// Nothing.
    Absent,
}

/// What answers a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Resolved<F> {
    /// This file.
    File(F),
    /// The listing of the folder.
    Listing,
    /// A redirect to the same path with a slash behind it.
    AddSlash,
    /// 404, with the page of the site if it has one.
    Missing(Option<F>),
}

impl Default for Site {
    /// The site that `httpd` without options serves.
    fn default() -> Self {
        Self {
            index: vec![b"index.html".to_vec()],
            listing: true,
            hidden: false,
            spa: None,
            clean_urls: false,
            precompressed: true,
            compress: false,
            types: Types::default(),
            cache: CacheRules::default(),
            cors: false,
            extra_headers: Vec::new(),
        }
    }
}

impl Site {
    /// Finds what answers `path`; `look` tells what there is at a relative path.
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

    /// Whether a segment of the path is a dot-file; `/.well-known/` is there to be found (RFC 8615).
    pub(crate) fn hides(&self, path: &Path) -> bool {
        let is_hidden =
            |(depth, segment): (usize, &[u8])| self.hides_name(segment) && !(depth == 0 && segment == b".well-known");
        path.segments().enumerate().any(is_hidden)
    }

    /// Whether an entry of this name is left out of listings.
    pub fn hides_name(&self, name: &[u8]) -> bool {
        !self.hidden && name.starts_with(b".")
    }

    /// The representation of the file at `path`, found at `path` plus the suffix of `coding`.
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
            // Also where no compressed file lies today: one may be there tomorrow, and caches must know.
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

/// The path of the compressed file beside `path`, or `path` itself.
pub fn with_suffix(path: &[u8], coding: Option<Coding>) -> Cow<'_, [u8]> {
    match coding {
        None => Cow::Borrowed(path),
        Some(coding) => Cow::Owned([path, coding.suffix().as_bytes()].concat()),
    }
}

fn has_extension(relative: &[u8]) -> bool {
    relative.rsplit(|byte| *byte == b'/').next().is_some_and(|name| name.contains(&b'.'))
}

/// Cache-Control by path: the last rule that fits wins.
#[derive(Debug, Default)]
pub struct CacheRules(Vec<(Vec<u8>, String)>);

impl CacheRules {
    /// Kept by every cache, and asked for again each time: never stale, and a 304 costs little.
    const DEFAULT: &'static str = "no-cache";

    /// Rules in the order given: glob over the path (without a leading slash) or over the file name, and the value.
    pub fn new(rules: Vec<(String, String)>) -> Self {
        Self(rules.into_iter().map(|(glob, value)| (glob.into_bytes(), value)).collect())
    }

    fn of(&self, path: &[u8]) -> &str {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let fits = |glob: &[u8]| {
            let glob = glob.strip_prefix(b"/").unwrap_or(glob);
            glob_matches(glob, if glob.contains(&b'/') { path } else { name })
        };
        self.0.iter().rev().find(|(glob, _)| fits(glob)).map_or(Self::DEFAULT, |(_, value)| value)
    }
}

/// Whether `text` fits `glob`: `*` is any run of bytes within a segment, `**` also over slashes, `?` one byte.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    match glob {
        [] => text.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|skip| glob_matches(rest, &text[skip..])),
        [b'*', rest @ ..] => {
            let end = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            (0..=end).any(|skip| glob_matches(rest, &text[skip..]))
        }
        [b'?', rest @ ..] => matches!(text, [byte, tail @ ..] if *byte != b'/' && glob_matches(rest, tail)),
        [byte, rest @ ..] => text.first() == Some(byte) && glob_matches(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::target::decode_path;
    use std::convert::Infallible;

    /// What answers `raw` in a site that has these files (names ending in a slash are folders).
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
    fn a_site_may_have_its_own_page_for_what_is_missing() {
        assert_eq!(found(&Site::default(), &["404.html"], "/nothing"), Resolved::Missing(Some("404.html".to_owned())));
    }

    #[test]
    fn dot_files_are_missing_except_beneath_well_known() {
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
    fn the_last_cache_rule_that_fits_wins() {
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
}

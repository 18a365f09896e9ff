//! The rules of a site: which file answers a path, and with which fields. No I/O.
//!
//! [`Site::find`] looks up paths through a function argument, so all rules are in one place.

use std::borrow::Cow;

use crate::content::glob::PathPattern;
use crate::content::mime::MimeTypes;
use crate::content::path::last_segment;
use crate::content::representation::Representation;
use crate::proto::negotiate::Coding;
use crate::proto::percent::percent_encode;
use crate::proto::response;
use crate::proto::target::Path;

/// The name of the site's own page for missing files.
pub const NOT_FOUND_PAGE: &[u8] = b"404.html";
/// The extension that clean URLs leave out.
const HTML: &[u8] = b".html";

/// The rules of a site, from the command line.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option of the command line")]
pub struct Site {
    /// The name of the only file, if a file is served instead of a folder.
    pub only: Option<Vec<u8>>,
    /// Index file names; the first one that exists wins.
    pub index: Vec<Vec<u8>>,
    /// Whether a folder without an index file is listed.
    pub listing: bool,
    /// Whether names that begin with a dot are served.
    pub hidden: bool,
    /// The file that answers routes of a single-page application.
    pub spa: Option<Vec<u8>>,
    /// Whether `/about` is the URL of `about.html`.
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
    /// A redirect to this relative reference (RFC 3986, section 4.2).
    Redirect(Vec<u8>),
    /// A temporary redirect to this relative reference.
    TemporaryRedirect(Vec<u8>),
    /// 404, with the site's own page if there is one.
    Missing(Option<F>),
}

impl Default for Site {
    /// The rules without options.
    fn default() -> Self {
        Self {
            only: None,
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
    /// Resolves `path`; `look` returns what is at a relative path, `names_html` is whether the client names text/html.
    pub fn find<F, E>(
        &self,
        path: &Path,
        names_html: bool,
        mut look: impl FnMut(&[u8]) -> Result<PathKind<F>, E>,
    ) -> Result<Resolved<F>, E> {
        let relative = path.relative();
        if let Some(name) = &self.only {
            return find_only(name, path, look);
        }
        if self.hides(path) {
            return missing(look);
        }
        let found =
            if path.is_folder { self.find_folder(relative, &mut look)? } else { self.find_file(relative, &mut look)? };
        if let Some(found) = found {
            return Ok(found);
        }
        if let Some(fallback) = &self.spa
            && self.is_route(relative, names_html)
            && let PathKind::File(file) = look(fallback)?
        {
            return Ok(Resolved::File(file));
        }
        missing(look)
    }

    /// What answers a path with a final slash: an index, the page beside the folder, or the listing.
    fn find_folder<F, E>(
        &self,
        relative: &[u8],
        look: &mut impl FnMut(&[u8]) -> Result<PathKind<F>, E>,
    ) -> Result<Option<Resolved<F>>, E> {
        for index in &self.index {
            if let PathKind::File(file) = look(&join(relative, index))? {
                return Ok(Some(Resolved::File(file)));
            }
        }
        let wants_page = self.clean_urls && !relative.is_empty();
        if !wants_page && !self.listing {
            return Ok(None);
        }
        let kind = look(relative)?;
        if wants_page
            && !matches!(kind, PathKind::File(_))
            && let PathKind::File(_) = look(&[relative, HTML].concat())?
        {
            return Ok(Some(Resolved::Redirect(reference(b"../", last_segment(relative), b""))));
        }
        Ok((self.listing && matches!(kind, PathKind::Folder)).then_some(Resolved::Listing))
    }

    /// What answers a path without a final slash; with clean URLs, a page beats a folder of its name.
    fn find_file<F, E>(
        &self,
        relative: &[u8],
        look: &mut impl FnMut(&[u8]) -> Result<PathKind<F>, E>,
    ) -> Result<Option<Resolved<F>>, E> {
        let kind = look(relative)?;
        if let PathKind::File(file) = kind {
            let clean = if self.clean_urls { self.clean_reference(relative, look)? } else { None };
            return Ok(Some(clean.map_or(Resolved::File(file), Resolved::Redirect)));
        }
        if self.clean_urls
            && let PathKind::File(file) = look(&[relative, HTML].concat())?
        {
            return Ok(Some(Resolved::File(file)));
        }
        let is_folder = matches!(kind, PathKind::Folder);
        Ok(is_folder.then(|| Resolved::Redirect(reference(b"", last_segment(relative), b"/"))))
    }

    /// The clean URL of the page at `relative`; `None` if another file answers that URL.
    fn clean_reference<F, E>(
        &self,
        relative: &[u8],
        look: &mut impl FnMut(&[u8]) -> Result<PathKind<F>, E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let Some(path) = relative.strip_suffix(HTML) else { return Ok(None) };
        if self.index.first().is_some_and(|index| index == last_segment(relative)) {
            return Ok(Some(b"./".to_vec()));
        }
        let name = last_segment(path);
        if matches!(name, b"" | b"." | b"..") || matches!(look(path)?, PathKind::File(_)) {
            return Ok(None);
        }
        Ok(Some(reference(b"", name, b"")))
    }

    /// Whether a missing path is a route of a single-page application: its name has no dot, or the client names
    /// text/html and the name has no extension of a known type.
    fn is_route(&self, relative: &[u8], names_html: bool) -> bool {
        !last_segment(relative).contains(&b'.') || (names_html && !self.types.is_known(relative))
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

    /// The representation of the file at `path`, or of its variant in `coding`.
    pub fn representation(&self, path: &[u8], coding: Option<Coding>, content: Content) -> Representation {
        let cache_control = self.cache.of(path).to_owned();
        let mut fields = Vec::new();
        if self.precompressed || self.compress {
            // Also without a compressed variant: one may appear later, and caches must know.
            response::field(&mut fields, "Vary", "Accept-Encoding");
        }
        fields.extend_from_slice(&self.extra_headers);
        let Content { size, etag, modified, content_type } = content;
        let coding = coding.or_else(|| self.types.by_name(path).1);
        Representation { size, etag, modified, content_type, coding, ranges: true, cache_control, fields }
    }
}

/// What is known of one version of a file besides its path.
#[derive(Debug)]
pub struct Content {
    /// Size in bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: Vec<u8>,
    /// Time of the last change in seconds since 1970, if it can be trusted.
    pub modified: Option<i64>,
    /// The media type.
    pub content_type: String,
}

/// What answers a path if one file is served: the file at its name, and a redirect to it at the root.
fn find_only<F, E>(
    name: &[u8],
    path: &Path,
    mut look: impl FnMut(&[u8]) -> Result<PathKind<F>, E>,
) -> Result<Resolved<F>, E> {
    if path.relative().is_empty() {
        return Ok(Resolved::TemporaryRedirect(reference(b"", name, b"")));
    }
    if path.relative() != name || path.is_folder {
        return Ok(Resolved::Missing(None));
    }
    Ok(match look(name)? {
        PathKind::File(file) => Resolved::File(file),
        _ => Resolved::Missing(None),
    })
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

/// A relative reference to `name`, which survives any prefix that a proxy removes.
///
/// The encoded name contains no colon, which would end a scheme.
fn reference(before: &[u8], name: &[u8], after: &[u8]) -> Vec<u8> {
    let mut reference = before.to_vec();
    percent_encode(name, &mut reference);
    reference.extend_from_slice(after);
    reference
}

/// Cache-Control by path; the last rule that matches wins.
#[derive(Debug, Default)]
pub struct CacheRules(Vec<(PathPattern, String)>);

impl CacheRules {
    /// Caches store it and revalidate every time: never stale, and a 304 is cheap.
    const DEFAULT: &'static str = "no-cache";

    /// Rules in order: a pattern and the value.
    pub fn new(rules: Vec<(PathPattern, String)>) -> Self {
        Self(rules)
    }

    fn of(&self, path: &[u8]) -> &str {
        self.0.iter().rev().find(|(pattern, _)| pattern.matches(path)).map_or(Self::DEFAULT, |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::target::decode_path;
    use std::convert::Infallible;

    /// Resolves `raw` in a site of these files, for a client that does not name text/html.
    fn found(site: &Site, files: &[&str], raw: &str) -> Resolved<String> {
        resolve(site, files, raw, false)
    }

    fn resolve(site: &Site, files: &[&str], raw: &str, names_html: bool) -> Resolved<String> {
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
        site.find(&decode_path(raw.as_bytes()).unwrap(), names_html, look).unwrap()
    }

    fn file(name: &str) -> Resolved<String> {
        Resolved::File(name.to_owned())
    }

    fn redirect(reference: &str) -> Resolved<String> {
        Resolved::Redirect(reference.into())
    }

    const FILES: [&str; 7] =
        ["index.html", "a.txt", "docs/index.html", "plain/x", ".secret", ".well-known/token", "about.html"];

    #[test]
    fn files_indexes_listings_and_redirects() {
        let site = Site::default();
        assert_eq!(found(&site, &FILES, "/"), file("index.html"));
        assert_eq!(found(&site, &FILES, "/a.txt"), file("a.txt"));
        assert_eq!(found(&site, &FILES, "/docs/"), file("docs/index.html"));
        assert_eq!(found(&site, &FILES, "/docs"), redirect("docs/"));
        assert_eq!(found(&site, &FILES, "/plain/"), Resolved::Listing);
        assert_eq!(found(&site, &FILES, "/a.txt/"), Resolved::Missing(None));
        assert_eq!(found(&site, &FILES, "/nothing"), Resolved::Missing(None));
    }

    #[test]
    fn a_site_may_have_its_own_page_for_missing_files() {
        assert_eq!(found(&Site::default(), &["404.html"], "/nothing"), Resolved::Missing(Some("404.html".to_owned())));
    }

    #[test]
    fn one_file_is_served_at_its_name_only() {
        let site = Site { only: Some(b".a b.txt".to_vec()), ..Site::default() };
        let files = [".a b.txt", "other", "index.html", "404.html"];
        assert_eq!(found(&site, &files, "/.a%20b.txt"), file(".a b.txt"));
        assert_eq!(found(&site, &files, "/"), Resolved::TemporaryRedirect(b".a%20b.txt".to_vec()));
        for other in ["/other", "/index.html", "/.a%20b.txt/", "/x/.a%20b.txt"] {
            assert_eq!(found(&site, &files, other), Resolved::Missing(None), "{other}");
        }
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
    fn a_single_page_application_answers_routes() {
        let site = Site { spa: Some(b"index.html".to_vec()), ..Site::default() };
        assert_eq!(found(&site, &FILES, "/users/7"), file("index.html"));
        assert_eq!(found(&site, &FILES, "/users/"), file("index.html"));
        assert_eq!(found(&site, &FILES, "/a.txt"), file("a.txt"));
        for route in ["/user/john.doe", "/pkg/x@1.2.3", "/v1.2/"] {
            assert_eq!(resolve(&site, &FILES, route, true), file("index.html"), "{route}");
        }
        for path in ["/user/john.doe", "/pkg/x@1.2.3"] {
            assert_eq!(found(&site, &FILES, path), Resolved::Missing(None), "{path}");
        }
        for path in ["/missing.js", "/fonts/a.woff2", "/.env"] {
            assert_eq!(resolve(&site, &FILES, path, true), Resolved::Missing(None), "{path}");
        }
    }

    #[test]
    fn clean_urls_answer_with_the_html_file_of_that_name() {
        let site = Site { clean_urls: true, ..Site::default() };
        assert_eq!(found(&site, &FILES, "/about"), file("about.html"));
        assert_eq!(found(&site, &FILES, "/plain"), redirect("plain/"));
        assert_eq!(found(&site, &FILES, "/about.html"), redirect("about"));
        assert_eq!(found(&site, &FILES, "/about/"), redirect("../about"));
        assert_eq!(found(&site, &FILES, "/index.html"), redirect("./"));
        assert_eq!(found(&site, &FILES, "/docs/index.html"), redirect("./"));
        assert_eq!(found(&site, &FILES, "/docs/"), file("docs/index.html"));
    }

    #[test]
    fn with_clean_urls_a_page_beats_a_folder_of_its_name_unless_the_folder_has_an_index() {
        let site = Site { clean_urls: true, ..Site::default() };
        let files = ["images.html", "images/a.png", "docs.html", "docs/index.html", "a: b.html", "a: b/x"];
        assert_eq!(found(&site, &files, "/images"), file("images.html"));
        assert_eq!(found(&site, &files, "/images/"), redirect("../images"));
        assert_eq!(found(&site, &files, "/images/a.png"), file("images/a.png"));
        assert_eq!(found(&site, &files, "/docs"), file("docs.html"));
        assert_eq!(found(&site, &files, "/docs/"), file("docs/index.html"));
        assert_eq!(found(&site, &files, "/a:%20b.html"), redirect("a%3A%20b"));
        assert_eq!(found(&site, &["x", "x.html"], "/x.html"), file("x.html"), "the clean URL is another file");
        assert_eq!(found(&site, &["x", "x.html"], "/x/"), Resolved::Missing(None));
        let site = Site { hidden: true, ..site };
        for name in [".html", "..html", "...html"] {
            assert_eq!(found(&site, &[name], &format!("/{name}")), file(name));
        }
    }

    #[test]
    fn the_last_cache_rule_that_matches_wins() {
        let rule = |glob: &str, value: &str| (PathPattern::new(glob), value.to_owned());
        let rules = CacheRules::new(vec![rule("*.css", "a"), rule("/assets/**", "b"), rule("assets/x.css", "c")]);
        assert_eq!(rules.of(b"index.html"), "no-cache");
        assert_eq!(rules.of(b"deep/style.css"), "a");
        assert_eq!(rules.of(b"assets/y/z.css"), "b");
        assert_eq!(rules.of(b"assets/x.css"), "c");
    }
}

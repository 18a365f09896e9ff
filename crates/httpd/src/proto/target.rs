//! The request target (RFC 9112, section 3.2) and its path (RFC 3986, section 3.3).
//!
//! The path is decoded once and split into segments. Every later rule and the opening of the file use these segments,
//! so no rule sees another path than the one that is opened.

use std::borrow::Cow;

use super::Rejection;
use super::authority::is_authority;
use super::percent::percent_decode;
use super::request::Method;
use super::response::Status;

/// The forms of a request target that this server accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'b> {
    /// A resource: its path and query.
    Resource {
        /// The decoded path.
        path: Path<'b>,
        /// The path as sent, beginning with a slash.
        raw_path: &'b [u8],
        /// The query behind the first question mark, if there is one.
        query: Option<&'b [u8]>,
    },
    /// The server as a whole: `*` for OPTIONS, or the authority of CONNECT and other methods that are not allowed.
    Server,
}

/// A decoded path: segments joined by slashes; no segment is empty, `.` or `..` or has a slash or a NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'b> {
    relative: Cow<'b, [u8]>,
    /// Whether the path names a folder: it ends in a slash or a dot segment.
    pub is_folder: bool,
}

impl Path<'_> {
    /// The same path with owned segments.
    pub fn into_owned(self) -> Path<'static> {
        Path { relative: Cow::Owned(self.relative.into_owned()), is_folder: self.is_folder }
    }

    /// The path without a leading or trailing slash; empty for the root.
    pub fn relative(&self) -> &[u8] {
        &self.relative
    }

    /// The segments in order.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.relative.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty())
    }
}

/// Parses a request target; `bytes` must be visible ASCII, as [`super::request::parse`] guarantees.
///
/// 400 for a form that does not fit the method, a malformed escape, an encoded NUL or a path above the root; 404 for an
/// encoded slash, which no file name can have.
pub fn parse(bytes: &[u8], method: Method) -> Result<Target<'_>, Rejection> {
    let origin = match bytes {
        [b'/', ..] => bytes,
        b"*" if method == Method::Options => return Ok(Target::Server),
        _ if method == Method::NotAllowed && is_authority(bytes) => return Ok(Target::Server),
        _ => absolute_form(bytes)?,
    };
    let (raw_path, query) = match memchr::memchr(b'?', origin) {
        Some(mark) => (origin.get(..mark).unwrap_or_default(), origin.get(mark.saturating_add(1)..)),
        None => (origin, None),
    };
    let raw_path = if raw_path.is_empty() { b"/" } else { raw_path };
    Ok(Target::Resource { path: decode_path(raw_path)?, raw_path, query })
}

/// The part of `http://authority/path` behind the authority (RFC 9112, section 3.2.2), which replaces Host; the server
/// checks only the form of both.
fn absolute_form(bytes: &[u8]) -> Result<&[u8], Rejection> {
    const MALFORMED: Rejection = Rejection::bad_request("The request target is neither a path nor an http URL.");
    let scheme_end = memchr::memmem::find(bytes, b"://").ok_or(MALFORMED)?;
    let (scheme, rest) = bytes.split_at_checked(scheme_end).ok_or(MALFORMED)?;
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Err(MALFORMED);
    }
    let rest = rest.get(3..).unwrap_or_default();
    let authority_end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    let (authority, origin) = rest.split_at_checked(authority_end).unwrap_or_default();
    if is_authority(authority) { Ok(origin) } else { Err(MALFORMED) }
}

/// Decodes a raw path of visible ASCII once, then drops empty and `.` segments and resolves `..`.
pub fn decode_path(raw: &[u8]) -> Result<Path<'_>, Rejection> {
    if let Some(path) = plain_path(raw) {
        return Ok(path);
    }
    let mut relative = Vec::with_capacity(raw.len());
    let mut is_folder = true;
    for raw_segment in raw.split(|byte| *byte == b'/') {
        let segment = decode_segment(raw_segment)?;
        is_folder = matches!(segment.as_ref(), b"" | b"." | b"..");
        match segment.as_ref() {
            b"" | b"." => {}
            b".." if relative.is_empty() => {
                return Err(Rejection::bad_request("The path leads above the root."));
            }
            b".." => relative.truncate(memchr::memrchr(b'/', &relative).unwrap_or(0)),
            name => {
                if !relative.is_empty() {
                    relative.push(b'/');
                }
                relative.extend_from_slice(name);
            }
        }
    }
    Ok(Path { relative: Cow::Owned(relative), is_folder })
}

/// The common case without a copy: nothing encoded, no empty segment, no segment that begins with a dot.
fn plain_path(raw: &[u8]) -> Option<Path<'_>> {
    let relative = raw.strip_prefix(b"/")?;
    let mut previous = b'/';
    for byte in relative {
        if *byte == b'%' || (previous == b'/' && matches!(byte, b'/' | b'.')) {
            return None;
        }
        previous = *byte;
    }
    let (relative, is_folder) = match relative.strip_suffix(b"/") {
        Some(folder) => (folder, true),
        None => (relative, relative.is_empty()),
    };
    Some(Path { relative: Cow::Borrowed(relative), is_folder })
}

fn decode_segment(raw: &[u8]) -> Result<Cow<'_, [u8]>, Rejection> {
    let decoded = percent_decode(raw).ok_or(Rejection::bad_request("The path holds a malformed percent escape."))?;
    if decoded.contains(&0) {
        return Err(Rejection::bad_request("The path holds an encoded NUL."));
    }
    if decoded.contains(&b'/') {
        return Err(Rejection::new(Status::NOT_FOUND, "No file name holds a slash."));
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> Result<(String, bool), u16> {
        match decode_path(raw.as_bytes()) {
            Ok(path) => Ok((String::from_utf8_lossy(path.relative()).into_owned(), path.is_folder)),
            Err(rejection) => Err(rejection.status.code()),
        }
    }

    fn resource(raw: &str) -> (String, Option<String>) {
        match parse(raw.as_bytes(), Method::Get) {
            Ok(Target::Resource { path, query, .. }) => (
                String::from_utf8_lossy(path.relative()).into_owned(),
                query.map(|query| String::from_utf8_lossy(query).into_owned()),
            ),
            other => panic!("{raw}: {other:?}"),
        }
    }

    #[test]
    fn plain_paths_are_not_changed() {
        assert_eq!(decoded("/"), Ok((String::new(), true)));
        assert_eq!(decoded("/a/b.txt"), Ok(("a/b.txt".into(), false)));
        assert_eq!(decoded("/a/b/"), Ok(("a/b".into(), true)));
    }

    #[test]
    fn escapes_are_decoded_exactly_once() {
        assert_eq!(decoded("/a%20b/%C3%A4"), Ok(("a b/ä".into(), false)));
        assert_eq!(decoded("/%252e%252e/x"), Ok(("%2e%2e/x".into(), false)));
        assert_eq!(decoded("/%25"), Ok(("%".into(), false)));
    }

    #[test]
    fn dot_segments_never_lead_above_the_root() {
        assert_eq!(decoded("/a/./b/../c"), Ok(("a/c".into(), false)));
        assert_eq!(decoded("/a/.."), Ok((String::new(), true)));
        assert_eq!(decoded("/a/%2e%2E/b"), Ok(("b".into(), false)));
        for path in ["/..", "/../etc/passwd", "/a/../../b", "/%2e%2e/b", "/.%2e/b", "//../b"] {
            assert_eq!(decoded(path), Err(400), "{path}");
        }
    }

    #[test]
    fn empty_segments_are_removed_so_a_path_never_begins_with_two_slashes() {
        assert_eq!(decoded("//example.com//a"), Ok(("example.com/a".into(), false)));
        assert_eq!(decoded("///"), Ok((String::new(), true)));
    }

    #[test]
    fn malformed_escapes_nul_and_encoded_slashes_are_refused() {
        for (path, status) in
            [("/%", 400), ("/%2", 400), ("/%zz", 400), ("/a%00b", 400), ("/a%2fb", 404), ("/..%2fb", 404)]
        {
            assert_eq!(decoded(path), Err(status), "{path}");
        }
    }

    #[test]
    fn the_query_is_what_follows_the_first_question_mark() {
        assert_eq!(resource("/a?b?c"), ("a".into(), Some("b?c".into())));
        assert_eq!(resource("/a?"), ("a".into(), Some(String::new())));
        assert_eq!(resource("/a"), ("a".into(), None));
    }

    #[test]
    fn absolute_form_is_reduced_to_its_path() {
        assert_eq!(resource("http://example.com:80/a?b"), ("a".into(), Some("b".into())));
        assert_eq!(resource("HTTPS://[::1]"), (String::new(), None));
        assert_eq!(resource("http://h?q"), (String::new(), Some("q".into())));
        for bad in ["ftp://h/", "http:///a", "http:/a", "a/b", "*", "h:443"] {
            assert!(parse(bad.as_bytes(), Method::Get).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_asterisk_is_valid_for_options_only() {
        assert_eq!(parse(b"*", Method::Options), Ok(Target::Server));
    }

    #[test]
    fn an_authority_is_valid_for_methods_that_are_not_allowed() {
        assert_eq!(parse(b"example.com:443", Method::NotAllowed), Ok(Target::Server));
        assert!(parse(b"example.com:443", Method::Get).is_err());
    }
}

//! The representation of one version of a file, and the part that a request selects (RFC 9110, sections 8, 13 and 14).
//!
//! No I/O.

use crate::proto::conditional::{self, Outcome, Validators};
use crate::proto::field::Name;
use crate::proto::negotiate::Coding;
use crate::proto::range::{self, Part, Selection};
use crate::proto::request::{Head, Method};
use crate::proto::response::{self, Status};

/// One version of a file in one coding.
#[derive(Debug, Clone)]
pub struct Representation {
    /// Size in bytes.
    pub size: u64,
    /// A strong entity tag with quotes.
    pub etag: Vec<u8>,
    /// Time of the last change in seconds since 1970, if it can be trusted.
    pub modified: Option<i64>,
    /// The media type.
    pub content_type: String,
    /// The content coding.
    pub coding: Option<Coding>,
    /// Whether range requests are supported.
    pub ranges: bool,
    /// The value of Cache-Control.
    pub cache_control: String,
    /// Complete field lines of every response for this file: Vary and the fields of the command line.
    pub fields: Vec<u8>,
}

/// The part of a representation that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// All of it, with this status: 200, or 404 for the error page of the site.
    Whole(Status),
    /// 206 with one part.
    One(Part),
    /// 206 with several parts as `multipart/byteranges`.
    Several(Vec<Part>),
    /// 304.
    NotModified,
    /// 412.
    PreconditionFailed,
    /// 416.
    Unsatisfiable,
}

impl Representation {
    /// The gzip form of this representation, with another entity tag; size unknown, ranges unsupported.
    #[must_use]
    pub fn compressed(&self) -> Self {
        Self { size: 0, etag: tagged(&self.etag, "-gz"), coding: Some(Coding::Gzip), ranges: false, ..self.clone() }
    }

    /// The page with the live-reload script of this generation; caches must not store it.
    #[must_use]
    pub fn of_generation(&self, generation: u64, size: u64) -> Self {
        let etag = tagged(&self.etag, &format!("-live{generation}"));
        let cache_control = "no-store".to_owned();
        Self { size, etag, modified: None, coding: None, ranges: false, cache_control, ..self.clone() }
    }

    /// Decides what a GET or HEAD request selects.
    pub fn select(&self, head: &Head) -> Selected {
        let fields = &head.fields;
        let validators = Validators { etag: &self.etag, modified: self.modified };
        match conditional::evaluate(fields, validators) {
            Outcome::NotModified => return Selected::NotModified,
            Outcome::Failed => return Selected::PreconditionFailed,
            Outcome::Proceed => {}
        }
        let asks = self.ranges && head.method == Method::Get;
        let Some(value) = fields.only(Name::Range).filter(|_| asks) else {
            return Selected::Whole(Status::OK);
        };
        if !conditional::range_applies(fields, validators) {
            return Selected::Whole(Status::OK);
        }
        match range::select(value, self.size) {
            Selection::Whole => Selected::Whole(Status::OK),
            Selection::One(part) => Selected::One(part),
            Selection::Several(parts) => Selected::Several(parts),
            Selection::Unsatisfiable => Selected::Unsatisfiable,
        }
    }

    /// Appends all fields except Date and Connection.
    ///
    /// Last-Modified is at most `last_full_second`: a file may change twice within a second, and a later change must
    /// have a later date (RFC 9110, section 8.8.2.2).
    pub fn write_fields(&self, selected: &Selected, last_full_second: i64, out: &mut Vec<u8>) {
        match selected {
            Selected::Whole(_) => {
                self.write_content_type(out);
                response::number_field(out, "Content-Length", self.size);
            }
            Selected::One(part) => {
                self.write_content_type(out);
                response::number_field(out, "Content-Length", part.length);
                response::field(out, "Content-Range", self.content_range(*part));
            }
            Selected::Several(parts) => {
                let media_type = format!("multipart/byteranges; boundary={}", self.boundary());
                response::field(out, "Content-Type", media_type);
                response::number_field(out, "Content-Length", self.multipart_length(parts));
            }
            Selected::NotModified => {}
            Selected::PreconditionFailed => response::number_field(out, "Content-Length", 0),
            Selected::Unsatisfiable => {
                response::number_field(out, "Content-Length", 0);
                response::field(out, "Content-Range", format!("bytes */{}", self.size));
            }
        }
        if let (Some(coding), true) = (self.coding, selected.has_content()) {
            response::field(out, "Content-Encoding", coding.name());
        }
        // Validators of a 404 page would identify no version of the requested file.
        if !matches!(selected, Selected::Whole(Status::NOT_FOUND)) {
            response::field(out, "ETag", &self.etag);
            if let Some(modified) = self.modified {
                response::field(out, "Last-Modified", crate::proto::date::format(modified.min(last_full_second)));
            }
            if self.ranges {
                response::field(out, "Accept-Ranges", "bytes");
            }
        }
        // A missing file may appear at any time.
        let is_missing = matches!(selected, Selected::Whole(Status::NOT_FOUND));
        response::field(out, "Cache-Control", if is_missing { "no-cache" } else { &self.cache_control });
        out.extend_from_slice(&self.fields);
    }

    /// The head of one part of a multipart body (RFC 9110, section 14.6).
    pub fn part_head(&self, part: Part) -> Vec<u8> {
        let mut head = format!("\r\n--{}\r\n", self.boundary()).into_bytes();
        self.write_content_type(&mut head);
        response::field(&mut head, "Content-Range", self.content_range(part));
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The end of a multipart body.
    pub fn multipart_tail(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary()).into_bytes()
    }

    /// Bytes of a multipart body.
    pub fn multipart_length(&self, parts: &[Part]) -> u64 {
        let heads: u64 = parts.iter().map(|part| self.part_head(*part).len() as u64 + part.length).sum();
        heads + self.multipart_tail().len() as u64
    }

    fn content_range(&self, part: Part) -> String {
        format!("bytes {}-{}/{}", part.start, part.last(), self.size)
    }

    fn write_content_type(&self, out: &mut Vec<u8>) {
        response::field(out, "Content-Type", &self.content_type);
    }

    /// The boundary, derived from the entity tag: the same for every response of one version.
    fn boundary(&self) -> String {
        let tag = self.etag.iter().filter(|byte| byte.is_ascii_alphanumeric()).take(48);
        format!("part-{}", tag.map(|byte| char::from(*byte)).collect::<String>())
    }
}

/// An entity tag with a suffix before the closing quote.
fn tagged(etag: &[u8], suffix: &str) -> Vec<u8> {
    [etag.strip_suffix(b"\"").unwrap_or(etag), suffix.as_bytes(), b"\""].concat()
}

impl Selected {
    /// The status of the response.
    pub fn status(&self) -> Status {
        match self {
            Self::Whole(status) => *status,
            Self::One(_) | Self::Several(_) => Status::PARTIAL_CONTENT,
            Self::NotModified => Status::NOT_MODIFIED,
            Self::PreconditionFailed => Status::PRECONDITION_FAILED,
            Self::Unsatisfiable => Status::RANGE_NOT_SATISFIABLE,
        }
    }

    fn has_content(&self) -> bool {
        matches!(self, Self::Whole(_) | Self::One(_) | Self::Several(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::request::{Parsed, parse};

    const NOW: i64 = 1_795_000_000;

    fn representation() -> Representation {
        Representation {
            size: 1000,
            etag: b"\"abc-1\"".to_vec(),
            modified: Some(784_111_777),
            content_type: "text/plain; charset=utf-8".to_owned(),
            coding: None,
            ranges: true,
            cache_control: "max-age=60".to_owned(),
            fields: b"X-Team: web\r\n".to_vec(),
        }
    }

    fn select(method: &str, fields: &str) -> Selected {
        let text = format!("{method} / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        match parse(text.as_bytes()) {
            Ok(Parsed::Complete(head, _)) => representation().select(&head),
            other => panic!("{other:?}"),
        }
    }

    fn fields(selected: &Selected) -> String {
        let mut out = Vec::new();
        representation().write_fields(selected, NOW, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn conditions_come_before_the_range() {
        let etag = "If-None-Match: \"abc-1\"\r\nRange: bytes=0-1\r\n";
        assert_eq!(select("GET", etag), Selected::NotModified);
        let failed = "If-Match: \"x\"\r\nRange: bytes=0-1\r\n";
        assert_eq!(select("GET", failed), Selected::PreconditionFailed);
    }

    #[test]
    fn ranges_apply_to_get_only_and_only_if_if_range_matches() {
        assert_eq!(select("GET", "Range: bytes=0-1\r\n"), Selected::One(Part { start: 0, length: 2 }));
        assert_eq!(select("HEAD", "Range: bytes=0-1\r\n"), Selected::Whole(Status::OK));
        assert_eq!(select("GET", "Range: bytes=0-1\r\nRange: bytes=0-1\r\n"), Selected::Whole(Status::OK));
        assert_eq!(select("GET", "Range: bytes=0-1\r\nIf-Range: \"old\"\r\n"), Selected::Whole(Status::OK));
        assert_eq!(select("GET", "Range: bytes=1000-\r\n"), Selected::Unsatisfiable);
    }

    #[test]
    fn a_304_carries_the_validators_and_no_content_fields() {
        let text = fields(&Selected::NotModified);
        assert!(text.contains("ETag: \"abc-1\"\r\n") && text.contains("Cache-Control: max-age=60\r\n"), "{text}");
        assert!(!text.contains("Content-"), "{text}");
    }

    #[test]
    fn a_416_names_the_size() {
        assert!(fields(&Selected::Unsatisfiable).contains("Content-Range: bytes */1000\r\n"));
    }

    #[test]
    fn the_announced_length_of_a_multipart_body_is_exact() {
        let parts = vec![Part { start: 0, length: 10 }, Part { start: 500, length: 1 }];
        let file = representation();
        let mut body = Vec::new();
        for part in &parts {
            body.extend(file.part_head(*part));
            body.extend(std::iter::repeat_n(b'x', usize::try_from(part.length).unwrap()));
        }
        body.extend(file.multipart_tail());
        assert_eq!(body.len() as u64, file.multipart_length(&parts));
        assert!(fields(&Selected::Several(parts)).contains(&format!("Content-Length: {}\r\n", body.len())));
    }

    #[test]
    fn last_modified_never_lies_in_the_future() {
        let mut file = representation();
        file.modified = Some(NOW + 1000);
        let mut out = Vec::new();
        file.write_fields(&Selected::Whole(Status::OK), NOW, &mut out);
        let expected = crate::proto::date::format(NOW);
        assert!(memchr::memmem::find(&out, &expected).is_some());
    }

    #[test]
    fn the_page_for_a_missing_file_has_no_validators_and_is_not_cached() {
        let text = fields(&Selected::Whole(Status::NOT_FOUND));
        assert!(!text.contains("ETag") && !text.contains("Last-Modified"), "{text}");
        assert!(text.contains("Content-Length: 1000\r\n") && text.contains("Cache-Control: no-cache\r\n"), "{text}");
    }
}

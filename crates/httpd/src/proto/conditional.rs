//! Conditional requests (RFC 9110, section 13).

use super::date;
use super::field::{Fields, Name};

/// The validators of the selected representation.
#[derive(Debug, Clone, Copy)]
pub struct Validators<'a> {
    /// A strong entity tag with its quotes.
    pub etag: &'a [u8],
    /// Time of the last modification in seconds, if it is reliable.
    pub modified: Option<i64>,
}

/// The result of all preconditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The request is served as without conditions.
    Proceed,
    /// 304: the client already has this representation.
    NotModified,
    /// 412: the client requires another representation.
    Failed,
}

/// Evaluates the preconditions of a GET or HEAD request in the order of RFC 9110, section 13.2.2.
pub fn evaluate(fields: &Fields, validators: Validators) -> Outcome {
    if fields.first(Name::IfMatch).is_some() {
        let matches = |tag: &[u8]| tag == b"*" || tag == validators.etag;
        if !fields.list(Name::IfMatch).any(matches) {
            return Outcome::Failed;
        }
    } else if let (Some(limit), Some(modified)) = (date_of(fields, Name::IfUnmodifiedSince), validators.modified)
        && modified > limit
    {
        return Outcome::Failed;
    }
    if fields.first(Name::IfNoneMatch).is_some() {
        let matches = |tag: &[u8]| tag == b"*" || opaque(tag) == opaque(validators.etag);
        return if fields.list(Name::IfNoneMatch).any(matches) { Outcome::NotModified } else { Outcome::Proceed };
    }
    match (date_of(fields, Name::IfModifiedSince), validators.modified) {
        (Some(since), Some(modified)) if modified <= since => Outcome::NotModified,
        _ => Outcome::Proceed,
    }
}

/// Whether a Range field applies: always without If-Range, else only if its validator matches strongly
/// (RFC 9110, section 13.1.5).
pub fn range_applies(fields: &Fields, validators: Validators) -> bool {
    match fields.first(Name::IfRange) {
        None => true,
        Some(_) if fields.repeats(Name::IfRange) => false,
        Some(tag) if tag.starts_with(b"\"") => tag == validators.etag,
        Some(other) => date::parse(other).is_some_and(|date| validators.modified == Some(date)),
    }
}

fn date_of(fields: &Fields, name: Name) -> Option<i64> {
    fields.only(name).and_then(date::parse)
}

/// An entity tag without `W/`, for the weak comparison.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const LATER: &str = "Sat, 06 Nov 2094 08:49:37 GMT";
    const VALIDATORS: Validators = Validators { etag: b"\"tag\"", modified: Some(784_111_777) };

    fn fields<'a>(list: &[(Name, &'a str)]) -> Fields<'a> {
        let mut fields = Fields::default();
        for (name, value) in list {
            fields.add(*name, value.as_bytes());
        }
        fields
    }

    fn outcome(list: &[(Name, &str)]) -> Outcome {
        evaluate(&fields(list), VALIDATORS)
    }

    #[test]
    fn if_none_match_compares_weakly_over_lists_and_lines() {
        for value in ["\"tag\"", "W/\"tag\"", "\"x\", \"tag\"", "*", "\"a,b\",W/\"tag\""] {
            assert_eq!(outcome(&[(Name::IfNoneMatch, value)]), Outcome::NotModified, "{value}");
        }
        assert_eq!(outcome(&[(Name::IfNoneMatch, "\"x\""), (Name::IfNoneMatch, "\"tag\"")]), Outcome::NotModified);
        assert_eq!(outcome(&[(Name::IfNoneMatch, "\"x\"")]), Outcome::Proceed);
        assert_eq!(outcome(&[(Name::IfNoneMatch, "tag")]), Outcome::Proceed);
    }

    #[test]
    fn if_modified_since_is_ignored_beside_if_none_match() {
        assert_eq!(outcome(&[(Name::IfNoneMatch, "\"x\""), (Name::IfModifiedSince, LATER)]), Outcome::Proceed);
    }

    #[test]
    fn a_copy_that_is_not_older_than_the_file_is_not_modified() {
        assert_eq!(outcome(&[(Name::IfModifiedSince, CHANGED)]), Outcome::NotModified);
        assert_eq!(outcome(&[(Name::IfModifiedSince, LATER)]), Outcome::NotModified);
        assert_eq!(outcome(&[(Name::IfModifiedSince, BEFORE)]), Outcome::Proceed);
        assert_eq!(outcome(&[(Name::IfModifiedSince, "yesterday")]), Outcome::Proceed);
    }

    #[test]
    fn without_a_reliable_modification_time_dates_are_ignored() {
        let validators = Validators { modified: None, ..VALIDATORS };
        let later = fields(&[(Name::IfModifiedSince, LATER)]);
        assert_eq!(evaluate(&later, validators), Outcome::Proceed);
        let range = fields(&[(Name::IfRange, CHANGED)]);
        assert!(!range_applies(&range, validators));
    }

    #[test]
    fn if_match_compares_strongly_and_comes_before_the_rest() {
        assert_eq!(outcome(&[(Name::IfMatch, "\"tag\"")]), Outcome::Proceed);
        assert_eq!(outcome(&[(Name::IfMatch, "*")]), Outcome::Proceed);
        assert_eq!(outcome(&[(Name::IfMatch, "W/\"tag\"")]), Outcome::Failed);
        assert_eq!(outcome(&[(Name::IfMatch, "\"x\""), (Name::IfNoneMatch, "\"tag\"")]), Outcome::Failed);
        assert_eq!(outcome(&[(Name::IfMatch, "\"tag\""), (Name::IfNoneMatch, "\"tag\"")]), Outcome::NotModified);
    }

    #[test]
    fn if_unmodified_since_fails_for_older_dates_only_without_if_match() {
        assert_eq!(outcome(&[(Name::IfUnmodifiedSince, BEFORE)]), Outcome::Failed);
        assert_eq!(outcome(&[(Name::IfUnmodifiedSince, CHANGED)]), Outcome::Proceed);
        assert_eq!(outcome(&[(Name::IfUnmodifiedSince, BEFORE), (Name::IfMatch, "\"tag\"")]), Outcome::Proceed);
    }

    #[test]
    fn if_range_needs_the_exact_tag_or_date() {
        let applies = |value| range_applies(&fields(&[(Name::IfRange, value)]), VALIDATORS);
        assert!(range_applies(&fields(&[]), VALIDATORS));
        assert!(applies("\"tag\"") && applies(CHANGED));
        for value in ["W/\"tag\"", "\"x\"", BEFORE, LATER, "tag"] {
            assert!(!applies(value), "{value}");
        }
    }
}

//! Byte ranges (RFC 9110, section 14).
//!
//! A Range field selects parts, is unsatisfiable, or is ignored. Ignored are invalid fields, as the RFC requires, and
//! wasteful ones: many small parts, or more bytes than the file has.

use super::field::{self, decimal};

/// Maximum number of parts of a response; bounds the cost of a small file.
pub const MAX_PARTS: usize = 16;

/// One part of a file; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Offset of the first byte.
    pub start: u64,
    /// Number of bytes, at least 1.
    pub length: u64,
}

impl Part {
    /// Offset of the last byte, as in `Content-Range`.
    pub fn last(&self) -> u64 {
        self.start.saturating_add(self.length).saturating_sub(1)
    }
}

/// The meaning of a Range field for a file of a certain size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The field is ignored: the whole file with 200.
    Whole,
    /// One part: 206 with `Content-Range`.
    One(Part),
    /// Several parts in the requested order: 206 as `multipart/byteranges`.
    Several(Vec<Part>),
    /// 416: none of the ranges lies within the file.
    Unsatisfiable,
}

/// Reads the value of a Range field for a file of `size` bytes.
pub fn select(value: &[u8], size: u64) -> Selection {
    let Some(set) = byte_ranges(value) else { return Selection::Whole };
    let mut parts = Vec::new();
    let mut named = 0usize;
    for spec in field::members(set) {
        named = named.saturating_add(1);
        match range(spec, size) {
            Spec::Junk => return Selection::Whole,
            Spec::Outside => {}
            Spec::Part(part) => parts.push(part),
        }
        if named > MAX_PARTS {
            return Selection::Whole;
        }
    }
    let parts = merge(parts);
    let total = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.length));
    match parts.as_slice() {
        _ if named == 0 => Selection::Whole,
        [] => Selection::Unsatisfiable,
        [part] => Selection::One(*part),
        _ if total > size => Selection::Whole,
        _ => Selection::Several(parts),
    }
}

/// The text behind `bytes=`; the unit is case-insensitive.
fn byte_ranges(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(memchr::memchr(b'=', value)?)?;
    if unit.eq_ignore_ascii_case(b"bytes") { set.get(1..) } else { None }
}

enum Spec {
    Junk,
    Outside,
    Part(Part),
}

fn range(spec: &[u8], size: u64) -> Spec {
    let Some((first, last)) = memchr::memchr(b'-', spec).and_then(|dash| spec.split_at_checked(dash)) else {
        return Spec::Junk;
    };
    let last = last.get(1..).unwrap_or_default();
    let number = |digits: &[u8]| {
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        // A number that overflows lies past the end of every file.
        is_number.then(|| decimal(digits).unwrap_or(u64::MAX))
    };
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(end)) if start > end => return Spec::Junk,
        (Some(start), Some(end)) => (start, end.saturating_add(1).min(size)),
        (Some(start), None) if last.is_empty() => (start, size),
        (None, Some(suffix)) if first.is_empty() => (size.saturating_sub(suffix), size),
        _ => return Spec::Junk,
    };
    match end.checked_sub(start) {
        Some(length) if length > 0 => Spec::Part(Part { start, length }),
        _ => Spec::Outside,
    }
}

/// Joins parts that overlap or touch, also if they are not adjacent in the request.
fn merge(parts: Vec<Part>) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
    for mut part in parts {
        // There are at most MAX_PARTS earlier parts.
        while let Some(at) = merged.iter().position(|other| touches(*other, part)) {
            part = union(merged.remove(at), part);
        }
        merged.push(part);
    }
    merged
}

fn touches(a: Part, b: Part) -> bool {
    a.start <= b.start.saturating_add(b.length) && b.start <= a.start.saturating_add(a.length)
}

fn union(a: Part, b: Part) -> Part {
    let start = a.start.min(b.start);
    let end = a.start.saturating_add(a.length).max(b.start.saturating_add(b.length));
    Part { start, length: end.saturating_sub(start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(start: u64, length: u64) -> Part {
        Part { start, length }
    }

    fn one(start: u64, length: u64) -> Selection {
        Selection::One(part(start, length))
    }

    #[test]
    fn first_and_last_are_inclusive_and_the_end_is_clipped() {
        assert_eq!(select(b"bytes=0-4", 10), one(0, 5));
        assert_eq!(select(b"bytes=5-", 10), one(5, 5));
        assert_eq!(select(b"Bytes=9-99999999999999999999", 10), one(9, 1));
    }

    #[test]
    fn a_suffix_counts_from_the_end_and_a_longer_one_is_the_whole_file() {
        assert_eq!(select(b"bytes=-3", 10), one(7, 3));
        assert_eq!(select(b"bytes=-99", 10), one(0, 10));
    }

    #[test]
    fn nothing_within_the_file_is_unsatisfiable() {
        for value in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=11-12,99-"] {
            assert_eq!(select(value.as_bytes(), 10), Selection::Unsatisfiable, "{value}");
        }
        assert_eq!(select(b"bytes=0-", 0), Selection::Unsatisfiable);
        assert_eq!(select(b"bytes=-5", 0), Selection::Unsatisfiable);
    }

    #[test]
    fn invalid_and_backward_ranges_and_other_units_are_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=a-b",
            "bytes=5-3",
            "lines=0-4",
            "bytes=1",
            "bytes=0-4,x",
            "bytes= -",
            "bytes=--1",
        ] {
            assert_eq!(select(value.as_bytes(), 10), Selection::Whole, "{value:?}");
        }
    }

    #[test]
    fn several_parts_keep_their_order_and_those_outside_are_dropped() {
        assert_eq!(select(b"bytes=8-9, 0-1,50-60", 10), Selection::Several(vec![part(8, 2), part(0, 2)]));
    }

    #[test]
    fn parts_that_overlap_or_touch_become_one() {
        assert_eq!(select(b"bytes=0-4,3-6", 10), one(0, 7));
        assert_eq!(select(b"bytes=0-1,2-3", 10), one(0, 4));
        assert_eq!(select(b"bytes=0-1,4-5,1-4", 10), one(0, 6));
    }

    #[test]
    fn more_parts_than_the_limit_are_ignored() {
        let many = (0..=MAX_PARTS).map(|n| format!("{}-{}", n * 10, n * 10)).collect::<Vec<_>>().join(",");
        assert_eq!(select(format!("bytes={many}").as_bytes(), 1000), Selection::Whole);
    }

    #[test]
    fn every_part_lies_within_the_file() {
        for size in [0, 1, 2, 10, u64::MAX] {
            for value in ["bytes=0-0,2-2,4-", "bytes=-1,0-18446744073709551615", "bytes=1-1,-2"] {
                let parts = match select(value.as_bytes(), size) {
                    Selection::One(part) => vec![part],
                    Selection::Several(parts) => parts,
                    _ => vec![],
                };
                assert!(parts.iter().all(|part| part.length > 0 && part.last() < size), "{value} {size}");
            }
        }
    }
}

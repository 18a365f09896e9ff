//! The header of an existing message (RFC 5322, section 2.2), split into fields without validation.
//!
//! CR, LF and CRLF each end a line. The header ends at an empty line, or, as in sendmail, before the first line that is
//! neither a field nor a continuation line; the body begins there.

use super::address::{AddressError, Mailbox, parse_list};

/// Preferred maximum of characters of a folded line (RFC 5322, section 2.1.1).
const FOLD_AT: usize = 78;
/// Maximum number of bytes of a header.
pub const MAX_HEADER: usize = 1 << 20;

/// One field, as slices of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The whole field with its line ends; the last field of a file may have none.
    pub raw: &'a [u8],
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The name as written.
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Whether the field has this name, case-insensitively.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The unfolded value, without white space at its ends.
    pub fn unfolded(&self) -> Vec<u8> {
        let line: Vec<u8> = self.value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        line.trim_ascii().to_vec()
    }

    /// The value as text; `None` when it is not UTF-8.
    pub fn text(&self) -> Option<String> {
        String::from_utf8(self.unfolded()).ok()
    }
}

/// A field with overlong lines, folded again at its white space (RFC 5322, section 2.2.3).
///
/// A single word may still be longer, because a cut would change it.
pub fn folded(raw: &[u8]) -> Vec<u8> {
    let (mut out, mut column) = (Vec::with_capacity(raw.len().saturating_add(64)), 0_usize);
    let mut rest: Vec<u8> = raw.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    rest.truncate(rest.trim_ascii_end().len());
    let mut rest = rest.as_slice();
    while !rest.is_empty() {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let blanks = rest.iter().position(|byte| !is_blank(byte)).unwrap_or(rest.len());
        let word = rest.iter().skip(blanks).position(is_blank).unwrap_or(rest.len().saturating_sub(blanks));
        let (piece, behind) = rest.split_at_checked(blanks.saturating_add(word)).unwrap_or((rest, &[]));
        // The first word stays on the line of the name.
        if column.saturating_add(piece.len()) > FOLD_AT && blanks > 0 && out.contains(&b' ') {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.extend_from_slice(piece);
        column = column.saturating_add(piece.len());
        rest = behind;
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A header and its length.
#[derive(Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The fields in their order.
    pub fields: Vec<Field<'a>>,
    /// Number of bytes before the body, including the empty line.
    pub length: usize,
    /// Whether the empty line is present.
    pub separated: bool,
}

/// Reads a header from the start of `bytes`; `None` when it goes on behind them, which is never so if they are
/// `complete`.
pub fn parse(bytes: &[u8], complete: bool) -> Option<Header<'_>> {
    let mut header = Header { fields: Vec::new(), length: 0, separated: false };
    loop {
        let rest = bytes.get(header.length..).unwrap_or_default();
        let first = line(rest, complete)?;
        let Some((name, colon)) = (!first.text.is_empty()).then(|| field_name(first.text)).flatten() else {
            if first.text.is_empty() && !first.whole.is_empty() {
                header.length = header.length.saturating_add(first.whole.len());
                header.separated = true;
            }
            return Some(header);
        };
        let mut length = first.whole.len();
        loop {
            let next = line(rest.get(length..).unwrap_or_default(), complete)?;
            if !matches!(next.text.first(), Some(b' ' | b'\t')) {
                break;
            }
            length = length.saturating_add(next.whole.len());
        }
        let raw = rest.get(..length).unwrap_or_default();
        header.fields.push(Field { raw, name, value: raw.get(colon.saturating_add(1)..).unwrap_or_default() });
        header.length = header.length.saturating_add(length);
    }
}

/// A line without and with its line end.
struct FieldLine<'a> {
    text: &'a [u8],
    whole: &'a [u8],
}

/// The first line; `None` when it is incomplete.
fn line(bytes: &[u8], complete: bool) -> Option<FieldLine<'_>> {
    let Some(end) = memchr::memchr2(b'\r', b'\n', bytes) else {
        return complete.then_some(FieldLine { text: bytes, whole: bytes });
    };
    let (text, behind) = bytes.split_at_checked(end)?;
    let ending = match behind {
        [b'\r', b'\n', ..] => 2,
        [b'\r'] if !complete => return None,
        _ => 1,
    };
    Some(FieldLine { text, whole: bytes.get(..end.saturating_add(ending))? })
}

/// The name of a field and the position of its colon; obsolete syntax has white space before the colon.
fn field_name(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = memchr::memchr(b':', line)?;
    let name = line.get(..colon)?.trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some((name, colon))
}

/// The mailboxes of an address field such as To (RFC 5322, section 3.4), including those in groups.
///
/// Semicolons between addresses outside of groups count as commas, because some programs write them.
pub fn mailboxes(value: &str) -> Result<Vec<Mailbox>, AddressError> {
    let (mut list, mut member, mut group) = (String::with_capacity(value.len()), 0, false);
    let (mut quoted, mut escaped, mut comments, mut brackets) = (false, false, 0_usize, 0_usize);
    for character in value.chars() {
        let plain = !quoted && !escaped && comments == 0 && brackets == 0;
        match character {
            ':' if plain && !group => {
                // The end of the name of a group.
                list.truncate(member);
                group = true;
                continue;
            }
            ',' | ';' if plain => {
                group = group && character != ';';
                list.push(',');
                member = list.len();
                continue;
            }
            '"' if !escaped && comments == 0 => quoted = !quoted,
            '(' if !escaped && !quoted => comments = comments.saturating_add(1),
            ')' if !escaped && !quoted => comments = comments.saturating_sub(1),
            '<' | '[' if plain || brackets > 0 => brackets = brackets.saturating_add(1),
            '>' | ']' if !quoted && !escaped && comments == 0 => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        escaped = character == '\\' && !escaped && (quoted || comments > 0);
        list.push(character);
    }
    if group {
        return Err(AddressError::Unbalanced);
    }
    parse_list(&list)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn names(header: &Header<'_>) -> Vec<String> {
        header.fields.iter().map(|field| String::from_utf8_lossy(field.name()).into_owned()).collect()
    }

    fn addresses(value: &str) -> Vec<String> {
        mailboxes(value).unwrap().iter().map(|one| one.address.to_string()).collect()
    }

    #[test]
    fn cr_lf_and_crlf_end_a_line() {
        for end in ["\r\n", "\n", "\r"] {
            let message = ["A: 1", "B: 2", "  3", "", "body"].join(end);
            let header = parse(message.as_bytes(), true).unwrap();
            assert_eq!(names(&header), ["A", "B"]);
            assert_eq!(header.fields[1].text().unwrap(), "2  3");
            assert!(header.separated);
            assert_eq!(&message[header.length..], "body");
        }
    }

    #[test]
    fn a_line_that_is_not_a_field_begins_the_body() {
        for (message, fields, separated, body) in [
            ("hello\n", 0, false, "hello\n"),
            ("A: 1\nhello: no\nnot a field\n", 2, false, "not a field\n"),
            ("A: 1\n", 1, false, ""),
            ("A: 1", 1, false, ""),
            ("\nA: 1\n", 0, true, "A: 1\n"),
            (" folded\nA: 1\n", 0, false, " folded\nA: 1\n"),
            ("", 0, false, ""),
            ("two words: 1\n", 0, false, "two words: 1\n"),
        ] {
            let header = parse(message.as_bytes(), true).unwrap();
            assert_eq!((header.fields.len(), header.separated), (fields, separated), "{message:?}");
            assert_eq!(&message[header.length..], body, "{message:?}");
        }
    }

    #[test]
    fn an_incomplete_header_is_not_cut() {
        let message = b"A: 1\r\n 2\r\nB : 3\r\n\r\nbody";
        let whole = parse(message, true).unwrap();
        for cut in 0..message.len() {
            if let Some(header) = parse(&message[..cut], false) {
                assert_eq!(header, whole, "{cut}");
            }
        }
        assert_eq!(parse(message, false), Some(whole));
    }

    #[test]
    fn folding_a_field_at_white_space_keeps_its_value() {
        let long = format!("To: {}", vec!["person@example.com"; 100].join(", "));
        let field = String::from_utf8(folded(long.as_bytes())).unwrap();
        assert!(field.lines().all(|line| line.len() <= 78 && !line.trim().is_empty()), "{field}");
        assert_eq!(field.replace("\r\n", ""), long);
        assert_eq!(folded(b"A: b\n c\r\n"), b"A: b c\r\n");
        assert_eq!(folded(b"A:\n"), b"A:\r\n");
        let word = format!("X: {} y\r\n", "x".repeat(2000));
        assert_eq!(folded(word.as_bytes()), word.replace(" y", "\r\n y").as_bytes());
    }

    #[test]
    fn members_of_groups_are_included() {
        assert_eq!(addresses("undisclosed-recipients:;"), Vec::<String>::new());
        assert_eq!(
            addresses("Team: Bob <b@x.example>, c@x.example;, d@x.example"),
            ["b@x.example", "c@x.example", "d@x.example"]
        );
        assert_eq!(addresses("\"a:b\" <b@x> (c:d;e), x@[IPv6:::1]"), ["b@x", "x@[IPv6:::1]"]);
        assert_eq!(addresses("a@x; b@x"), ["a@x", "b@x"]);
        assert_eq!(mailboxes("Team: a@x"), Err(AddressError::Unbalanced));
        assert_eq!(mailboxes("\"open <a@x>"), Err(AddressError::Unbalanced));
    }
}

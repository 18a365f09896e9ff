//! Header fields (RFC 9110, section 5; RFC 9112, section 5): the names that this server uses, and their values.
//!
//! Only fields that can change the response or appear in the log are kept; others are only checked. The first value of
//! each name has a fixed position, so a request without repeated fields allocates nothing.

/// The names of the request fields that this server uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the name of the field")]
pub enum Name {
    Accept,
    AcceptEncoding,
    AccessControlRequestHeaders,
    AccessControlRequestMethod,
    AccessControlRequestPrivateNetwork,
    Authorization,
    Connection,
    ContentLength,
    Expect,
    Forwarded,
    Host,
    IfMatch,
    IfModifiedSince,
    IfNoneMatch,
    IfRange,
    IfUnmodifiedSince,
    Origin,
    Range,
    Referer,
    TransferEncoding,
    UserAgent,
    XForwardedFor,
}

const NAMES: [(Name, &[u8]); 22] = [
    (Name::Accept, b"accept"),
    (Name::AcceptEncoding, b"accept-encoding"),
    (Name::AccessControlRequestHeaders, b"access-control-request-headers"),
    (Name::AccessControlRequestMethod, b"access-control-request-method"),
    (Name::AccessControlRequestPrivateNetwork, b"access-control-request-private-network"),
    (Name::Authorization, b"authorization"),
    (Name::Connection, b"connection"),
    (Name::ContentLength, b"content-length"),
    (Name::Expect, b"expect"),
    (Name::Forwarded, b"forwarded"),
    (Name::Host, b"host"),
    (Name::IfMatch, b"if-match"),
    (Name::IfModifiedSince, b"if-modified-since"),
    (Name::IfNoneMatch, b"if-none-match"),
    (Name::IfRange, b"if-range"),
    (Name::IfUnmodifiedSince, b"if-unmodified-since"),
    (Name::Origin, b"origin"),
    (Name::Range, b"range"),
    (Name::Referer, b"referer"),
    (Name::TransferEncoding, b"transfer-encoding"),
    (Name::UserAgent, b"user-agent"),
    (Name::XForwardedFor, b"x-forwarded-for"),
];

impl Name {
    /// The name with these bytes, case-insensitively.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        NAMES.iter().find(|(_, text)| text.eq_ignore_ascii_case(bytes)).map(|(name, _)| *name)
    }
}

/// The known fields of one request.
#[derive(Debug, Default, Clone)]
pub struct Fields<'b> {
    first: [Option<&'b [u8]>; NAMES.len()],
    repeated: Vec<(Name, &'b [u8])>,
}

impl<'b> Fields<'b> {
    pub(crate) fn add(&mut self, name: Name, value: &'b [u8]) {
        match self.first.get_mut(name as usize) {
            Some(position @ None) => *position = Some(value),
            _ => self.repeated.push((name, value)),
        }
    }

    /// The value of the first field of this name, without surrounding white space.
    pub fn first(&self, name: Name) -> Option<&'b [u8]> {
        self.first.get(name as usize).copied().flatten()
    }

    /// The value of a field that must not be repeated; `None` when it is missing or repeated.
    pub fn only(&self, name: Name) -> Option<&'b [u8]> {
        if self.repeats(name) { None } else { self.first(name) }
    }

    /// Whether more than one field of this name was sent.
    pub fn repeats(&self, name: Name) -> bool {
        self.repeated.iter().any(|(other, _)| *other == name)
    }

    /// All values of this name, in the order received.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &'b [u8]> {
        let more = self.repeated.iter().filter(move |(other, _)| *other == name).map(|(_, value)| *value);
        self.first(name).into_iter().chain(more)
    }

    /// The members of a comma-separated list field over all its lines, without empty members (RFC 9110, section 5.6.1).
    ///
    /// Commas inside quoted strings do not separate.
    pub fn list(&self, name: Name) -> impl Iterator<Item = &'b [u8]> {
        self.all(name).flat_map(members)
    }

    /// Whether a list field of tokens has this member, case-insensitively.
    pub fn lists(&self, name: Name, token: &[u8]) -> bool {
        self.list(name).any(|member| member.eq_ignore_ascii_case(token))
    }
}

/// The members of one comma-separated list value; see [`Fields::list`].
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    value
        .split(move |byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' if !quoted => return true,
                _ => {}
            }
            false
        })
        .map(trim)
        .filter(|member| !member.is_empty())
}

/// `value` without spaces and tabs at its ends (OWS, RFC 9110, section 5.6.3).
pub fn trim(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last.saturating_add(1));
    value.get(start..end).unwrap_or_default()
}

/// Whether `byte` is valid in a token (RFC 9110, section 5.6.2).
pub const fn is_token(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+'
        | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Whether `byte` is valid in a field value: visible ASCII, space, tab, or 0x80 to 0xFF (RFC 9110, section 5.5).
pub const fn is_value(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

/// A number of decimal digits only; `None` also when it overflows.
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_insensitive_and_indexed_in_their_order() {
        assert_eq!(Name::from_bytes(b"IF-None-match"), Some(Name::IfNoneMatch));
        assert_eq!(Name::from_bytes(b"x-other"), None);
        for (place, (name, _)) in NAMES.iter().enumerate() {
            assert_eq!(*name as usize, place);
        }
    }

    #[test]
    fn repeated_fields_keep_their_order_and_are_not_a_single_value() {
        let mut fields = Fields::default();
        fields.add(Name::IfNoneMatch, b"\"a\"");
        fields.add(Name::Host, b"h");
        fields.add(Name::IfNoneMatch, b"\"b\", \"c\"");
        let all: Vec<_> = fields.list(Name::IfNoneMatch).collect();
        assert_eq!(all, [b"\"a\"", b"\"b\"", b"\"c\""]);
        assert_eq!(fields.only(Name::IfNoneMatch), None);
        assert_eq!(fields.only(Name::Host), Some(&b"h"[..]));
    }

    #[test]
    fn list_members_are_trimmed_and_commas_in_quotes_do_not_separate() {
        let list = |value| members(value).map(|member| String::from_utf8_lossy(member)).collect::<Vec<_>>();
        assert_eq!(list(b" a ,, b\t,"), ["a", "b"]);
        assert_eq!(list(b"\"a,b\", \"c\\\",d\" ,e"), ["\"a,b\"", "\"c\\\",d\"", "e"]);
        assert_eq!(list(b""), [""; 0]);
    }

    #[test]
    fn trimming_leaves_inner_space() {
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(trim(b"  "), b"");
    }
}

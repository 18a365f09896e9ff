//! Addresses of the envelope (RFC 5321, section 4.1.2) and mailboxes of header fields and options (RFC 5322, section
//! 3.4): `Name <a@b>`, `"Last, First" <a@b>`, `a@b (Name)`, comma-separated lists.
//!
//! An [`Address`] has no `<`, `>`, CR, LF, NUL or other control character, so it is safe between angle brackets. Its
//! domain is ASCII: U-labels become A-labels (RFC 5891). A local part that is not ASCII stays (RFC 6531);
//! [`Address::needs_smtputf8`] reports it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// RFC 5321, section 4.5.3.1.1.
const MAX_LOCAL_PART: usize = 64;
/// RFC 5321, section 4.5.3.1.2.
const MAX_DOMAIN: usize = 255;
/// A path has 256 bytes with its brackets (RFC 5321, section 4.5.3.1.3).
const MAX_ADDRESS: usize = 254;
/// RFC 1035, section 2.3.4.
const MAX_LABEL: usize = 63;

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// An empty address.
    #[error("an address is missing")]
    Empty,
    /// No `@`.
    #[error("no '@' and domain: write NAME@HOST")]
    NoDomain,
    /// The part before the `@` has characters that need quotes, or dots in wrong places.
    #[error("the part before '@' is not valid")]
    LocalPart,
    /// The part behind the `@` is neither a domain nor an address literal.
    #[error("the part behind '@' is not a domain")]
    Domain,
    /// A part, or the whole address, is longer than RFC 5321 allows.
    #[error("longer than an address can be")]
    TooLong,
    /// An internationalised domain that IDNA does not allow.
    #[error("the part behind '@' is not a domain in any script")]
    Idn,
    /// A line break, NUL or other control character.
    #[error("a line break or control character in an address")]
    Control,
    /// Unbalanced brackets or quotes.
    #[error("unbalanced quotes or brackets")]
    Unbalanced,
    /// A comment between two words.
    #[error("a comment within a word; write the address without it")]
    Comment,
    /// `"user@host"`.
    #[error("the whole address is in quotes; remove them")]
    QuotedWhole,
    /// Words behind `<a@b>`.
    #[error("text behind the address; separate addresses by commas")]
    Trailing,
}

/// Marks the position of a comment in an addr-spec; control characters are rejected before.
const COMMENT: char = '\0';

/// Removes comments and blanks beside `.` and `@` (RFC 5322, sections 3.2.2 and 4.4).
///
/// # Errors
/// A comment or blank between two atoms: joining them would name another mailbox.
fn without_comments(text: &str) -> Result<String, AddressError> {
    let (mut out, mut is_quoted, mut depth) = (String::with_capacity(text.len()), false, 0_usize);
    // The gap since the last character: none, white space, or a comment.
    let mut gap = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if depth > 0 => drop(characters.next()),
            '(' if !is_quoted => depth = depth.saturating_add(1),
            ')' if depth > 0 => {
                depth = depth.saturating_sub(1);
                gap = Some(AddressError::Comment);
            }
            _ if depth > 0 => {}
            COMMENT => gap = Some(AddressError::Comment),
            ' ' | '\t' if !is_quoted => gap = gap.or(Some(AddressError::LocalPart)),
            _ => {
                let is_joint = out.is_empty() || out.ends_with(['.', '@']) || matches!(character, '.' | '@');
                if let Some(error) = gap.take().filter(|_| !is_joint) {
                    return Err(error);
                }
                out.push(character);
                match character {
                    '"' => is_quoted = !is_quoted,
                    '\\' if is_quoted => out.extend(characters.next()),
                    _ => {}
                }
            }
        }
    }
    if depth > 0 { Err(AddressError::Unbalanced) } else { Ok(out) }
}

/// Drops a source route `@relay,@relay:` (RFC 5321, appendix C).
fn without_route(text: &str) -> &str {
    match text.split_once(':') {
        Some((route, rest)) if route.starts_with('@') && rest.contains('@') => rest,
        _ => text,
    }
}

/// A local part with dots at its ends or in a row, as a quoted string; `None` for any other.
fn quoted_dots(local_part: &str) -> Option<String> {
    let atoms = || local_part.split('.');
    let is_plain = atoms().flat_map(str::bytes).all(|byte| is_atom_byte(byte) || !byte.is_ascii());
    let has_text = atoms().any(|atom| !atom.is_empty());
    (is_plain && has_text && atoms().any(str::is_empty)).then(|| format!("\"{local_part}\""))
}

/// `local-part@domain`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// Parses an address without name and brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(AddressError::Control);
        }
        Self::parse_spec(text)
    }

    /// Parses an addr-spec in which [`COMMENT`] marks a comment; obsolete forms are normalised (RFC 5322, section 4.4).
    fn parse_spec(text: &str) -> Result<Self, AddressError> {
        let text = without_comments(text)?;
        let text = without_route(&text);
        let at = text.rfind('@').ok_or(AddressError::NoDomain)?;
        if is_quoted_string(text) {
            return Err(AddressError::QuotedWhole);
        }
        let (local_part, domain) = text.split_at_checked(at).ok_or(AddressError::NoDomain)?;
        let domain = domain.strip_prefix('@').unwrap_or(domain);
        // SMTP has no final dot of an absolute name (RFC 5321, section 2.3.5).
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        let quoted = quoted_dots(local_part);
        let local_part = quoted.as_deref().unwrap_or(local_part);
        let domain = if domain.is_ascii() { domain.to_owned() } else { a_labels(domain)? };
        let length = local_part.len().saturating_add(domain.len());
        if local_part.len() > MAX_LOCAL_PART || domain.len() > MAX_DOMAIN || length >= MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        if !is_dot_string(local_part) && !is_quoted_string(local_part) {
            return Err(AddressError::LocalPart);
        }
        if !is_domain(&domain) {
            return Err(AddressError::Domain);
        }
        Ok(Self { at: local_part.len(), text: format!("{local_part}@{domain}") })
    }

    /// The part behind the `@`.
    pub fn domain(&self) -> &str {
        self.text.get(self.at.saturating_add(1)..).unwrap_or_default()
    }

    /// Whether the address requires SMTPUTF8 (RFC 6531), because its local part is not ASCII.
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An address with a display name, as in a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, without quotes and control characters.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
}

impl Mailbox {
    /// Parses exactly one mailbox.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut list = parse_list(text)?;
        match (list.pop(), list.is_empty()) {
            (Some(mailbox), true) => Ok(mailbox),
            (None, _) => Err(AddressError::Empty),
            (Some(_), false) => Err(AddressError::Trailing),
        }
    }
}

/// Parses a comma-separated list of mailboxes; empty elements are ignored.
pub fn parse_list(text: &str) -> Result<Vec<Mailbox>, AddressError> {
    if text.chars().any(|character| character.is_control() && character != '\t') {
        return Err(AddressError::Control);
    }
    let mut list = Vec::new();
    let mut scan = AddressScanner { rest: text.chars() };
    while !scan.rest.as_str().is_empty() {
        list.extend(scan.mailbox()?);
    }
    Ok(list)
}

/// Scans a list; each call of [`AddressScanner::mailbox`] reads up to the next comma.
struct AddressScanner<'a> {
    rest: std::str::Chars<'a>,
}

impl AddressScanner<'_> {
    /// The next mailbox; `None` for an empty element.
    fn mailbox(&mut self) -> Result<Option<Mailbox>, AddressError> {
        let (mut words, mut bare, mut comment) = (String::new(), String::new(), String::new());
        let mut route: Option<String> = None;
        while let Some(character) = self.rest.next() {
            match character {
                ',' | ';' => break,
                // The display name of a group (RFC 5322, section 3.4); its members follow.
                ':' if route.is_none() && !bare.contains('@') => {
                    words.clear();
                    bare.clear();
                    comment.clear();
                }
                '"' => self.quoted(&mut words, &mut bare)?,
                '(' => {
                    self.comment(&mut comment)?;
                    bare.push(COMMENT);
                }
                '<' if route.is_none() => route = Some(self.until_bracket()?),
                '<' | '>' | ')' => return Err(AddressError::Unbalanced),
                _ if route.is_some() && !character.is_whitespace() => return Err(AddressError::Trailing),
                _ => {
                    words.push(character);
                    bare.push(character);
                }
            }
        }
        let name =
            |text: &str| Some(text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|name| !name.is_empty());
        match route {
            Some(address) => Ok(Some(Mailbox { name: name(&words), address: Address::parse_spec(address.trim())? })),
            None if bare.chars().all(|character| character.is_whitespace() || character == COMMENT) => Ok(None),
            None => Ok(Some(Mailbox { name: name(&comment), address: Address::parse_spec(bare.trim())? })),
        }
    }

    /// A quoted string: appends its content to `words` and its source text to `bare`, because it may be a local part.
    fn quoted(&mut self, words: &mut String, bare: &mut String) -> Result<(), AddressError> {
        bare.push('"');
        while let Some(character) = self.rest.next() {
            bare.push(character);
            match character {
                '"' => return Ok(()),
                '\\' => {
                    let escaped = self.rest.next().ok_or(AddressError::Unbalanced)?;
                    bare.push(escaped);
                    words.push(escaped);
                }
                _ => words.push(character),
            }
        }
        Err(AddressError::Unbalanced)
    }

    fn comment(&mut self, comment: &mut String) -> Result<(), AddressError> {
        let mut depth: usize = 1;
        while let Some(character) = self.rest.next() {
            match character {
                '(' => depth = depth.saturating_add(1),
                ')' => depth = depth.saturating_sub(1),
                '\\' => comment.push(self.rest.next().ok_or(AddressError::Unbalanced)?),
                _ => comment.push(character),
            }
            if depth == 0 {
                return Ok(());
            }
        }
        Err(AddressError::Unbalanced)
    }

    fn until_bracket(&mut self) -> Result<String, AddressError> {
        let (mut address, mut quoted, mut escaped) = (String::new(), false, false);
        while let Some(character) = self.rest.next() {
            match character {
                '>' if !quoted => return Ok(address),
                '(' if !quoted => {
                    self.comment(&mut String::new())?;
                    address.push(COMMENT);
                    continue;
                }
                '"' if !escaped => quoted = !quoted,
                _ => {}
            }
            escaped = character == '\\' && !escaped;
            address.push(character);
        }
        Err(AddressError::Unbalanced)
    }
}

/// Whether a byte is valid in an atom (RFC 5322, section 3.2.3).
pub fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// Whether a character is valid in an atom, also a non-ASCII one (RFC 6531, section 3.3).
fn is_dot_string(text: &str) -> bool {
    let valid = |byte: u8| is_atom_byte(byte) || !byte.is_ascii();
    text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(valid))
}

/// The A-labels of a domain (RFC 5891), by the rules of browsers (UTS 46).
fn a_labels(domain: &str) -> Result<String, AddressError> {
    idna::domain_to_ascii_strict(domain).map_err(|_| AddressError::Idn)
}

/// A quoted local part, without `<` and `>`, which RFC 5321 allows and many servers misread.
fn is_quoted_string(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    let mut bytes = inner.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'\\' => bytes.next().is_some_and(|escaped| matches!(escaped, b' '..=b'~') && !b"<>".contains(&escaped)),
            b'"' | b'<' | b'>' => false,
            _ => matches!(byte, b' '..=b'~') || !byte.is_ascii(),
        };
        if !allowed {
            return false;
        }
    }
    !inner.is_empty()
}

/// A domain of letters, digits and hyphens, or an address literal in brackets.
pub fn is_domain(text: &str) -> bool {
    if let Some(literal) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match literal.strip_prefix("IPv6:") {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => literal.parse::<Ipv4Addr>().is_ok(),
        };
    }
    text.len() <= MAX_DOMAIN && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn ordinary_addresses_are_accepted() {
        for good in
            ["bob@example.com", "a.b+c@x-y.example", "o'neil@example.org", "\"a b\"@example.com", "x@[192.0.2.1]"]
        {
            assert_eq!(Address::parse(good).map(|address| address.to_string()), Ok(good.to_owned()));
        }
        assert_eq!(Address::parse("\"a@b\"@example.com").unwrap().domain(), "example.com");
    }

    #[test]
    fn obsolete_forms_are_normalised() {
        for (text, address) in [
            ("a . b @ example . com", "a.b@example.com"),
            ("a(x).b@(y)example.com(z)", "a.b@example.com"),
            ("@relay.example,@other.example:a@b.example", "a@b.example"),
            ("a@example.com.", "a@example.com"),
            ("a@under_score.example", "a@under_score.example"),
            ("a..b@docomo.example", "\"a..b\"@docomo.example"),
            ("a.@docomo.example", "\"a.\"@docomo.example"),
            (".a@docomo.example", "\".a\"@docomo.example"),
        ] {
            let parsed = Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(parsed.as_str(), address, "{text}");
            assert_eq!(Address::parse(parsed.as_str()).as_ref(), Ok(&parsed));
            assert!(!parsed.domain().contains('@'), "{text}");
        }
        let list =
            parse_list("Friends: A (x) <a@b.example>, <@r.example:c@d.example>;, e(f)@g.example, none:;").unwrap();
        let seen: Vec<_> = list.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(seen, ["a@b.example", "c@d.example", "e@g.example"]);
        assert_eq!(parse_list("a(comment)b@x.example"), Err(AddressError::Comment));
    }

    #[test]
    fn an_invalid_address_is_reported_with_the_reason() {
        let cases = [
            ("", AddressError::Empty),
            ("root", AddressError::NoDomain),
            ("a b@example.com", AddressError::LocalPart),
            ("@example.com", AddressError::LocalPart),
            ("a@", AddressError::Domain),
            ("a(comment)b@example.com", AddressError::Comment),
            ("a @b c", AddressError::LocalPart),
            ("\"user@host\"", AddressError::QuotedWhole),
            ("..@example.com", AddressError::LocalPart),
            ("a@-b.example", AddressError::Domain),
            ("a@[300.1.1.1]", AddressError::Domain),
            ("a@\u{2028}x.example", AddressError::Idn),
            ("a@example.com\r\nRCPT TO:<b@example.com>", AddressError::Control),
            ("a\0@example.com", AddressError::Control),
            ("\"<x>\"@example.com", AddressError::LocalPart),
        ];
        for (text, error) in cases {
            assert_eq!(Address::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(Address::parse(&format!("{}@example.com", "a".repeat(65))), Err(AddressError::TooLong));
    }

    #[test]
    fn u_labels_become_a_labels_and_a_non_ascii_local_part_needs_smtputf8() {
        let address = Address::parse("joerg@müller.example").unwrap();
        assert_eq!((address.as_str(), address.needs_smtputf8()), ("joerg@xn--mller-kva.example", false));
        let address = Address::parse("jörg@MÜLLER.example").unwrap();
        assert_eq!((address.as_str(), address.needs_smtputf8()), ("jörg@xn--mller-kva.example", true));
        assert_eq!(Address::parse("用户@例え.テスト").unwrap().domain(), "xn--r8jz45g.xn--zckzah");
    }

    #[test]
    fn no_accepted_address_can_leave_its_brackets() {
        for byte in 0..=127u8 {
            let inserted = char::from(byte);
            for text in [format!("a{inserted}b@example.com"), format!("\"a{inserted}b\"@x"), format!("a@x{inserted}y")]
            {
                if let Ok(address) = Address::parse(&text) {
                    assert!(!address.as_str().contains(['<', '>', '\r', '\n', '\0']), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn lists_have_names_quotes_comments_and_plain_addresses() {
        let list = parse_list("Bob B. <bob@x.example>, \"Last, First\" <c@d>,, e@f (Eve), <g@h>, Jörg <j@k>").unwrap();
        let seen: Vec<_> = list.iter().map(|one| (one.name.as_deref(), one.address.as_str())).collect();
        let expected = [
            (Some("Bob B."), "bob@x.example"),
            (Some("Last, First"), "c@d"),
            (Some("Eve"), "e@f"),
            (None, "g@h"),
            (Some("Jörg"), "j@k"),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_quoted_local_part_survives_in_a_list() {
        assert_eq!(parse_list("\"a, b\"@example.com").unwrap()[0].address.as_str(), "\"a, b\"@example.com");
        assert_eq!(parse_list("X <\"a>b\"@example.com>"), Err(AddressError::LocalPart));
    }

    #[test]
    fn malformed_lists_are_rejected() {
        let cases = [
            ("Bob <bob@x", AddressError::Unbalanced),
            ("\"Bob <bob@x>", AddressError::Unbalanced),
            ("a@b>", AddressError::Unbalanced),
            ("<a@b> c@d", AddressError::Trailing),
            ("Bob\n <a@b>", AddressError::Control),
        ];
        for (text, error) in cases {
            assert_eq!(parse_list(text), Err(error), "{text:?}");
        }
        assert_eq!(Mailbox::parse("a@b, c@d"), Err(AddressError::Trailing));
        assert_eq!(Mailbox::parse(" "), Err(AddressError::Empty));
    }
}

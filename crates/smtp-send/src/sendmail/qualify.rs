//! Adds a domain to the addresses of a list that have none (`root`).
//!
//! Pure. Bytes are only inserted: names, comments, line ends and charsets stay as they are.

/// The list of addresses in `value`, each with a domain.
pub fn list(value: &[u8], domain: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + domain.len() + 1);
    let mut rest = value;
    while !rest.is_empty() {
        let member = AddressPart::first(rest);
        match member.end_of_local_name {
            Some(end) => {
                out.extend_from_slice(&rest[..end]);
                out.push(b'@');
                out.extend_from_slice(domain.as_bytes());
                out.extend_from_slice(&rest[end..member.length]);
            }
            None => out.extend_from_slice(&rest[..member.length]),
        }
        rest = &rest[member.length..];
    }
    out
}

/// The first element of a list: an address, the name of a group, or the text between them.
#[derive(Debug, Default)]
struct AddressPart {
    /// Bytes up to and including the comma, colon or semicolon.
    length: usize,
    end_of_local_name: Option<usize>,
}

impl AddressPart {
    fn first(list: &[u8]) -> Self {
        let (mut words, mut bracket) = (HeaderWords::default(), None::<HeaderWords>);
        let mut at = 0;
        while let Some(byte) = list.get(at) {
            let inside = bracket.is_some();
            let current = bracket.as_mut().unwrap_or(&mut words);
            match byte {
                b'"' => {
                    // An unclosed quote stays an error.
                    let Some(end) = quoted_end(list, at) else { break };
                    current.add(at, end);
                    at = end;
                    continue;
                }
                b'(' => {
                    at = comment_end(list, at);
                    continue;
                }
                // An address literal (RFC 5321, section 4.1.3) contains colons.
                b'[' => {
                    let end = list[at..].iter().position(|byte| *byte == b']').map_or(list.len(), |end| at + end + 1);
                    (current.has_at, at) = (true, end);
                    continue;
                }
                b'<' if !inside => bracket = Some(HeaderWords::default()),
                b'>' => {
                    let found = bracket.take().and_then(|words| words.local_name());
                    // The address is complete at the bracket.
                    return Self { length: member_end(list, at), end_of_local_name: found };
                }
                b',' | b';' | b':' if !inside => {
                    let found = if *byte == b':' { None } else { words.local_name() };
                    return Self { length: at + 1, end_of_local_name: found };
                }
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => {
                    current.add(at, at + 1);
                    current.has_at |= *byte == b'@';
                }
            }
            at += 1;
        }
        let whole = at >= list.len() && bracket.is_none();
        Self { length: list.len(), end_of_local_name: if whole { words.local_name() } else { None } }
    }
}

/// The words of an address, without comments.
#[derive(Debug, Default)]
struct HeaderWords {
    end: usize,
    count: usize,
    has_at: bool,
}

impl HeaderWords {
    fn add(&mut self, start: usize, end: usize) {
        if self.count == 0 || start > self.end {
            self.count += 1;
        }
        self.end = end;
    }

    /// Where its only word ends, if it has no domain. Several words stay an error.
    fn local_name(&self) -> Option<usize> {
        (self.count == 1 && !self.has_at).then_some(self.end)
    }
}

/// The index behind the quoted string that begins at `start`, if it is closed.
fn quoted_end(list: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while let Some(byte) = list.get(at) {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The index behind the comment that begins at `start`; comments may be nested.
fn comment_end(list: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = list.get(at) {
        match byte {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at.min(list.len());
        }
    }
    list.len()
}

/// The index behind the comma or semicolon that ends the element.
fn member_end(list: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = list.get(at) {
        match byte {
            b',' | b';' => return at + 1,
            b'"' => at = quoted_end(list, at).unwrap_or(list.len()),
            b'(' => at = comment_end(list, at),
            _ => at += 1,
        }
    }
    list.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qualified(value: &str) -> String {
        String::from_utf8(list(value.as_bytes(), "h.example")).unwrap()
    }

    #[test]
    fn a_name_alone_gets_the_domain() {
        for (value, expected) in [
            ("root", "root@h.example"),
            (" root\r\n", " root@h.example\r\n"),
            ("root (Cron Daemon)", "root@h.example (Cron Daemon)"),
            ("(Cron Daemon) root", "(Cron Daemon) root@h.example"),
            ("\"(Cron Daemon)\" <root>", "\"(Cron Daemon)\" <root@h.example>"),
            ("Bob <bob>, ann, c@x", "Bob <bob@h.example>, ann@h.example, c@x"),
            ("\"a b\"", "\"a b\"@h.example"),
            ("Team: bob, <ann>;, c", "Team: bob@h.example, <ann@h.example>;, c@h.example"),
            ("bob,\r\n ann", "bob@h.example,\r\n ann@h.example"),
            ("a.b", "a.b@h.example"),
        ] {
            assert_eq!(qualified(value), expected);
        }
    }

    #[test]
    fn what_has_a_domain_or_is_no_address_stays() {
        for value in [
            "",
            " ",
            "bob@x",
            "Bob Smith <bob@x> (at home, mostly)",
            "undisclosed-recipients:;",
            "two words",
            "\"a@b\" <c@x>",
            "<>",
            "bob@[IPv6:::1]",
            "bob @ x",
            "<@route:bob@x>",
            "\"open",
            "(open",
            "<open",
        ] {
            assert_eq!(qualified(value), value, "{value}");
        }
    }

    #[test]
    fn a_second_time_changes_nothing() {
        for value in ["root", "A <b>, c (d), \"e\"", "g: h, <i>;, j"] {
            assert_eq!(qualified(&qualified(value)), qualified(value));
        }
    }
}

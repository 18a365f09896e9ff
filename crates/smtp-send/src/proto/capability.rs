//! The extensions in the reply to EHLO (RFC 5321, section 4.1.1.1).
//!
//! Keywords are whole words and case-insensitive. Unknown keywords are ignored.

use crate::proto::auth::Mechanism;
use crate::proto::reply::Reply;

/// The extensions of one EHLO reply that this program uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent offers")]
pub struct Capabilities {
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SIZE (RFC 1870): MAIL may declare a size.
    pub size: bool,
    /// The maximum message size in bytes; `None` without a limit.
    pub size_limit: Option<u64>,
    /// CHUNKING (RFC 3030): BDAT is supported.
    pub chunking: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// BINARYMIME (RFC 3030): with BDAT any bytes may be sent.
    pub binary_mime: bool,
    /// DELIVERBY (RFC 2852), with the minimum by-time in seconds for returned messages; 0 is no minimum.
    pub deliver_by: Option<u32>,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// Maximum number of messages per connection (MAILMAX of LIMITS, RFC 9422).
    pub mail_max: Option<usize>,
    /// The mechanisms of AUTH (RFC 4954); `None` when AUTH is not offered.
    pub auth: Option<Vec<Mechanism>>,
}

impl Capabilities {
    /// Reads the keywords of a positive reply to EHLO. The first line is the greeting and has no keyword.
    pub fn of(reply: &Reply) -> Self {
        let mut offered = Self::default();
        for line in reply.lines().skip(1) {
            let line = String::from_utf8_lossy(line);
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "STARTTLS" => offered.starttls = true,
                "PIPELINING" => offered.pipelining = true,
                "8BITMIME" => offered.eight_bit_mime = true,
                "CHUNKING" => offered.chunking = true,
                "BINARYMIME" => offered.binary_mime = true,
                "DELIVERBY" => {
                    offered.deliver_by = Some(words.next().and_then(|least| least.parse().ok()).unwrap_or(0));
                }
                "SMTPUTF8" => offered.smtputf8 = true,
                "DSN" => offered.dsn = true,
                "REQUIRETLS" => offered.require_tls = true,
                "LIMITS" => {
                    let limit = words.find_map(|word| word.strip_prefix("MAILMAX="));
                    offered.mail_max = limit.and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
                }
                "AUTH" => offered.auth.get_or_insert_default().extend(words.filter_map(Mechanism::of_name)),
                // The form before RFC 2554, which some servers still send too.
                word if word.starts_with("AUTH=") => {
                    let first = word.strip_prefix("AUTH=").into_iter();
                    offered.auth.get_or_insert_default().extend(first.chain(words).filter_map(Mechanism::of_name));
                }
                "SIZE" => {
                    offered.size = true;
                    offered.size_limit = words.next().and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
                }
                _ => {}
            }
        }
        offered
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use crate::proto::reply::ReplyParser;

    fn offered(reply: &[u8]) -> Capabilities {
        Capabilities::of(&ReplyParser::default().push(reply).unwrap().1.unwrap())
    }

    #[test]
    fn keywords_are_whole_words_and_case_insensitive() {
        let found = offered(b"250-mail.example.com\r\n250-starttls\r\n250-PIPELININGS\r\n250 8BitMime\r\n");
        assert_eq!(found, Capabilities { starttls: true, eight_bit_mime: true, ..Capabilities::default() });
    }

    #[test]
    fn the_greeting_line_is_not_a_keyword() {
        assert_eq!(offered(b"250 STARTTLS\r\n"), Capabilities::default());
    }

    #[test]
    fn mechanisms_are_read_in_both_forms_and_unknown_ones_are_ignored() {
        let found = offered(b"250-x\r\n250-AUTH plain SCRAM-SHA-256 NTLM\r\n250 AUTH=LOGIN CRAM-MD5\r\n").auth.unwrap();
        assert_eq!(found, [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::Login, Mechanism::CramMd5]);
        assert_eq!(offered(b"250-x\r\n250 AUTH NTLM\r\n").auth, Some(vec![]));
        assert_eq!(offered(b"250-x\r\n250 AUTHX PLAIN\r\n").auth, None);
    }

    #[test]
    fn a_size_of_zero_or_without_number_is_no_limit() {
        assert_eq!(offered(b"250-x\r\n250 SIZE 1000\r\n").size_limit, Some(1000));
        for unlimited in [&b"250-x\r\n250 SIZE 0\r\n"[..], b"250-x\r\n250 SIZE\r\n", b"250-x\r\n250 SIZE x\r\n"] {
            assert_eq!((offered(unlimited).size, offered(unlimited).size_limit), (true, None));
        }
    }
}

//! MTA-STS (RFC 8461, section 3.2): the policy of a domain for TLS to its mail exchangers.
//!
//! The caller has fetched the policy from the domain by HTTPS.

use std::time::Duration;

/// The mode of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Delivery only to listed exchangers with a valid certificate.
    Enforce,
    /// As `enforce`, but failures are only reported.
    Testing,
    /// No policy.
    None,
}

/// The policy of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtaStsPolicy {
    /// The mode.
    pub mode: Mode,
    /// The lifetime of the policy after it was fetched.
    pub max_age: Duration,
    /// Patterns for names of exchangers, in lower case; `*.` matches one label.
    patterns: Vec<String>,
}

/// Why a text is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MtaStsPolicyError {
    /// The first field is not the version.
    #[error("it does not begin with 'version: STSv1'")]
    Version,
    /// A line is not `key: value`.
    #[error("line {0} is not 'key: value'")]
    Line(usize),
    /// A required field is missing.
    #[error("no field '{0}'")]
    Missing(&'static str),
    /// An invalid value.
    #[error("line {0}: '{1}' has no such value")]
    Value(usize, &'static str),
    /// The policy has no `mx` field.
    #[error("it names no mail exchanger (mx)")]
    NoExchanger,
}

/// The maximum of `max_age`: one year (RFC 8461, section 3.2).
const MAX_AGE: u64 = 31_557_600;

impl MtaStsPolicy {
    /// Reads a policy. Unknown fields are ignored; the first one of repeated fields counts.
    pub fn parse(text: &str) -> Result<Self, MtaStsPolicyError> {
        let (mut version, mut mode, mut age) = (false, None, None);
        let mut patterns = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = if version { MtaStsPolicyError::Line(number) } else { MtaStsPolicyError::Version };
            let (key, value) = line.split_once(':').ok_or(wrong)?;
            let (key, value) = (key.trim(), value.trim());
            if !version && (key, value) != ("version", "STSv1") {
                return Err(MtaStsPolicyError::Version);
            }
            match key {
                "version" => version = true,
                "mode" if mode.is_none() => {
                    mode = Some(match value {
                        "enforce" => Mode::Enforce,
                        "testing" => Mode::Testing,
                        "none" => Mode::None,
                        _ => return Err(MtaStsPolicyError::Value(number, "mode")),
                    });
                }
                "max_age" if age.is_none() => {
                    let seconds: u64 = value.parse().map_err(|_| MtaStsPolicyError::Value(number, "max_age"))?;
                    age = Some(Duration::from_secs(seconds.min(MAX_AGE)));
                }
                "mx" if is_pattern(value) => patterns.push(value.to_ascii_lowercase()),
                "mx" => return Err(MtaStsPolicyError::Value(number, "mx")),
                _ => {}
            }
        }
        if !version {
            return Err(MtaStsPolicyError::Version);
        }
        let mode = mode.ok_or(MtaStsPolicyError::Missing("mode"))?;
        let max_age = age.ok_or(MtaStsPolicyError::Missing("max_age"))?;
        if mode != Mode::None && patterns.is_empty() {
            return Err(MtaStsPolicyError::NoExchanger);
        }
        Ok(Self { mode, max_age, patterns })
    }

    /// Whether a pattern matches this exchanger (RFC 8461, section 4.1). The asterisk matches exactly one label.
    pub fn names(&self, exchanger: &str) -> bool {
        let exchanger = exchanger.to_ascii_lowercase();
        self.patterns.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => exchanger.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => *pattern == exchanger,
        })
    }
}

fn is_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name.split('.').all(|label| !label.is_empty() && label.bytes().all(valid))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_with_either_line_end() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 86400\r\n";
        for text in [text.to_owned(), text.replace('\r', ""), text.replace(": ", ":  \t"), format!("{text}new: x\n")] {
            let policy = MtaStsPolicy::parse(&text).unwrap();
            assert_eq!((policy.mode, policy.max_age.as_secs()), (Mode::Enforce, 86400));
            assert_eq!(policy.patterns, ["mail.example.com", "*.example.net"]);
        }
    }

    #[test]
    fn an_asterisk_matches_one_label() {
        let policy =
            MtaStsPolicy::parse("version: STSv1\nmode: testing\nmax_age: 1\nmx: a.example\nmx: *.b.example").unwrap();
        for (name, named) in [
            ("a.example", true),
            ("A.EXAMPLE", true),
            ("x.a.example", false),
            ("mx1.b.example", true),
            ("b.example", false),
            (".b.example", false),
            ("x.mx1.b.example", false),
            ("xb.example", false),
        ] {
            assert_eq!(policy.names(name), named, "{name}");
        }
    }

    #[test]
    fn an_invalid_policy_is_reported_with_the_reason() {
        let rest = "mode: enforce\nmx: a.example\nmax_age: 1\n";
        for (text, error) in [
            (String::new(), MtaStsPolicyError::Version),
            (rest.to_owned(), MtaStsPolicyError::Version),
            (format!("version: STSv2\n{rest}"), MtaStsPolicyError::Version),
            (format!("version: STSv1\n{rest}<html>"), MtaStsPolicyError::Line(5)),
            ("version: STSv1\nmode: on".into(), MtaStsPolicyError::Value(2, "mode")),
            ("version: STSv1\nmax_age: -1".into(), MtaStsPolicyError::Value(2, "max_age")),
            ("version: STSv1\nmx: a.*.example".into(), MtaStsPolicyError::Value(2, "mx")),
            ("version: STSv1\nmax_age: 1".into(), MtaStsPolicyError::Missing("mode")),
            ("version: STSv1\nmode: none".into(), MtaStsPolicyError::Missing("max_age")),
            ("version: STSv1\nmode: testing\nmax_age: 1".into(), MtaStsPolicyError::NoExchanger),
        ] {
            assert_eq!(MtaStsPolicy::parse(&text), Err(error), "{text}");
        }
        assert_eq!(MtaStsPolicy::parse("version: STSv1\nmode: none\nmax_age: 99999999999").unwrap().mode, Mode::None);
    }
}

//! A tunnel by the method CONNECT of HTTP/1.1 (RFC 9110, section 9.3.6), with a login by Basic (RFC 7617).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{ProxyError, ProxyLogin, ProxyStep, Scheme, TunnelTarget};
use crate::proto::auth::Wiped;

/// Maximum number of bytes of a response head.
const MAX_HEAD: usize = 16 * 1024;
/// Maximum number of interim responses (1xx).
const MAX_INTERIM: u8 = 8;
/// Maximum number of characters of an invalid line in a message.
const SHOWN: usize = 80;

/// An HTTP handshake.
#[derive(Debug)]
pub struct HttpConnect<'a> {
    target: TunnelTarget<'a>,
    with_login: bool,
    interim: u8,
}

impl<'a> HttpConnect<'a> {
    pub(super) fn begin(
        target: TunnelTarget<'a>,
        identity: Option<ProxyLogin<'a>>,
    ) -> Result<(Self, Wiped), ProxyError> {
        let mut request = Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"));
        if let Some(ProxyLogin { user, password }) = identity {
            if user.contains(':') {
                return Err(ProxyError::Unspeakable("a colon cannot be part of a user's name in HTTP"));
            }
            let pair = Zeroizing::new(format!("{user}:{password}"));
            let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
            // Writing into a String does not fail.
            let _ = write!(request, "Proxy-Authorization: Basic {}\r\n", encoded.as_str());
        }
        request.push_str("\r\n");
        let http = Self { target, with_login: identity.is_some(), interim: 0 };
        Ok((http, Zeroizing::new(request.as_bytes().to_vec())))
    }

    pub(super) fn take(&mut self, input: &[u8]) -> Result<(usize, ProxyStep), ProxyError> {
        let mut taken: usize = 0;
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            let line = first_line(rest);
            let status = line.map(|line| status(line).ok_or_else(|| foreign(line))).transpose()?;
            let Some(length) = head_length(rest) else {
                if rest.len() > MAX_HEAD {
                    return Err(ProxyError::Foreign(Scheme::Http, "an answer without end: over 16 KiB".into()));
                }
                return Ok((taken, ProxyStep::Read));
            };
            let Some((code, reason)) = status else { return Err(foreign(rest)) };
            taken = taken.saturating_add(length);
            match code {
                200..=299 => return Ok((taken, ProxyStep::Done)),
                100..=199 if self.interim < MAX_INTERIM => self.interim = self.interim.saturating_add(1),
                _ => return Err(self.refusal(code, &reason)),
            }
        }
    }

    fn refusal(&self, code: u16, reason: &str) -> ProxyError {
        let because = format!("{}: {code} {reason}", self.target);
        match code {
            407 if self.with_login => ProxyError::LoginRefused(format!(": {code} {reason}")),
            407 => ProxyError::LoginWanted(Scheme::Http),
            401 | 403 | 451 => ProxyError::Forbidden(because),
            408 | 429 | 500.. => ProxyError::Unreachable(because),
            _ => ProxyError::Unable(format!("{code} {reason}; is it a proxy?")),
        }
    }
}

/// Number of bytes up to and including the empty line; a bare LF also ends a line (RFC 9112, section 2.2).
fn head_length(input: &[u8]) -> Option<usize> {
    let mut start: usize = 0;
    for at in memchr::memchr_iter(b'\n', input) {
        let line = input.get(start..at).unwrap_or_default();
        start = at.saturating_add(1);
        if line.is_empty() || line == b"\r" {
            return Some(start);
        }
    }
    None
}

fn first_line(input: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'\n', input)?;
    let line = input.get(..end)?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// The code and the reason of a status line (RFC 9112, section 4).
fn status(line: &[u8]) -> Option<(u16, String)> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (version, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b" ").filter(|_| version.is_ascii_digit())?;
    let (code, reason) = rest.split_at_checked(3)?;
    let plain = code.iter().all(u8::is_ascii_digit) && reason.first().is_none_or(|byte| *byte == b' ');
    let code = std::str::from_utf8(code).ok()?.parse().ok().filter(|code| plain && *code >= 100)?;
    Some((code, shortened(reason.trim_ascii())))
}

fn foreign(line: &[u8]) -> ProxyError {
    ProxyError::Foreign(Scheme::Http, format!("it answers {}", shortened(line)))
}

fn shortened(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(SHOWN).collect()
}

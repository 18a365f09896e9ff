//! Secrets that were sent to a server, and masking of replies that repeat them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::proto::reply::Reply;

/// Bytes in a row that count as a part of a secret.
const PART: usize = 6;
/// Shorter secrets are not looked for: they occur in ordinary text.
const MIN_SECRET: usize = 4;
/// Replaces a secret.
const MASK: &[u8] = b"[hidden]";

/// The secrets that were sent over a connection.
#[derive(Default)]
pub struct SentSecrets(Vec<Zeroizing<Vec<u8>>>);

impl SentSecrets {
    /// Adds a line of an AUTH exchange: the command with its initial response, or a response.
    pub fn add_line(&mut self, line: &[u8]) {
        let response = line.trim_ascii().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        self.add(response);
        if let Ok(decoded) = STANDARD.decode(response) {
            let decoded = Zeroizing::new(decoded);
            // PLAIN separates its parts by NUL, OAuth by SOH and a blank; the secret is the last part of each.
            let mut parts = decoded.split(|byte| matches!(byte, 0 | 1 | b' ')).filter(|part| part.len() >= MIN_SECRET);
            if let Some(last) = parts.next_back() {
                self.add(last);
            }
        }
    }

    /// Adds a secret as it is.
    pub fn add(&mut self, secret: &[u8]) {
        if secret.len() >= MIN_SECRET {
            self.0.push(Zeroizing::new(secret.to_ascii_lowercase()));
        }
    }

    /// The reply without the parts of secrets that it repeats.
    pub fn mask(&self, reply: Reply) -> Reply {
        if self.0.is_empty() { reply } else { reply.map_lines(|line| self.mask_bytes(line)) }
    }

    /// The text without the parts of secrets that it repeats.
    pub fn mask_bytes(&self, text: &[u8]) -> Vec<u8> {
        let lower = text.to_ascii_lowercase();
        let mut is_secret = vec![false; text.len()];
        for secret in &self.0 {
            let length = PART.min(secret.len());
            for (start, window) in lower.windows(length).enumerate() {
                if secret.windows(length).any(|part| part == window) {
                    is_secret[start..start + length].fill(true);
                }
            }
        }
        let mut masked = Vec::with_capacity(text.len());
        for (index, byte) in text.iter().enumerate() {
            match (is_secret[index], index > 0 && is_secret[index - 1]) {
                (false, _) => masked.push(*byte),
                (true, false) => masked.extend_from_slice(MASK),
                (true, true) => {}
            }
        }
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(lines: &[&str], text: &str) -> String {
        let mut secrets = SentSecrets::default();
        for line in lines {
            secrets.add_line(line.as_bytes());
        }
        String::from_utf8(secrets.mask_bytes(text.as_bytes())).unwrap()
    }

    #[test]
    fn a_repeated_command_password_or_token_is_masked_whole_or_in_part() {
        let plain = ["AUTH PLAIN AHRpbQBzM2NyZXQtd29yZA==\r\n"];
        assert_eq!(
            masked(&plain, "5.5.1 AUTH PLAIN AHRpbQBzM2NyZXQtd29yZA== unknown"),
            "5.5.1 AUTH PLAIN [hidden] unknown"
        );
        assert_eq!(masked(&plain, "got ahrpbqbzm2nyzxq"), "got [hidden]");
        assert_eq!(masked(&plain, "user tim: 's3cret-word' is wrong"), "user tim: '[hidden]' is wrong");
        assert_eq!(masked(&plain, "s3cret..."), "[hidden]...");
        let oauth =
            [format!("AUTH XOAUTH2 {}\r\n", STANDARD.encode("user=a@b\x01auth=Bearer ya29.token-text\x01\x01"))];
        let oauth: Vec<&str> = oauth.iter().map(String::as_str).collect();
        assert_eq!(masked(&oauth, "bad token ya29.token-text for a@b"), "bad token [hidden] for a@b");
    }

    #[test]
    fn other_text_stays_as_it_is() {
        assert_eq!(
            masked(&["dGlt\r\n", "czNjcmV0\r\n"], "535 5.7.8 wrong user or password"),
            "535 5.7.8 wrong user or password"
        );
        assert_eq!(masked(&[], "250 ok"), "250 ok");
    }
}

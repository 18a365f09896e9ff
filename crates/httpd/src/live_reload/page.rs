//! The script that is inserted into pages. No I/O.

const SCRIPT: &str = include_str!("script.js");

/// The hash of the script for a Content-Security-Policy (CSP Level 3).
pub const HASH: &str = "'sha256-WTX3G7LmGvweitWdtay/swo7ny002WPHJiXxb0RgWyg='";

/// The script element for a page of this generation.
pub fn script_element(generation: u64) -> String {
    format!("<script data-since=\"{generation}\">{SCRIPT}</script>\n")
}

/// Inserts the script before the end of the body, or at the end of the page. `None` for UTF-16.
pub fn inject(page: &[u8], generation: u64) -> Option<Vec<u8>> {
    if page.starts_with(b"\xff\xfe") || page.starts_with(b"\xfe\xff") {
        return None;
    }
    let position = end_of_body(page).unwrap_or(page.len());
    let (before, after) = page.split_at(position);
    Some([before, script_element(generation).as_bytes(), after].concat())
}

/// The position of the last `</body`, in any case.
fn end_of_body(page: &[u8]) -> Option<usize> {
    const TAG: &[u8] = b"</body";
    memchr::memrchr_iter(b'<', page)
        .find(|at| page.get(*at..*at + TAG.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(TAG)))
}

/// Extends the Content-Security-Policy of a page of this server by the script and its connection.
pub fn policy_with_script(policy: &str) -> String {
    let scripts = policy.replacen("script-src ", &format!("script-src {HASH} "), 1);
    let scripts = if scripts == policy { format!("{policy}; script-src {HASH}") } else { scripts };
    format!("{scripts}; connect-src 'self'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine;

    fn injected(page: &str) -> String {
        String::from_utf8(inject(page.as_bytes(), 7).unwrap()).unwrap()
    }

    #[test]
    fn the_policy_allows_exactly_this_script() {
        let hash = base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes()));
        assert_eq!(HASH, format!("'sha256-{hash}'"));
        assert_eq!(
            policy_with_script("default-src 'none'; script-src 'x'"),
            format!("default-src 'none'; script-src {HASH} 'x'; connect-src 'self'")
        );
        assert_eq!(
            policy_with_script("default-src 'none'"),
            format!("default-src 'none'; script-src {HASH}; connect-src 'self'")
        );
    }

    #[test]
    fn the_script_is_inserted_before_the_last_end_of_the_body() {
        let script = script_element(7);
        assert_eq!(injected("<body>a</body></html>"), format!("<body>a{script}</body></html>"));
        assert_eq!(injected("<!-- </body> -->b</BODY >"), format!("<!-- </body> -->b{script}</BODY >"));
        assert_eq!(injected("no end <b"), format!("no end <b{script}"));
        assert_eq!(injected(""), script);
    }

    #[test]
    fn utf_16_is_not_changed() {
        assert_eq!(inject(b"\xff\xfe<\0b\0", 7), None);
    }
}

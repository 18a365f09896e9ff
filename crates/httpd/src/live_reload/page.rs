//! The script that a page gets. No I/O.

const SCRIPT: &str = include_str!("script.js");

/// The script by hash, for a Content-Security-Policy (CSP Level 3).
pub const HASH: &str = "'sha256-WTX3G7LmGvweitWdtay/swo7ny002WPHJiXxb0RgWyg='";

/// The element that makes a page of this generation listen.
pub fn script_element(generation: u64) -> String {
    format!("<script data-since=\"{generation}\">{SCRIPT}</script>\n")
}

/// The page with the script in front of the end of its body, or behind everything. `None` for what is no text of one octet
/// for each ASCII character.
pub fn inject(page: &[u8], generation: u64) -> Option<Vec<u8>> {
    if page.starts_with(b"\xff\xfe") || page.starts_with(b"\xfe\xff") {
        return None;
    }
    let place = end_of_body(page).unwrap_or(page.len());
    let (before, after) = page.split_at(place);
    Some([before, script_element(generation).as_bytes(), after].concat())
}

/// Where the last `</body` stands, in any case.
fn end_of_body(page: &[u8]) -> Option<usize> {
    const TAG: &[u8] = b"</body";
    memchr::memrchr_iter(b'<', page)
        .find(|at| page.get(*at..*at + TAG.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(TAG)))
}

/// The policy of a page of ours, which knows only scripts by hash, with this one allowed to run and to listen.
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
        assert_eq!(policy_with_script("default-src 'none'"), format!("default-src 'none'; script-src {HASH}; connect-src 'self'"));
    }

    #[test]
    fn the_script_stands_in_front_of_the_last_end_of_the_body() {
        let script = script_element(7);
        assert_eq!(injected("<body>a</body></html>"), format!("<body>a{script}</body></html>"));
        assert_eq!(injected("<!-- </body> -->b</BODY >"), format!("<!-- </body> -->b{script}</BODY >"));
        assert_eq!(injected("no end <b"), format!("no end <b{script}"));
        assert_eq!(injected(""), script);
    }

    #[test]
    fn nothing_is_put_into_utf_16() {
        assert_eq!(inject(b"\xff\xfe<\0b\0", 7), None);
    }
}

//! The script of `--live-reload`, and its element in pages. No I/O.
//!
//! The script is a separate file, because pages with a Content-Security-Policy that names 'self' allow no inline script.

/// The script.
pub const SCRIPT: &str = include_str!("script.js");

/// Bytes in front of which a `base` element is looked for.
const MAX_HEAD: usize = 16 * 1024;

/// The script element for a page of this generation; `to_root` is the relative reference to the root, such as `../`.
pub fn script_element(generation: u64, to_root: &str) -> String {
    format!("<script src=\"{to_root}.httpd/live-reload.js\" data-since=\"{generation}\"></script>\n")
}

/// Inserts the element before the end of the body, or at the end of an HTML page. `None` for UTF-16.
///
/// A `base` element changes relative references behind it, so the element is inserted before it.
pub fn inject(page: &[u8], element: &str, is_xml: bool) -> Option<Vec<u8>> {
    if page.starts_with(b"\xff\xfe") || page.starts_with(b"\xfe\xff") {
        return None;
    }
    let position = match base_element(page).or_else(|| end_of_body(page)) {
        Some(position) => position,
        None if is_xml => return None,
        None => page.len(),
    };
    let (before, after) = page.split_at(position);
    Some([before, element.as_bytes(), after].concat())
}

/// The position of the first `<base`, unless it is in a comment or a script.
fn base_element(page: &[u8]) -> Option<usize> {
    let head = page.get(..MAX_HEAD).unwrap_or(page);
    let starts =
        |at: usize, tag: &[u8]| head.get(at..at + tag.len()).is_some_and(|text| text.eq_ignore_ascii_case(tag));
    let at = memchr::memchr_iter(b'<', head).find(|at| starts(*at, b"<base ") || starts(*at, b"<base\n"))?;
    let count = |tag: &[u8]| memchr::memchr_iter(b'<', &head[..at]).filter(|at| starts(*at, tag)).count();
    let is_in_script = count(b"<script") != count(b"</script");
    let comment = memchr::memmem::rfind(&head[..at], b"<!--");
    let is_in_comment = comment.is_some_and(|start| memchr::memmem::find(&head[start..at], b"-->").is_none());
    (!is_in_script && !is_in_comment).then_some(at)
}

/// The position of the last `</body`, in any case.
fn end_of_body(page: &[u8]) -> Option<usize> {
    const TAG: &[u8] = b"</body";
    memchr::memrchr_iter(b'<', page)
        .find(|at| page.get(*at..*at + TAG.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(TAG)))
}

/// Extends the Content-Security-Policy of a page of this server by the script and its connection.
pub fn policy_with_script(policy: &str) -> String {
    let scripts = policy.replacen("script-src ", "script-src 'self' ", 1);
    let scripts = if scripts == policy { format!("{policy}; script-src 'self'") } else { scripts };
    format!("{scripts}; connect-src 'self'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injected(page: &str) -> String {
        String::from_utf8(inject(page.as_bytes(), "ELEMENT", false).unwrap()).unwrap()
    }

    #[test]
    fn the_policy_allows_scripts_and_connections_of_this_server() {
        assert_eq!(
            policy_with_script("default-src 'none'; script-src 'x'"),
            "default-src 'none'; script-src 'self' 'x'; connect-src 'self'"
        );
        assert_eq!(
            policy_with_script("default-src 'none'"),
            "default-src 'none'; script-src 'self'; connect-src 'self'"
        );
    }

    #[test]
    fn the_element_is_inserted_before_the_last_end_of_the_body() {
        assert_eq!(injected("<body>a</body></html>"), "<body>aELEMENT</body></html>");
        assert_eq!(injected("<!-- </body> -->b</BODY >"), "<!-- </body> -->bELEMENT</BODY >");
        assert_eq!(injected("no end <b"), "no end <bELEMENT");
        assert_eq!(injected(""), "ELEMENT");
    }

    #[test]
    fn the_element_is_inserted_before_a_base_element() {
        assert_eq!(injected("<head><base href=\"/\"><body></body>"), "<head>ELEMENT<base href=\"/\"><body></body>");
        for page in ["<!-- <base > -->", "<script>'<base >'</script>"] {
            assert_eq!(injected(page), format!("{page}ELEMENT"));
        }
        let after = "<script></script><!-- --><BASE href=x>";
        assert_eq!(injected(after), after.replace("<BASE", "ELEMENT<BASE"));
    }

    #[test]
    fn xml_without_a_body_and_utf_16_are_not_changed() {
        assert_eq!(inject(b"<html/>", "ELEMENT", true), None);
        assert_eq!(inject(b"<body></body>", "E", true).as_deref(), Some(&b"<body>E</body>"[..]));
        assert_eq!(inject(b"\xff\xfe<\0b\0", "ELEMENT", false), None);
    }
}

//! Pages for errors and redirects. No I/O.
//!
//! A browser gets HTML, any other client one line of text. A page contains no path of the file system and nothing from the
//! request.

use crate::proto::field::{Fields, Name};
use crate::proto::response::Status;

/// The Content-Security-Policy of the page: its own style, by hash.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-fG5met8ARQApu6weKFzoBPRjcvOckq6Vqmeptx8gyBg='";

const STYLE: &str = ":root{color-scheme:light dark}\
    body{font:1.1rem/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}\
    h1{font-size:1.6rem;margin:0}";

/// A body and its content type.
pub struct ErrorPage {
    /// The content type.
    pub content_type: &'static str,
    /// The content.
    pub body: Vec<u8>,
}

/// The page for `status` with an explaining sentence.
pub fn error_page(status: Status, sentence: &str, html: bool) -> ErrorPage {
    if html {
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{status}</title>\n<style>{STYLE}</style>\n<h1>{status}</h1>\n<p>{sentence}</p>\n</html>\n"
        );
        ErrorPage { content_type: "text/html; charset=utf-8", body: body.into_bytes() }
    } else {
        let body = format!("{status}\n{sentence}\n");
        ErrorPage { content_type: "text/plain; charset=utf-8", body: body.into_bytes() }
    }
}

/// Whether the client accepts HTML.
pub fn wants_html(fields: &Fields) -> bool {
    fields.list(Name::Accept).any(|range| range.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine;

    #[test]
    fn the_policy_allows_exactly_the_style_of_the_page() {
        let hash = base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "the hash is {hash}");
    }

    #[test]
    fn browsers_get_html_and_other_clients_text() {
        let text = |html| String::from_utf8(error_page(Status::NOT_FOUND, "Nothing here.", html).body).unwrap();
        assert_eq!(text(false), "404 Not Found\nNothing here.\n");
        assert!(text(true).contains("<h1>404 Not Found</h1>"));
    }
}

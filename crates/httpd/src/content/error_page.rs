//! Pages for errors and redirects. No I/O.
//!
//! A browser gets HTML, any other client one line of text. A page contains no path of the file system and nothing from the
//! request.

use crate::proto::response::Status;

/// The Content-Security-Policy of the page: its own style, by hash.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-fG5met8ARQApu6weKFzoBPRjcvOckq6Vqmeptx8gyBg='";

const STYLE: &str = ":root{color-scheme:light dark}\
    body{font:1.1rem/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}\
    h1{font-size:1.6rem;margin:0}";

/// A page for a status with an explaining sentence.
pub struct ErrorPage {
    /// The content type.
    pub content_type: &'static str,
    /// The Content-Security-Policy of an HTML page.
    pub policy: Option<String>,
    /// The content.
    pub body: Vec<u8>,
}

impl ErrorPage {
    /// One line of text for each of status and sentence.
    pub fn text(status: Status, sentence: &str) -> Self {
        let body = format!("{status}\n{sentence}\n").into_bytes();
        Self { content_type: "text/plain; charset=utf-8", policy: None, body }
    }

    /// An HTML page that ends with `script`, which may be empty.
    pub fn html(status: Status, sentence: &str, script: &str) -> Self {
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{status}</title>\n<style>{STYLE}</style>\n<h1>{status}</h1>\n<p>{sentence}</p>\n{script}</html>\n"
        );
        Self { content_type: "text/html; charset=utf-8", policy: Some(POLICY.to_owned()), body: body.into_bytes() }
    }
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
        let text = |page: ErrorPage| String::from_utf8(page.body).unwrap();
        assert_eq!(text(ErrorPage::text(Status::NOT_FOUND, "Nothing here.")), "404 Not Found\nNothing here.\n");
        assert!(text(ErrorPage::html(Status::NOT_FOUND, "Nothing here.", "")).contains("<h1>404 Not Found</h1>"));
    }
}

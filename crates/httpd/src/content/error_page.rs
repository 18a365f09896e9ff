//! Pages for errors and redirects. No I/O.
//!
//! A browser gets HTML, any other client one line of text. A page contains no path of the file system and nothing from the
//! request.

use crate::proto::response::Status;

/// The Content-Security-Policy of the page: its own style, by hash.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-pbakh7ybOUSX+HF9zhH8LbhV9FPdiZXHvcShQ1COh1o='; base-uri 'none'; form-action 'none'";

const STYLE: &str = concat!(
    include_str!("page.css"),
    "main{max-width:36rem;padding-top:16vh}",
    "nav{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem}nav a{padding:.3rem 0}"
);

/// Relative references to other places of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageLinks {
    /// The root.
    pub root: String,
    /// The folder that contains the page.
    pub above: String,
}

impl PageLinks {
    /// The links of a page at the raw path of a request target. A browser resolves references against the raw path, so its
    /// slashes count, not the segments of the decoded path.
    pub fn of_target(target: &[u8]) -> Self {
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let slashes = if path.starts_with(b"/") { memchr::memchr_iter(b'/', path).count() } else { 1 };
        let root = "../".repeat(slashes.saturating_sub(1));
        let above = if path.ends_with(b"/") { "../" } else { "./" };
        Self { root: if root.is_empty() { "./".to_owned() } else { root }, above: above.to_owned() }
    }
}

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

    /// An HTML page with links, if there are any, that ends with `script`, which may be empty.
    pub fn html(status: Status, sentence: &str, links: Option<&PageLinks>, script: &str) -> Self {
        let link = |reference: &str, label: &str| format!("<a href=\"{reference}\">{label}</a>");
        let links = links.map_or(String::new(), |PageLinks { root, above }| {
            let above = if above == root { String::new() } else { link(above, "Folder above") };
            format!("<nav>{}{above}</nav>\n", link(root, "Start page"))
        });
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{status}</title>\n<style>{STYLE}</style>\n\
             <main><h1>{status}</h1>\n<p>{sentence}</p>\n{links}</main>\n{script}</html>\n"
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
        assert!(text(ErrorPage::html(Status::NOT_FOUND, "Nothing here.", None, "")).contains("<h1>404 Not Found</h1>"));
    }
    #[test]
    fn links_are_relative_to_the_raw_path() {
        for (target, root, above) in [
            ("/", "./", "../"),
            ("/x?a/b", "./", "./"),
            ("/a/", "../", "../"),
            ("/a/b", "../", "./"),
            ("//a//b/", "../../../../", "../"),
            ("http://h/x", "./", "./"),
        ] {
            let links = PageLinks::of_target(target.as_bytes());
            assert_eq!((links.root.as_str(), links.above.as_str()), (root, above), "{target}");
        }
        let links = PageLinks::of_target(b"/a/b/c");
        let page = String::from_utf8(ErrorPage::html(Status::NOT_FOUND, "x", Some(&links), "").body).unwrap();
        assert!(page.contains("<nav><a href=\"../../\">Start page</a><a href=\"./\">Folder above</a></nav>"), "{page}");
    }
}

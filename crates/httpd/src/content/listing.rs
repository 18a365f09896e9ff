//! The listing of a folder, as HTML or JSON.
//!
//! Entries are read and sorted first; the text is rendered while it is sent, so a folder of 100,000 files needs little
//! memory.

mod collation;
mod entries;
mod html;
mod icon;
mod json;
mod query;

use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::content::BodySink;
use crate::content::files::Root;
use crate::content::routing::Site;

pub use entries::FolderEntry;
use entries::read_entries;
pub use html::Heading;
pub use query::{Column, ListingQuery, Order, UnknownFormat, View};

const STYLE: &str = concat!(include_str!("page.css"), include_str!("listing/style.css"));
const SCRIPT: &str = include_str!("listing/script.js");
/// The Content-Security-Policy of the page: its own style and script by hash, forms, and pictures.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-R/JSG3Y7NlNDE2j4gMzshIIVPEvk0qEKBmEBqr9Eh/Q='; \
                          script-src 'sha256-+a2LGb5/lBXQxGNXxX7gJE9xxl15ZY6JAIpcxDFE040='; img-src 'self'; base-uri 'none'; form-action 'self'";

/// Bytes collected before they are sent.
const BUFFER_SIZE: usize = 32 * 1024;

/// The format of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingFormat {
    /// A page.
    Html,
    /// An array of objects: `name`, `type`, `size`, `modified`, `href`.
    Json,
}

impl ListingFormat {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// A listing to be rendered.
#[derive(Debug)]
pub struct FolderPage {
    /// The root, for links to other places inside it.
    pub root: Arc<Root>,
    /// The rules for names.
    pub site: Arc<Site>,
    /// The folder.
    pub folder: OwnedFd,
    /// Its path below the root.
    pub relative: Vec<u8>,
    /// The host of the URL.
    pub host: Vec<u8>,
    /// Order and view.
    pub query: ListingQuery,
    /// The format.
    pub format: ListingFormat,
    /// Whether the listing is compressed by gzip.
    pub compressed: bool,
    /// A script element that is appended to the page; may be empty.
    pub script: Vec<u8>,
}

impl FolderPage {
    /// Reads the folder and writes the listing.
    pub(crate) fn write_to(self, sink: &mut impl BodySink) -> io::Result<()> {
        let Self { root, site, folder, relative, host, query, format, compressed, script } = self;
        let entries = read_entries(folder, &relative, &root, &site)?;
        let heading = Heading { host: &host, relative: &relative, query, types: &site.types };
        let sink = SinkWriter(sink);
        if compressed {
            let encoder = GzEncoder::new(sink, Compression::fast());
            let mut body = BufWriter::with_capacity(BUFFER_SIZE, encoder);
            write(&mut body, format, &heading, entries)?;
            body.write_all(&script)?;
            body.into_inner().map_err(io::IntoInnerError::into_error)?.finish().map(|_| ())
        } else {
            let mut body = BufWriter::with_capacity(BUFFER_SIZE, sink);
            write(&mut body, format, &heading, entries)?;
            body.write_all(&script)?;
            body.flush()
        }
    }
}

/// Sorts the entries and writes a listing.
pub fn write(
    out: &mut impl Write,
    format: ListingFormat,
    heading: &Heading,
    mut entries: Vec<FolderEntry>,
) -> io::Result<()> {
    entries.sort_by(|a, b| heading.query.order.compare(a, b));
    match format {
        ListingFormat::Html => html::write(out, heading, &entries),
        ListingFormat::Json => json::write(out, &entries),
    }
}

/// Adapts a [`BodySink`] to [`Write`].
struct SinkWriter<'a, S: BodySink>(&'a mut S);

impl<S: BodySink> Write for SinkWriter<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.bytes(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine;

    #[test]
    fn the_policy_allows_exactly_the_style_and_the_script_of_the_page() {
        let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, text.as_bytes()));
        let (style, script) = (hash(STYLE), hash(SCRIPT));
        assert!(POLICY.contains(&format!("style-src 'sha256-{style}'")), "the hash of the style is {style}");
        assert!(POLICY.contains(&format!("script-src 'sha256-{script}'")), "the hash of the script is {script}");
    }
}

//! Responses from folders: a listing, or an archive of everything in the folder.

use std::io;
use std::sync::Arc;

use super::exchange::Exchange;
use super::response_body::{Reply, ResponseBody};
use crate::content::archive::{Archive, is_requested};
use crate::content::files::{Opened, Root};
use crate::content::listing::{FolderPage, ListingFormat, ListingQuery, POLICY};
use crate::content::routing::Site;
use crate::live_reload::page;
use crate::proto::disposition::attachment;
use crate::proto::field::Name;
use crate::proto::negotiate::{self, Accepted, Coding};
use crate::proto::response::Status;
use crate::proto::target::Path;

/// Serves folders of the site.
pub(super) struct Directories {
    site: Arc<Site>,
    root: Arc<Root>,
}

impl Directories {
    pub(super) fn new(site: Arc<Site>, root: Arc<Root>) -> Self {
        Self { site, root }
    }

    /// The archive of a folder, if the query requests it and the folder may be listed.
    pub(super) fn archive(
        &self,
        exchange: &mut Exchange,
        path: &Path,
        query: Option<&[u8]>,
    ) -> io::Result<Option<Reply>> {
        let is_wanted = path.is_folder && query.is_some_and(is_requested);
        if !is_wanted || !self.site.listing || self.site.hides(path) {
            return Ok(None);
        }
        let Opened::Folder(folder) = self.root.open(path.relative())? else { return Ok(None) };
        let name = [Archive::name(path.relative()), b".tar"].concat();
        exchange.start(Status::OK);
        exchange.response.field("Content-Type", "application/x-tar");
        exchange.response.field("Content-Disposition", attachment(&name));
        exchange.response.field("Accept-Ranges", "none");
        exchange.response.field("Cache-Control", "no-cache");
        let (root, site) = (Arc::clone(&self.root), Arc::clone(&self.site));
        let archive = Archive { root, site, folder, relative: path.relative().to_vec() };
        Ok(Some(stream(exchange, ResponseBody::Archive(archive))))
    }

    /// The listing of a folder, as HTML or JSON.
    pub(super) fn listing(&self, exchange: &mut Exchange, path: &Path, query: Option<&[u8]>) -> io::Result<Reply> {
        let Opened::Folder(folder) = self.root.open(path.relative())? else { return Ok(exchange.not_found()) };
        let Ok(listing) = ListingQuery::parse(query.unwrap_or_default()) else {
            let sentence = "The formats of a folder are format=html, format=json and download=tar.";
            return Ok(exchange.error(Status::BAD_REQUEST, sentence));
        };
        let fields = &exchange.head.fields;
        let prefers_json = negotiate::prefers_json(fields);
        let format = listing.format.unwrap_or(if prefers_json { ListingFormat::Json } else { ListingFormat::Html });
        let compressed = self.site.compress && Accepted::from_fields(fields).codings().any(|one| one == Coding::Gzip);
        exchange.start(Status::OK);
        exchange.response.field("Content-Type", format.content_type());
        if compressed {
            exchange.response.field("Content-Encoding", Coding::Gzip.name());
        }
        exchange.response.field("Cache-Control", "no-cache");
        exchange.response.field("Vary", if self.site.compress { "Accept, Accept-Encoding" } else { "Accept" });
        let script = if format == ListingFormat::Json { None } else { exchange.script_element() };
        match &script {
            _ if format == ListingFormat::Json => {}
            Some(_) => exchange.response.field("Content-Security-Policy", page::policy_with_script(POLICY)),
            None => exchange.response.field("Content-Security-Policy", POLICY),
        }
        let script = script.unwrap_or_default().into_bytes();
        let (root, site) = (Arc::clone(&self.root), Arc::clone(&self.site));
        let host = exchange.head.fields.first(Name::Host).filter(|host| !host.is_empty()).unwrap_or(b"/").to_vec();
        let relative = path.relative().to_vec();
        let page = FolderPage { root, site, folder, relative, host, query: listing, format, compressed, script };
        Ok(stream(exchange, ResponseBody::Listing(page)))
    }
}

/// Ends the head of a response of unknown length.
fn stream(exchange: &mut Exchange, body: ResponseBody) -> Reply {
    exchange.response.field_lines(&exchange.site.extra_headers);
    exchange.response.end_streamed_head();
    let entry = exchange.log_entry(Status::OK);
    if exchange.is_head() {
        exchange.record(&entry);
        return Reply::default();
    }
    Reply::offloaded(body, entry)
}

//! Responses from folders: a listing, or an archive of everything in the folder.

use std::io;
use std::sync::Arc;

use super::exchange::Exchange;
use super::response_body::{Reply, ResponseBody};
use crate::content::archive::{Archive, is_requested};
use crate::content::files::{Opened, Root};
use crate::content::listing::{FolderPage, ListingFormat, Order, POLICY};
use crate::content::routing::Site;
use crate::live_reload::{LiveReload, page};
use crate::proto::disposition::attachment;
use crate::proto::negotiate;
use crate::proto::response::Status;
use crate::proto::target::Path;

/// Serves folders of the site.
pub(super) struct Directories {
    site: Arc<Site>,
    root: Arc<Root>,
    live_reload: Option<Arc<LiveReload>>,
}

impl Directories {
    pub(super) fn new(site: Arc<Site>, root: Arc<Root>, live_reload: Option<Arc<LiveReload>>) -> Self {
        Self { site, root, live_reload }
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
        let (order, format) = Order::from_query(query.unwrap_or_default());
        let prefers_json = negotiate::prefers_json(&exchange.head.fields);
        let format = format.unwrap_or(if prefers_json { ListingFormat::Json } else { ListingFormat::Html });
        exchange.start(Status::OK);
        exchange.response.field("Content-Type", format.content_type());
        exchange.response.field("Cache-Control", "no-cache");
        exchange.response.field("Vary", "Accept");
        let mut script = Vec::new();
        match &self.live_reload {
            _ if format == ListingFormat::Json => {}
            Some(live_reload) => {
                exchange.response.field("Content-Security-Policy", page::policy_with_script(POLICY));
                script = page::script_element(live_reload.generation()).into_bytes();
            }
            None => exchange.response.field("Content-Security-Policy", POLICY),
        }
        let (root, site) = (Arc::clone(&self.root), Arc::clone(&self.site));
        let page = FolderPage { root, site, folder, relative: path.relative().to_vec(), order, format, script };
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

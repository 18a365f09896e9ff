//! Answers that are made of a folder while they are sent: its listing, and all of it as one archive.

use std::io;
use std::sync::Arc;

use super::{Handler, Reply, Rest};
use crate::blocking::response_writer::Content;
use crate::content::archive::{Archive, is_asked_for};
use crate::content::files::Opened;
use crate::content::listing::{FolderPage, Form, Order};
use crate::proto::disposition::attachment;
use crate::proto::negotiate;
use crate::proto::request::{Method, Version};
use crate::proto::response::{self, Persistence, Status};
use crate::proto::target::Path;

impl Handler {
    /// The archive of a folder, if the query asks for one and the folder may be listed.
    pub(super) fn archive(&mut self, reply: &mut Reply, path: &Path, query: Option<&[u8]>) -> io::Result<Option<Rest>> {
        let is_wanted = path.is_folder && query.is_some_and(is_asked_for);
        if !is_wanted || !self.site.listing || self.site.hides(path) {
            return Ok(None);
        }
        let Opened::Folder(folder) = self.root.open(path.relative())? else { return Ok(None) };
        let name = [Archive::name(path.relative()), b".tar"].concat();
        response::start(reply.out, Status::OK, self.clock.date());
        response::field(reply.out, "Content-Type", "application/x-tar");
        response::field(reply.out, "Content-Disposition", attachment(&name));
        response::field(reply.out, "Accept-Ranges", "none");
        response::field(reply.out, "Cache-Control", "no-cache");
        let (root, site) = (Arc::clone(&self.root), Arc::clone(&self.site));
        let relative = path.relative().to_vec();
        let content = |chunked| Content::Archive(Archive { root, site, folder, relative, chunked });
        Ok(Some(self.streamed(reply, content)))
    }

    /// The listing of a folder, for people or programs.
    pub(super) fn listing(&mut self, reply: &mut Reply, path: &Path, query: Option<&[u8]>) -> io::Result<Rest> {
        let Opened::Folder(folder) = self.root.open(path.relative())? else {
            return Ok(self.error(reply, Status::NOT_FOUND, "There is nothing under this address."));
        };
        let (order, form) = Order::from_query(query.unwrap_or_default());
        let json = negotiate::prefers_json(&reply.head.fields);
        let form = form.unwrap_or(if json { Form::Json } else { Form::Html });
        let live = self.live.as_ref().map(|live| live.generation());
        response::start(reply.out, Status::OK, self.clock.date());
        response::field(reply.out, "Content-Type", form.content_type());
        response::field(reply.out, "Cache-Control", "no-cache");
        response::field(reply.out, "Vary", "Accept");
        if form == Form::Html {
            let policy = crate::content::listing::POLICY;
            let policy = live.map_or(policy.to_owned(), |_| crate::live_reload::page::widened(policy));
            response::field(reply.out, "Content-Security-Policy", policy);
        }
        let (root, site) = (Arc::clone(&self.root), Arc::clone(&self.site));
        let relative = path.relative().to_vec();
        Ok(self.streamed(reply, |chunked| {
            Content::Listing(FolderPage { root, site, folder, relative, order, form, live, chunked })
        }))
    }

    /// Ends the head of an answer whose length nobody knows yet: in chunks, or to the end of the connection in HTTP/1.0.
    fn streamed(&mut self, reply: &mut Reply, content: impl FnOnce(bool) -> Content) -> Rest {
        let chunked = reply.head.version == Version::Http11;
        reply.out.extend_from_slice(&self.site.extra_headers);
        if chunked {
            response::field(reply.out, "Transfer-Encoding", "chunked");
        } else {
            reply.persistence = Persistence::Close;
        }
        response::finish(reply.out, reply.persistence);
        let entry = reply.entry(Status::OK);
        if reply.head.method == Method::Head {
            self.record(&entry);
            return Rest::Nothing;
        }
        Rest::Blocking(content(chunked), entry.into())
    }
}

//! The answer that is a folder as one archive.

use std::io;
use std::sync::Arc;

use super::{Reply, Rest, Service};
use crate::archive::{Archive, is_asked_for};
use crate::files::Opened;
use crate::proto::disposition::attachment;
use crate::proto::request::{Method, Version};
use crate::proto::response::{self, Persistence, Status};
use crate::proto::target::Path;
use crate::transfer::Content;

impl Service {
    /// The archive of a folder, if the query asks for one and the folder may be listed.
    pub(super) fn archive(&mut self, reply: &mut Reply, path: &Path, query: Option<&[u8]>) -> io::Result<Option<Rest>> {
        let is_wanted = path.is_folder && query.is_some_and(is_asked_for);
        if !is_wanted || !self.site.listing || self.site.hides(path) {
            return Ok(None);
        }
        let Opened::Folder(folder) = self.root.open(path.relative())? else { return Ok(None) };
        let chunked = reply.head.version == Version::Http11;
        let name = [Archive::name(path.relative()), b".tar"].concat();
        response::start(reply.out, Status::OK, self.clock.date());
        response::field(reply.out, "Content-Type", "application/x-tar");
        response::field(reply.out, "Content-Disposition", attachment(&name));
        response::field(reply.out, "Accept-Ranges", "none");
        response::field(reply.out, "Cache-Control", "no-cache");
        reply.out.extend_from_slice(&self.site.always);
        if chunked {
            response::field(reply.out, "Transfer-Encoding", "chunked");
        } else {
            reply.persistence = Persistence::Close;
        }
        response::finish(reply.out, reply.persistence);
        let entry = reply.entry(Status::OK);
        if reply.head.method == Method::Head {
            self.record(&entry);
            return Ok(Some(Rest::Nothing));
        }
        let (root, site) = (Arc::clone(&self.root), Arc::clone(&self.site));
        let archive = Archive { root, site, folder, relative: path.relative().to_vec(), chunked };
        Ok(Some(Rest::Blocking(Content::Archive(archive), entry.into())))
    }
}

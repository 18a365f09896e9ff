//! Responses from files: the original, a precompressed variant, or compressed text (RFC 9110, section 12.5.3).

use std::io;
use std::sync::Arc;

use super::directory::Directories;
use super::exchange::Exchange;
use super::live_reload::with_script;
use super::response_body::{DeferredHead, FilePart, Reply, ResponseBody};
use crate::content::cache::CachedFile;
use crate::content::compression::{CacheBudget, CompressedState, Compression, Compressor, is_worth};
use crate::content::files::Root;
use crate::content::lookup::{Lookup, OpenFile};
use crate::content::representation::{Representation, Selected};
use crate::content::routing::{PathKind, Resolved, Site};
use crate::proto::field::Name;
use crate::proto::negotiate::{self, Accepted, Coding};
use crate::proto::range::Part;
use crate::proto::request::{Head, Method};
use crate::proto::response::{Response, Status};
use crate::proto::target::Path;

/// Largest body that is copied behind its head, so that one send carries both and pipelined responses share it.
const MAX_COPIED: usize = 16 * 1024;

/// Serves files of the site.
pub(super) struct StaticFiles {
    site: Arc<Site>,
    lookup: Lookup,
    compressor: Option<Arc<Compressor>>,
}

impl StaticFiles {
    pub(super) fn new(site: Arc<Site>, root: Arc<Root>, cache: CacheBudget) -> Self {
        let lookup = Lookup::new(Arc::clone(&site), root, cache.small_files);
        Self { site, lookup, compressor: cache.compressor }
    }

    /// Bytes in the cache for small files.
    pub(super) fn cache_weight(&self) -> usize {
        self.lookup.cache_weight()
    }

    /// The response for a path.
    pub(super) fn respond(
        &mut self,
        exchange: &mut Exchange,
        directories: &Directories,
        path: &Path,
        query: Option<&[u8]>,
    ) -> io::Result<Reply> {
        let accepted = Accepted::from_fields(&exchange.head.fields);
        self.lookup.begin_request();
        // The path of the file is needed only for another coding.
        let wants_coding = (self.site.precompressed || self.site.compress) && accepted.codings().next().is_some();
        let lookup = &mut self.lookup;
        let names_html = self.site.spa.is_some() && negotiate::names_html(&exchange.head.fields);
        let resolved = self.site.find(path, names_html, |relative| {
            lookup.look(exchange.clock, relative, accepted).map(|kind| with_path(kind, relative, wants_coding))
        })?;
        match resolved {
            Resolved::File((relative, file)) => Ok(self.negotiate(exchange, relative.as_deref(), file, accepted)),
            Resolved::Missing(Some((_, page))) => {
                let page = with_script(exchange, &page).unwrap_or(page);
                Ok(self.send(exchange, page, &Selected::Whole(Status::NOT_FOUND)))
            }
            Resolved::Missing(None) => Ok(exchange.not_found()),
            Resolved::Redirect(location) => Ok(exchange.redirect(Status::MOVED_PERMANENTLY, location, query)),
            Resolved::TemporaryRedirect(location) => Ok(exchange.redirect(Status::FOUND, location, query)),
            Resolved::Listing => directories.listing(exchange, path, query),
        }
    }

    /// Chooses the coding; `relative` is the path of the file, needed if the client accepts a coding.
    fn negotiate(
        &mut self,
        exchange: &mut Exchange,
        relative: Option<&[u8]>,
        original: OpenFile,
        accepted: Accepted,
    ) -> Reply {
        if let Some(page) = with_script(exchange, &original) {
            return self.select_and_send(exchange, page);
        }
        if original.representation().coding.is_some() {
            return self.select_and_send(exchange, original);
        }
        if let Some(relative) = relative {
            if self.site.precompressed
                && let Some(variant) = self.lookup.precompressed_variant(exchange.clock, relative, &original, accepted)
            {
                return self.select_and_send(exchange, variant);
            }
            if may_be_compressed(exchange.head, accepted) && is_worth(original.representation()) {
                return self.compressed(exchange, relative, original, accepted.identity());
            }
        }
        self.original(exchange, original, accepted.identity())
    }

    fn original(&self, exchange: &mut Exchange, original: OpenFile, is_accepted: bool) -> Reply {
        if is_accepted {
            return self.select_and_send(exchange, original);
        }
        let vary = [("Vary", b"Accept-Encoding".to_vec())];
        exchange.page(Status::NOT_ACCEPTABLE, "No coding of this file is acceptable.", &vary)
    }

    fn select_and_send(&self, exchange: &mut Exchange, file: OpenFile) -> Reply {
        let selected = file.representation().select(exchange.head);
        self.send(exchange, file, &selected)
    }

    /// The response with the compressed form of a file, if that is smaller.
    fn compressed(&self, exchange: &mut Exchange, relative: &[u8], original: OpenFile, may_be_original: bool) -> Reply {
        let Some(compressor) = &self.compressor else {
            return self.original(exchange, original, may_be_original);
        };
        let is_fresh = |representation: &Representation| representation.select(exchange.head) == Selected::NotModified;
        // A client that has either form needs no compression.
        if may_be_original && is_fresh(original.representation()) {
            return self.send(exchange, original, &Selected::NotModified);
        }
        if exchange.head.fields.first(Name::IfNoneMatch).is_some() {
            let compressed = original.representation().compressed();
            if is_fresh(&compressed) {
                return not_modified(exchange, &compressed);
            }
        }
        let permit = match compressor.look(relative, original.version(), may_be_original) {
            CompressedState::Ready(file) => return self.select_and_send(exchange, OpenFile::Cached(file)),
            CompressedState::Original => return self.original(exchange, original, may_be_original),
            CompressedState::Permit(permit) => Some(permit),
            CompressedState::Wait => None,
        };
        let mut start = Vec::new();
        let framing = exchange.response.framing();
        Response::new(&mut start, framing).start(Status::OK, exchange.clock.date());
        let head = DeferredHead {
            start,
            last_full_second: exchange.clock.last_full_second(),
            framing,
            is_head: exchange.is_head(),
        };
        let compression = Compression {
            compressor: Arc::clone(compressor),
            permit,
            may_be_original,
            path: relative.to_vec(),
            original,
        };
        let body = ResponseBody::Compressed(Box::new(compression), head);
        Reply::offloaded(body, exchange.log_entry(Status::OK))
    }

    /// Writes the head, and the body if it is short.
    fn send(&self, exchange: &mut Exchange, file: OpenFile, selected: &Selected) -> Reply {
        let last_full_second = exchange.clock.last_full_second();
        exchange.start(selected.status());
        match (&file, selected) {
            (OpenFile::Cached(cached), Selected::Whole(Status::OK)) if !cached.fields.is_empty() => {
                exchange.response.field_lines(&cached.fields);
            }
            _ => file.representation().write_fields(selected, last_full_second, exchange.response.fields()),
        }
        exchange.response.end_head();
        let parts = match selected {
            _ if exchange.is_head() => vec![],
            Selected::Whole(_) => vec![Part { start: 0, length: file.representation().size }],
            Selected::One(part) => vec![*part],
            Selected::Several(parts) => parts.clone(),
            _ => vec![],
        };
        let mut entry = exchange.log_entry(selected.status());
        match file {
            OpenFile::Cached(cached) => {
                entry.cache = Some(self.lookup.cache_status());
                match cached_body(cached, &parts, exchange.response) {
                    (ResponseBody::Empty, length) => {
                        entry.bytes = length;
                        exchange.record(&entry);
                        Reply::default()
                    }
                    (body, _) => Reply::sent_later(body, entry),
                }
            }
            OpenFile::Disk(file, _, representation) if !parts.is_empty() => {
                let is_multipart = parts.len() > 1;
                let head = |part| if is_multipart { representation.part_head(part) } else { Vec::new() };
                let parts = parts.into_iter().map(|part| FilePart { head: head(part), part }).collect();
                let tail = if is_multipart { representation.multipart_tail() } else { Vec::new() };
                Reply::offloaded(ResponseBody::File { file, parts, tail }, entry)
            }
            OpenFile::Disk(..) => {
                exchange.record(&entry);
                Reply::default()
            }
        }
    }
}

fn not_modified(exchange: &mut Exchange, representation: &Representation) -> Reply {
    exchange.start(Status::NOT_MODIFIED);
    let last_full_second = exchange.clock.last_full_second();
    representation.write_fields(&Selected::NotModified, last_full_second, exchange.response.fields());
    exchange.response.end_head();
    exchange.record(&exchange.log_entry(Status::NOT_MODIFIED));
    Reply::default()
}

/// Whether a request allows a compressed form: ranges and conditions on a version refer to the original.
fn may_be_compressed(head: &Head, accepted: Accepted) -> bool {
    let has = |name| head.fields.first(name).is_some();
    let part = head.method == Method::Get && has(Name::Range);
    let version = has(Name::IfMatch) || has(Name::IfUnmodifiedSince);
    !part && !version && accepted.codings().any(|coding| coding == Coding::Gzip)
}

/// Appends a short body to the head; a long one is sent behind it. Returns the length of the body as well.
fn cached_body(file: Arc<CachedFile>, parts: &[Part], response: &mut Response) -> (ResponseBody, u64) {
    let range = |part: &Part| {
        let start = usize::try_from(part.start).unwrap_or(usize::MAX);
        start..start.saturating_add(usize::try_from(part.length).unwrap_or(usize::MAX))
    };
    let bytes = |part: &Part| file.body.get(range(part)).unwrap_or_default();
    match parts {
        [] => (ResponseBody::Empty, 0),
        [part] if range(part).len() > MAX_COPIED => {
            let range = range(part);
            let length = range.len() as u64;
            (ResponseBody::Cached(file, range), length)
        }
        [part] => {
            response.body(bytes(part));
            (ResponseBody::Empty, bytes(part).len() as u64)
        }
        several => {
            let start = response.fields().len();
            for part in several {
                response.body(&file.representation.part_head(*part));
                response.body(bytes(part));
            }
            response.body(&file.representation.multipart_tail());
            (ResponseBody::Empty, (response.fields().len() - start) as u64)
        }
    }
}

fn with_path(kind: PathKind<OpenFile>, path: &[u8], is_wanted: bool) -> PathKind<(Option<Vec<u8>>, OpenFile)> {
    match kind {
        PathKind::File(file) => PathKind::File((is_wanted.then(|| path.to_vec()), file)),
        PathKind::Folder => PathKind::Folder,
        PathKind::Absent => PathKind::Absent,
    }
}

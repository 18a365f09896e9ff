//! In which coding a file is sent (RFC 9110 section 12.5.3): a compressed file beside it, text compressed on the way out, or
//! the original.

use std::sync::Arc;

use super::{Handler, Reply, Rest};
use crate::blocking::response_writer::Content;
use crate::content::compression::{CompressedState, Compression, is_worth};
use crate::content::lookup::OpenFile;
use crate::content::representation::{Representation, Selected};
use crate::proto::field::Name;
use crate::proto::negotiate::{Accepted, Coding};
use crate::proto::request::{Head, Method};
use crate::proto::response::{self, Status};

impl Handler {
    /// The answer about a file; `relative` is its path, needed if the client accepts any coding.
    pub(super) fn file(
        &mut self,
        reply: &mut Reply,
        relative: Option<&[u8]>,
        original: OpenFile,
        accepted: Accepted,
    ) -> Rest {
        if let Some(page) = self.with_script(&original) {
            return self.select_and_send(reply, page);
        }
        if let Some(relative) = relative {
            if self.site.precompressed
                && let Some(coded) = self.lookup.precompressed_variant(&self.clock, relative, &original, accepted)
            {
                return self.select_and_send(reply, coded);
            }
            if may_be_compressed(reply.head, accepted) && is_worth(original.representation()) {
                return self.compressed(reply, relative, original, accepted.identity());
            }
        }
        self.original(reply, original, accepted.identity())
    }

    fn original(&mut self, reply: &mut Reply, original: OpenFile, is_accepted: bool) -> Rest {
        if is_accepted {
            return self.select_and_send(reply, original);
        }
        let vary = [("Vary", b"Accept-Encoding".to_vec())];
        self.page(reply, Status::NOT_ACCEPTABLE, "No coding of this file is acceptable.", &vary)
    }

    fn select_and_send(&mut self, reply: &mut Reply, source: OpenFile) -> Rest {
        let selected = source.representation().select(reply.head);
        self.send(reply, source, &selected)
    }

    /// The answer about a file that is compressed on the way out if that pays.
    fn compressed(&mut self, reply: &mut Reply, relative: &[u8], original: OpenFile, may_be_original: bool) -> Rest {
        let Some(compressor) = self.compressor.clone() else {
            return self.original(reply, original, may_be_original);
        };
        let is_fresh = |representation: &Representation| {
            representation.select(reply.head) == Selected::NotModified
        };
        // Whoever has either form already is told so, and nothing is compressed for it.
        if may_be_original && is_fresh(original.representation()) {
            return self.send(reply, original, &Selected::NotModified);
        }
        if reply.head.fields.first(Name::IfNoneMatch).is_some() {
            let compressed = original.representation().compressed();
            if is_fresh(&compressed) {
                return self.not_modified(reply, &compressed);
            }
        }
        let permit = match compressor.look(relative, original.identity(), may_be_original) {
            CompressedState::Ready(document) => return self.select_and_send(reply, OpenFile::Memory(document)),
            CompressedState::Original => return self.original(reply, original, may_be_original),
            CompressedState::Permit(permit) => Some(permit),
            CompressedState::Wait => None,
        };
        let mut start = Vec::new();
        response::start(&mut start, Status::OK, self.clock.date());
        let compression = Compression {
            compressor: Arc::clone(&compressor),
            permit,
            may_be_original,
            path: relative.to_vec(),
            original,
            start,
            last_full_second: self.clock.last_full_second(),
            persistence: reply.persistence,
            is_head: reply.head.method == Method::Head,
        };
        Rest::Blocking(Content::Compressed(Box::new(compression)), reply.entry(Status::OK).into())
    }

    fn not_modified(&mut self, reply: &mut Reply, representation: &Representation) -> Rest {
        response::start(reply.out, Status::NOT_MODIFIED, self.clock.date());
        representation.write_fields(&Selected::NotModified, self.clock.last_full_second(), reply.out);
        response::finish(reply.out, reply.persistence);
        self.record(&reply.entry(Status::NOT_MODIFIED));
        Rest::Nothing
    }
}

/// Whether a request leaves the choice of the coding: a part or a certain version that it asks for is one of the original.
fn may_be_compressed(head: &Head, accepted: Accepted) -> bool {
    let asks_for = |name| head.fields.first(name).is_some();
    let part = head.method == Method::Get && asks_for(Name::Range);
    let version = asks_for(Name::IfMatch) || asks_for(Name::IfUnmodifiedSince);
    !part && !version && accepted.codings().any(|coding| coding == Coding::Gzip)
}

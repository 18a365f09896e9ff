//! Answers of `--live-reload`: pages with the script in them, and the stream of events it listens to.

use std::sync::Arc;

use super::{Handler, Reply, Rest};
use crate::content::cache::{CachedFile, read_version};
use crate::content::lookup::OpenFile;
use crate::live_reload::{self, page};
use crate::proto::request::Method;
use crate::proto::response::{self, Persistence, Status};
use crate::proto::target::Path;

/// A larger page is sent as it is: it is no page that somebody works on.
const MAX_PAGE: u64 = 4 << 20;
/// Milliseconds after which a browser that lost the connection tries again.
const RETRY: &str = "retry: 1000\n\n";

impl Handler {
    /// The current generation of the files; 0 where nobody wants to know.
    pub fn generation(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.generation())
    }

    /// The stream of events, if that is what the path names and there is one.
    pub(super) fn events(&mut self, reply: &mut Reply, path: &Path, query: Option<&[u8]>) -> Option<Rest> {
        let live =
            self.live.as_ref().filter(|_| path.relative() == live_reload::PATH && reply.head.method == Method::Get)?;
        let since = query.and_then(|query| query.strip_prefix(b"since=")).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            digits.parse().ok()
        });
        // Who does not say of which generation it is wants to hear of the next one.
        let Some(mut subscriber) = live.subscribe(since.unwrap_or(live.generation())) else {
            return Some(self.error(reply, Status::SERVICE_UNAVAILABLE, "Too many pages are listening already."));
        };
        reply.persistence = Persistence::Close;
        response::start(reply.out, Status::OK, self.clock.date());
        response::field(reply.out, "Content-Type", "text/event-stream");
        response::field(reply.out, "Cache-Control", "no-store");
        // nginx in front would hold the events back else.
        response::field(reply.out, "X-Accel-Buffering", "no");
        reply.out.extend_from_slice(&self.site.extra_headers);
        response::finish(reply.out, reply.persistence);
        reply.out.extend_from_slice(RETRY.as_bytes());
        reply.out.extend_from_slice(subscriber.next_event().unwrap_or_default().as_bytes());
        self.record(&reply.entry(Status::OK));
        Some(Rest::Events(subscriber))
    }

    /// The page in `source` with the script in it; `None` for what is no page, or where nobody wants that.
    ///
    /// It is another one with every generation, so it has no date, no parts, and is not to be kept.
    pub(super) fn with_script(&self, source: &OpenFile) -> Option<OpenFile> {
        let generation = self.live.as_ref()?.generation();
        let representation = source.representation();
        if !representation.content_type.starts_with("text/html") || representation.size > MAX_PAGE {
            return None;
        }
        let body = match source {
            OpenFile::Memory(document) => page::inject(&document.body, generation)?,
            OpenFile::Disk(file, identity, _) => page::inject(&read_version(file, *identity).ok()??, generation)?,
        };
        let representation = representation.of_generation(generation, body.len() as u64);
        let document = CachedFile { representation, fields: Vec::new(), body, identity: source.identity() };
        Some(OpenFile::Memory(Arc::new(document)))
    }
}

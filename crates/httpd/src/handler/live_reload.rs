//! Responses of `--live-reload`: pages with the script, and the stream of server-sent events.

use std::sync::Arc;

use super::exchange::Exchange;
use super::response_body::{Reply, ResponseBody};
use crate::content::cache::{CachedFile, read_version};
use crate::content::error_page::PageLinks;
use crate::content::lookup::OpenFile;
use crate::live_reload::{EVENTS_PATH, LiveReload, SCRIPT_PATH, page};
use crate::proto::request::Method;
use crate::proto::response::Status;
use crate::proto::target::Path;

/// Largest page that gets the script.
const MAX_PAGE: u64 = 4 << 20;
/// Reconnection time of the browser, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// The script or the stream of events, if the path is one of theirs.
pub(super) fn respond(
    live_reload: &Arc<LiveReload>,
    exchange: &mut Exchange,
    path: &Path,
    query: Option<&[u8]>,
) -> Option<Reply> {
    if path.relative() == SCRIPT_PATH {
        return Some(script(exchange));
    }
    events(live_reload, exchange, path, query)
}

fn script(exchange: &mut Exchange) -> Reply {
    exchange.start(Status::OK);
    exchange.response.field("Content-Type", "text/javascript; charset=utf-8");
    exchange.response.number_field("Content-Length", page::SCRIPT.len() as u64);
    exchange.response.field("Cache-Control", "no-store");
    exchange.finish_with(Status::OK, page::SCRIPT.as_bytes())
}

fn events(live_reload: &Arc<LiveReload>, exchange: &mut Exchange, path: &Path, query: Option<&[u8]>) -> Option<Reply> {
    if path.relative() != EVENTS_PATH || exchange.head.method != Method::Get {
        return None;
    }
    let since = query.and_then(|query| query.strip_prefix(b"since=")).and_then(|digits| {
        let digits = std::str::from_utf8(digits).ok()?;
        digits.parse().ok()
    });
    // Without `since`, only later changes are sent.
    let Some(mut subscriber) = live_reload.subscribe(since.unwrap_or(live_reload.generation())) else {
        return Some(exchange.error(Status::SERVICE_UNAVAILABLE, "Too many pages wait for changes."));
    };
    exchange.response.close();
    exchange.start(Status::OK);
    exchange.response.field("Content-Type", "text/event-stream");
    exchange.response.field("Cache-Control", "no-store");
    // Disables the buffering of nginx.
    exchange.response.field("X-Accel-Buffering", "no");
    exchange.response.field_lines(&exchange.site.extra_headers);
    exchange.response.end_head();
    exchange.response.body(RETRY.as_bytes());
    exchange.response.body(subscriber.next_event().unwrap_or_default().as_bytes());
    exchange.record(&exchange.log_entry(Status::OK));
    Some(ResponseBody::Events(subscriber).into())
}

/// A page with the script; `None` for other files and without --live-reload.
///
/// The page differs by generation: no date, no ranges, not cacheable.
pub(super) fn with_script(exchange: &Exchange, file: &OpenFile) -> Option<OpenFile> {
    let generation = exchange.live_reload.as_ref()?.generation();
    let representation = file.representation();
    let is_xml = representation.content_type.starts_with("application/xhtml+xml");
    let is_page = is_xml || representation.content_type.starts_with("text/html");
    if !is_page || representation.coding.is_some() || representation.size > MAX_PAGE {
        return None;
    }
    let element = exchange.script_element()?;
    let body = match file {
        OpenFile::Cached(cached) => page::inject(&cached.body, &element, is_xml)?,
        OpenFile::Disk(open, version, _) => page::inject(&read_version(open, *version).ok()??, &element, is_xml)?,
    };
    let representation = representation.of_generation(generation, body.len() as u64);
    let page = CachedFile { representation, fields: Vec::new(), body, version: file.version() };
    Some(OpenFile::Cached(Arc::new(page)))
}

impl Exchange<'_, '_, '_> {
    /// The script element for a page at the path of this request; `None` without --live-reload.
    pub(super) fn script_element(&self) -> Option<String> {
        let root = PageLinks::of_target(self.head.target).root;
        self.live_reload.as_ref().map(|live_reload| page::script_element(live_reload.generation(), &root))
    }
}

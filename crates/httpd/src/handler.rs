//! From the bytes of a request to the bytes of its answer, in a straight line.
//!
//! [`Handler::serve`] is called by a worker for each request in its buffer. Answers from memory are appended to the output
//! at once; whatever has to be read from a disk or could block is described as [`Content`] for the blocking lane. In which
//! coding a file is sent stands in `coding`, what is made of folders in `folder`, redirects and errors in `pages`.

mod authentication;
mod directory;
mod error_page;
mod https_redirect;
mod live_reload;
mod monitoring;
mod static_file;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use crate::auth::{Authenticator, PendingVerification};
use crate::blocking::response_writer::Content;
use crate::clock::Clock;
use crate::content::cache::CachedFile;
use crate::content::compression::{CacheBudget, Compressor};
use crate::content::files::Root;
use crate::content::lookup::{Lookup, OpenFile, failure};
use crate::content::representation::Selected;
use crate::content::routing::{PathKind, Resolved, Site};
use crate::live_reload::{EventSubscriber, LiveReload};
use crate::net::connection_limit::ConnectionLimiter;
use crate::net::peer::Peer;
use crate::net::trusted_proxies::TrustedProxies;
use crate::proto::Rejection;
use crate::proto::field::Name;
use crate::proto::framing::{self, BodyLength, Drain, Expectation};
use crate::proto::negotiate::Accepted;
use crate::proto::range::Part;
use crate::proto::request::{self, Head, Method, Parsed, Version};
use crate::proto::response::{self, Persistence, Status};
use crate::proto::target::{self, Path, Target};
use crate::telemetry::access_log::{AccessLog, Entry, OwnedEntry};
use crate::telemetry::metrics::ServedBy;

pub use https_redirect::PlainHttp;
pub use monitoring::{Monitoring, MonitoringPaths};

/// Bodies up to this size are copied behind their head, so that one send carries both and pipelined answers share it.
const MAX_COPY: usize = 16 * 1024;

const TOO_MANY: &str = "There are too many connections. Try again.";
/// How a client begins that expects TLS (RFC 8446 section 5.1). Without a line in it, it would wait for an answer in vain.
const TLS_HANDSHAKE: &[u8] = &[22, 3];
const NO_TLS: Rejection = Rejection::bad_request("This port speaks HTTP without TLS.");

/// Everything one worker needs to answer requests.
pub struct Handler {
    site: Arc<Site>,
    root: Arc<Root>,
    lookup: Lookup,
    compressor: Option<Arc<Compressor>>,
    live: Option<Arc<LiveReload>>,
    monitoring: Monitoring,
    gate: AccessControl,
    /// The time, for all requests of a wake-up.
    pub clock: Clock,
    /// The access log of this worker.
    pub log: AccessLog,
}

/// Who is at the other end, and whether they are let in.
#[derive(Debug, Clone)]
pub struct AccessControl {
    /// Who may log in; `None` lets everybody in.
    pub authenticator: Option<Arc<Authenticator>>,
    /// Whose word about a client counts.
    pub proxies: Arc<TrustedProxies>,
    /// How many there may be of each.
    pub limiter: Arc<ConnectionLimiter>,
}

/// An answer: what is in the output buffer already, and what follows.
#[derive(Debug)]
pub struct Answer {
    /// Octets of the input that the head took.
    pub taken: usize,
    /// What follows the bytes in the output buffer.
    pub rest: Rest,
    /// What happens to the connection.
    pub after: After,
}

/// What follows the bytes in the output buffer.
#[derive(Debug)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// Part of a document in memory.
    Memory(Arc<CachedFile>, Range<usize>),
    /// Work for the blocking lane, and the log line to write when it is done.
    Blocking(Content, OwnedEntry),
    /// Events, as they happen.
    Events(EventSubscriber),
    /// Credentials that the blocking lane has to check; the same request is served again then.
    Login(Box<PendingVerification>),
}

/// What happens to the connection after the answer.
#[derive(Debug)]
pub enum After {
    /// The next request.
    Next,
    /// A request body is eaten, then the next request.
    Drain(Drain),
    /// It is closed; nothing more was expected from the client.
    Close,
    /// It is closed, but the client may still be sending.
    Linger,
}

/// The answer to one request as it is being made.
struct Reply<'r, 'b> {
    head: &'r Head<'b>,
    persistence: Persistence,
    peer: Peer,
    /// Whether the client has as many connections as it may have, by way of a proxy.
    is_crowded: bool,
    begun: Instant,
    user: Option<Arc<[u8]>>,
    out: &'r mut Vec<u8>,
}

impl Handler {
    /// A handler of `site` beneath `root`, for those whom `gate` lets in.
    pub fn new(
        site: Arc<Site>,
        root: Arc<Root>,
        memory: CacheBudget,
        clock: Clock,
        log: AccessLog,
        monitoring: Monitoring,
        gate: AccessControl,
    ) -> Self {
        let lookup = Lookup::new(Arc::clone(&site), Arc::clone(&root), memory.documents);
        Self { site, root, lookup, compressor: memory.compressor, live: None, monitoring, gate, clock, log }
    }

    /// The same with pages that follow their files.
    #[must_use]
    pub fn with_live(self, live: Option<Arc<LiveReload>>) -> Self {
        Self { live, ..self }
    }

    /// Answers the first request in `input`; `None` when it is not complete.
    pub fn serve(&mut self, input: &[u8], peer: Peer, out: &mut Vec<u8>) -> Option<Answer> {
        if input.starts_with(TLS_HANDSHAKE) {
            return Some(self.reject(NO_TLS, input, peer, out));
        }
        let (head, taken) = match request::parse(input) {
            Ok(Parsed::Partial) => return None,
            Ok(Parsed::Complete(head, taken)) => (head, taken),
            Err(rejection) => return Some(self.reject(rejection, input, peer, out)),
        };
        let (length, expectation) = match framing::body_length(&head)
            .and_then(|length| framing::expectation(&head).map(|expectation| (length, expectation)))
        {
            Ok(framing) => framing,
            Err(rejection) => return Some(self.reject(rejection, input, peer, out)),
        };
        let after = after(&head, length, expectation);
        let persistence = match (&after, head.version) {
            (After::Close | After::Linger, _) => Persistence::Close,
            (_, Version::Http10) => Persistence::ExplicitKeepAlive,
            (_, Version::Http11) => Persistence::KeepAlive,
        };
        let client = self.gate.proxies.client(peer, &head.fields);
        let is_crowded = client != peer && !self.gate.limiter.has_room(client);
        let mut reply =
            Reply { head: &head, persistence, peer: client, is_crowded, begun: self.clock.woke(), user: None, out };
        let rest = match self.answer(&mut reply) {
            Ok(rest) => rest,
            Err(rejection) => self.error(&mut reply, rejection.status, rejection.reason),
        };
        if let Rest::Login(_) = rest {
            return Some(Answer { taken: 0, rest, after: After::Next });
        }
        // A listing for HTTP/1.0 ends with the connection.
        let after = match after {
            After::Next if reply.persistence == Persistence::Close => After::Close,
            After::Drain(_) if reply.persistence == Persistence::Close => After::Linger,
            after => after,
        };
        Some(Answer { taken, rest, after })
    }

    /// As whom a connection of `peer` counts.
    pub fn counted(&self, peer: Peer) -> Peer {
        self.gate.proxies.counted(peer)
    }

    /// Whether a connection of `peer` has to begin with a PROXY header; `None` when `peer` may not connect at all then.
    pub fn expects_header(&self, peer: Peer) -> Option<bool> {
        let proxies = &self.gate.proxies;
        if proxies.header && !proxies.trusts(peer) { None } else { Some(proxies.header) }
    }

    /// The answer to a client for which there is no place now.
    pub fn reject_over_limit(&mut self, input: &[u8], peer: Peer, out: &mut Vec<u8>) {
        let rejection = Rejection { status: Status::SERVICE_UNAVAILABLE, reason: TOO_MANY };
        self.reject(rejection, input, peer, out);
    }

    /// The answer to a client that did not send its head in time.
    pub fn time_out(&mut self, pending: &[u8], peer: Peer, out: &mut Vec<u8>) {
        let rejection = Rejection { status: Status::REQUEST_TIMEOUT, reason: "The request did not arrive in time." };
        self.reject(rejection, pending, peer, out);
    }

    fn answer(&mut self, reply: &mut Reply) -> Result<Rest, Rejection> {
        let target = target::parse(reply.head.target, reply.head.method);
        if let Ok(Target::Resource { path, .. }) = &target
            && let Some(rest) = self.health(reply, path)
        {
            return Ok(rest);
        }
        if reply.is_crowded {
            return Ok(self.error(reply, Status::SERVICE_UNAVAILABLE, TOO_MANY));
        }
        // Who is not let in learns nothing, not even whether the target is well-formed.
        if let Some(rest) = self.login(reply) {
            return Ok(rest);
        }
        // Their targets have forms of their own: an authority for CONNECT.
        if reply.head.method == Method::NotAllowed {
            return Ok(self.not_allowed(reply));
        }
        match target? {
            Target::Server => Ok(self.options(reply)),
            Target::Resource { .. } if reply.head.method == Method::Options => Ok(self.options(reply)),
            Target::Resource { path, query, .. } => {
                if let Some(rest) = self.metrics(reply, &path) {
                    return Ok(rest);
                }
                self.resource(reply, &path, query).map_err(|error| failure(&path, &error))
            }
        }
    }

    fn resource(&mut self, reply: &mut Reply, path: &Path, query: Option<&[u8]>) -> io::Result<Rest> {
        if let Some(rest) = self.events(reply, path, query) {
            return Ok(rest);
        }
        if let Some(rest) = self.archive(reply, path, query)? {
            return Ok(rest);
        }
        let accepted = Accepted::from_fields(&reply.head.fields);
        self.lookup.begin_request();
        let site = Arc::clone(&self.site);
        // The path of what was found is needed only for a coding of it.
        let wants_coding = (site.precompressed || site.compress) && accepted.codings().next().is_some();
        let found = site.find(path, |relative| {
            self.lookup.look(&self.clock, relative, None).map(|seen| with_path(seen, relative, wants_coding))
        })?;
        match found {
            Resolved::File((relative, source)) => Ok(self.file(reply, relative.as_deref(), source, accepted)),
            Resolved::Missing(Some((_, page))) => {
                let page = self.with_script(&page).unwrap_or(page);
                Ok(self.send(reply, page, &Selected::Whole(Status::NOT_FOUND)))
            }
            Resolved::Missing(None) => Ok(self.error(reply, Status::NOT_FOUND, "There is nothing under this address.")),
            Resolved::AddSlash => Ok(self.add_slash(reply, path, query)),
            Resolved::Listing => self.listing(reply, path, query),
        }
    }

    fn send(&mut self, reply: &mut Reply, source: OpenFile, selected: &Selected) -> Rest {
        let last_full_second = self.clock.last_full_second();
        response::start(reply.out, selected.status(), self.clock.date());
        match (&source, selected) {
            (OpenFile::Memory(document), Selected::Whole(Status::OK)) if !document.fields.is_empty() => {
                reply.out.extend_from_slice(&document.fields);
            }
            _ => source.representation().write_fields(selected, last_full_second, reply.out),
        }
        response::finish(reply.out, reply.persistence);
        let parts = match selected {
            _ if reply.head.method == Method::Head => vec![],
            Selected::Whole(_) => vec![Part { start: 0, length: source.representation().size }],
            Selected::One(part) => vec![*part],
            Selected::Several(parts) => parts.clone(),
            _ => vec![],
        };
        let mut entry = reply.entry(selected.status());
        match source {
            OpenFile::Memory(document) => {
                entry.cached = Some(self.lookup.cached());
                let start = reply.out.len();
                let rest = send_document(document, &parts, reply.out);
                let behind = if let Rest::Memory(_, range) = &rest { range.len() } else { 0 };
                entry.bytes = (reply.out.len() - start + behind) as u64;
                self.record(&entry);
                rest
            }
            OpenFile::Disk(file, _, representation) if !parts.is_empty() => {
                let several = parts.len() > 1;
                let head = |part| if several { representation.part_head(part) } else { Vec::new() };
                let pieces = parts.into_iter().map(|part| (head(part), part)).collect();
                let tail = if several { representation.multipart_tail() } else { Vec::new() };
                Rest::Blocking(Content::File { file, pieces, tail }, entry.into())
            }
            OpenFile::Disk(..) => {
                self.record(&entry);
                Rest::Nothing
            }
        }
    }
}

/// What the framing of a request means for its connection.
fn after(head: &Head, length: BodyLength, expectation: Expectation) -> After {
    match (length, expectation) {
        (BodyLength::Octets(0), _) if framing::keeps_alive(head) => After::Next,
        (BodyLength::Octets(0), _) => After::Close,
        // Whether the body comes after a final answer is up to the client, so nothing behind it can be understood.
        (_, Expectation::Continue) => After::Linger,
        (length, Expectation::None) => match Drain::new(length) {
            Some(drain) if framing::keeps_alive(head) => After::Drain(drain),
            _ => After::Linger,
        },
    }
}

/// Appends what is small; the body of a large document follows on its own.
fn send_document(document: Arc<CachedFile>, parts: &[Part], out: &mut Vec<u8>) -> Rest {
    let range = |part: &Part| {
        let start = usize::try_from(part.start).unwrap_or(usize::MAX);
        start..start.saturating_add(usize::try_from(part.length).unwrap_or(usize::MAX))
    };
    match parts {
        [] => Rest::Nothing,
        [part] if range(part).len() > MAX_COPY => Rest::Memory(document, range(part)),
        [part] => {
            out.extend_from_slice(document.body.get(range(part)).unwrap_or_default());
            Rest::Nothing
        }
        several => {
            for part in several {
                out.extend_from_slice(&document.representation.part_head(*part));
                out.extend_from_slice(document.body.get(range(part)).unwrap_or_default());
            }
            out.extend_from_slice(&document.representation.multipart_tail());
            Rest::Nothing
        }
    }
}

fn with_path(seen: PathKind<OpenFile>, path: &[u8], is_wanted: bool) -> PathKind<(Option<Vec<u8>>, OpenFile)> {
    match seen {
        PathKind::File(source) => PathKind::File((is_wanted.then(|| path.to_vec()), source)),
        PathKind::Folder => PathKind::Folder,
        PathKind::Absent => PathKind::Absent,
    }
}

impl<'b> Reply<'_, 'b> {
    fn entry(&self, status: Status) -> Entry<'b> {
        Entry {
            peer: self.peer,
            line: self.head.line,
            status: status.code(),
            bytes: 0,
            referer: self.head.fields.first(Name::Referer),
            user_agent: self.head.fields.first(Name::UserAgent),
            user: self.user.clone(),
            served_by: ServedBy::Memory,
            cached: None,
            begun: self.begun,
        }
    }
}

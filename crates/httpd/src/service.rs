//! From the bytes of a request to the bytes of its answer, in a straight line.
//!
//! [`Service::serve`] is called by a worker for each request in its buffer. Answers from memory are appended to the output
//! at once; whatever has to be read from a disk or could block is described as [`Content`] for the blocking lane. In which
//! coding a file is sent stands in `coding`.

mod archive;
mod coding;
mod live;
mod login;
mod watching;

pub use watching::{Watch, WatchPaths};

mod elsewhere;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use crate::access_log::{AccessLog, Entry, OwnedEntry};
use crate::auth::{Attempt, Guard};
use crate::cache::Document;
use crate::clock::Clock;
use crate::compress::{Compressor, Memory};
use crate::files::{Opened, Root};
use crate::limits::Door;
use crate::listing::{FolderPage, Form, Order};
use crate::live::{Listener, Live};
use crate::lookup::{Lookup, Source, failure};
use crate::metrics::Lane;
use crate::page;
use crate::peer::Peer;
use crate::proto::Rejection;
use crate::proto::field::Name;
use crate::proto::framing::{self, BodyLength, Drain, Expectation};
use crate::proto::negotiate::{self, Accepted};
use crate::proto::range::Part;
use crate::proto::request::{self, Head, Method, Parsed, Version};
use crate::proto::response::{self, Persistence, Status};
use crate::proto::target::{self, Path, Target, percent_encode};
use crate::proxies::Proxies;
use crate::representation::Selected;
use crate::site::{Found, Seen, Site};
use crate::transfer::Content;

pub use elsewhere::Elsewhere;

/// Bodies up to this size are copied behind their head, so that one send carries both and pipelined answers share it.
const COPY_MAX: usize = 16 * 1024;

const TOO_MANY: &str = "There are too many connections. Try again.";
/// How a client begins that expects TLS (RFC 8446 section 5.1). Without a line in it, it would wait for an answer in vain.
const TLS_HANDSHAKE: &[u8] = &[22, 3];
const NO_TLS: Rejection = Rejection::bad_request("This port speaks HTTP without TLS.");

/// Seconds after which a client may try again when there was no room for it: places come free all the time.
const RETRY_AFTER: &str = "1";

/// Everything one worker needs to answer requests.
pub struct Service {
    site: Arc<Site>,
    root: Arc<Root>,
    lookup: Lookup,
    compressor: Option<Arc<Compressor>>,
    live: Option<Arc<Live>>,
    watch: Watch,
    gate: Gate,
    /// The time, for all requests of a wake-up.
    pub clock: Clock,
    /// The access log of this worker.
    pub log: AccessLog,
}

/// Who is at the other end, and whether they are let in.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Who may log in; `None` lets everybody in.
    pub guard: Option<Arc<Guard>>,
    /// Whose word about a client counts.
    pub proxies: Arc<Proxies>,
    /// How many there may be of each.
    pub door: Arc<Door>,
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
    Memory(Arc<Document>, Range<usize>),
    /// Work for the blocking lane, and the log line to write when it is done.
    Blocking(Content, OwnedEntry),
    /// Events, as they happen.
    Events(Listener),
    /// Credentials that the blocking lane has to check; the same request is served again then.
    Login(Box<Attempt>),
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

impl Service {
    /// A service of `site` beneath `root`, for those whom `gate` lets in.
    pub fn new(
        site: Arc<Site>,
        root: Arc<Root>,
        memory: Memory,
        clock: Clock,
        log: AccessLog,
        watch: Watch,
        gate: Gate,
    ) -> Self {
        let lookup = Lookup::new(Arc::clone(&site), Arc::clone(&root), memory.documents);
        Self { site, root, lookup, compressor: memory.compressor, live: None, watch, gate, clock, log }
    }

    /// The same with pages that follow their files.
    #[must_use]
    pub fn with_live(self, live: Option<Arc<Live>>) -> Self {
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
            (_, Version::Http10) => Persistence::KeepAliveTold,
            (_, Version::Http11) => Persistence::KeepAlive,
        };
        let client = self.gate.proxies.client(peer, &head.fields);
        let is_crowded = client != peer && !self.gate.door.has_room(client);
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
    pub fn turn_away(&mut self, input: &[u8], peer: Peer, out: &mut Vec<u8>) {
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
            Found::File((relative, source)) => Ok(self.file(reply, relative.as_deref(), source, accepted)),
            Found::Missing(Some((_, page))) => {
                let page = self.with_script(&page).unwrap_or(page);
                Ok(self.send(reply, page, &Selected::Whole(Status::NOT_FOUND)))
            }
            Found::Missing(None) => Ok(self.error(reply, Status::NOT_FOUND, "There is nothing under this address.")),
            Found::AddSlash => Ok(self.add_slash(reply, path, query)),
            Found::Listing => self.listing(reply, path, query),
        }
    }

    fn send(&mut self, reply: &mut Reply, source: Source, selected: &Selected) -> Rest {
        let last_full_second = self.clock.last_full_second();
        response::start(reply.out, selected.status(), self.clock.date());
        match (&source, selected) {
            (Source::Memory(document), Selected::Whole(Status::OK)) if !document.fields.is_empty() => {
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
            Source::Memory(document) => {
                entry.cached = Some(self.lookup.cached());
                let start = reply.out.len();
                let rest = send_document(document, &parts, reply.out);
                let behind = if let Rest::Memory(_, range) = &rest { range.len() } else { 0 };
                entry.bytes = (reply.out.len() - start + behind) as u64;
                self.record(&entry);
                rest
            }
            Source::Disk(file, _, representation) if !parts.is_empty() => {
                let several = parts.len() > 1;
                let head = |part| if several { representation.part_head(part) } else { Vec::new() };
                let pieces = parts.into_iter().map(|part| (head(part), part)).collect();
                let tail = if several { representation.multipart_tail() } else { Vec::new() };
                Rest::Blocking(Content::File { file, pieces, tail }, entry.into())
            }
            Source::Disk(..) => {
                self.record(&entry);
                Rest::Nothing
            }
        }
    }

    fn listing(&mut self, reply: &mut Reply, path: &Path, query: Option<&[u8]>) -> io::Result<Rest> {
        let Opened::Folder(folder) = self.root.open(path.relative())? else {
            return Ok(self.error(reply, Status::NOT_FOUND, "There is nothing under this address."));
        };
        let (order, form) = Order::from_query(query.unwrap_or_default());
        let json = negotiate::prefers_json(&reply.head.fields);
        let form = form.unwrap_or(if json { Form::Json } else { Form::Html });
        let chunked = reply.head.version == Version::Http11;
        let live = self.live.as_ref().map(|live| live.generation());
        response::start(reply.out, Status::OK, self.clock.date());
        response::field(reply.out, "Content-Type", form.content_type());
        response::field(reply.out, "Cache-Control", "no-cache");
        response::field(reply.out, "Vary", "Accept");
        if form == Form::Html {
            let policy = crate::listing::POLICY;
            let policy = live.map_or(policy.to_owned(), |_| crate::live::page::widened(policy));
            response::field(reply.out, "Content-Security-Policy", policy);
        }
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
            return Ok(Rest::Nothing);
        }
        let page = FolderPage {
            root: Arc::clone(&self.root),
            site: Arc::clone(&self.site),
            folder,
            relative: path.relative().to_vec(),
            order,
            form,
            live,
            chunked,
        };
        Ok(Rest::Blocking(Content::Listing(page), entry.into()))
    }

    /// A redirect to the same path with a slash behind it; relative to the host, and never beginning with two slashes.
    fn add_slash(&mut self, reply: &mut Reply, path: &Path, query: Option<&[u8]>) -> Rest {
        let mut location = b"/".to_vec();
        percent_encode(path.relative(), &mut location);
        location.push(b'/');
        if let Some(query) = query {
            location.push(b'?');
            location.extend_from_slice(query);
        }
        let location = [("Location", location)];
        self.page(reply, Status::MOVED_PERMANENTLY, "A folder ends in a slash.", &location)
    }

    fn options(&mut self, reply: &mut Reply) -> Rest {
        response::start(reply.out, Status::NO_CONTENT, self.clock.date());
        response::field(reply.out, "Allow", Method::ALLOWED);
        if self.site.cors && reply.head.fields.first(Name::AccessControlRequestMethod).is_some() {
            preflight(reply);
        }
        reply.out.extend_from_slice(&self.site.always);
        response::finish(reply.out, reply.persistence);
        self.record(&reply.entry(Status::NO_CONTENT));
        Rest::Nothing
    }

    fn not_allowed(&mut self, reply: &mut Reply) -> Rest {
        let allow = [("Allow", Method::ALLOWED.as_bytes().to_vec())];
        self.page(reply, Status::METHOD_NOT_ALLOWED, "Files can be read here, and nothing else.", &allow)
    }

    fn error(&mut self, reply: &mut Reply, status: Status, sentence: &str) -> Rest {
        self.page(reply, status, sentence, &[])
    }

    fn page(&mut self, reply: &mut Reply, status: Status, sentence: &str, extra: &[(&str, Vec<u8>)]) -> Rest {
        let html = page::wants_html(&reply.head.fields);
        let length = self.write_page(status, sentence, extra, html, reply.persistence, reply.out);
        let mut entry = reply.entry(status);
        if reply.head.method == Method::Head {
            reply.out.truncate(reply.out.len() - length);
        } else {
            entry.bytes = length as u64;
        }
        self.record(&entry);
        Rest::Nothing
    }

    /// Writes a whole answer with a page of our own; returns the length of its body.
    fn write_page(
        &self,
        status: Status,
        sentence: &str,
        extra: &[(&str, Vec<u8>)],
        html: bool,
        persistence: Persistence,
        out: &mut Vec<u8>,
    ) -> usize {
        let page = page::error_page(status, sentence, html);
        response::start(out, status, self.clock.date());
        response::field(out, "Content-Type", page.content_type);
        response::number_field(out, "Content-Length", page.body.len() as u64);
        for (name, value) in extra {
            response::field(out, name, value);
        }
        if status == Status::SERVICE_UNAVAILABLE {
            response::field(out, "Retry-After", RETRY_AFTER);
        }
        response::field(out, "Cache-Control", "no-cache");
        if html {
            response::field(out, "Content-Security-Policy", page::POLICY);
        }
        out.extend_from_slice(&self.site.always);
        response::finish(out, persistence);
        out.extend_from_slice(&page.body);
        page.body.len()
    }

    /// The answer to bytes that are no request; the connection cannot go on behind it.
    fn reject(&mut self, rejection: Rejection, input: &[u8], peer: Peer, out: &mut Vec<u8>) -> Answer {
        let length = self.write_page(rejection.status, rejection.reason, &[], false, Persistence::Close, out);
        let entry = Entry {
            peer,
            line: request::first_line(input),
            status: rejection.status.code(),
            bytes: length as u64,
            referer: None,
            user_agent: None,
            user: None,
            lane: Lane::Memory,
            cached: None,
            begun: self.clock.woke(),
        };
        self.record(&entry);
        Answer { taken: input.len(), rest: Rest::Nothing, after: After::Linger }
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

/// The fields that answer a preflight request (Fetch, "CORS-preflight fetch"): whatever it asks for is allowed.
///
/// The names of fields are repeated, because `*` does not stand for Authorization.
fn preflight(reply: &mut Reply) {
    /// Seconds a browser need not ask again; none of them keeps it for more than a day.
    const MAX_AGE: u64 = 86_400;
    let asked = &reply.head.fields;
    response::field(reply.out, "Access-Control-Allow-Methods", Method::ALLOWED);
    let names = asked.only(Name::AccessControlRequestHeaders).unwrap_or(b"*");
    response::field(reply.out, "Access-Control-Allow-Headers", names);
    if asked.first(Name::AccessControlRequestPrivateNetwork).is_some() {
        response::field(reply.out, "Access-Control-Allow-Private-Network", "true");
    }
    response::number_field(reply.out, "Access-Control-Max-Age", MAX_AGE);
}

/// Appends what is small; the body of a large document follows on its own.
fn send_document(document: Arc<Document>, parts: &[Part], out: &mut Vec<u8>) -> Rest {
    let range = |part: &Part| {
        let start = usize::try_from(part.start).unwrap_or(usize::MAX);
        start..start.saturating_add(usize::try_from(part.length).unwrap_or(usize::MAX))
    };
    match parts {
        [] => Rest::Nothing,
        [part] if range(part).len() > COPY_MAX => Rest::Memory(document, range(part)),
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

fn with_path(seen: Seen<Source>, path: &[u8], is_wanted: bool) -> Seen<(Option<Vec<u8>>, Source)> {
    match seen {
        Seen::File(source) => Seen::File((is_wanted.then(|| path.to_vec()), source)),
        Seen::Folder => Seen::Folder,
        Seen::Absent => Seen::Absent,
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
            lane: Lane::Memory,
            cached: None,
            begun: self.begun,
        }
    }
}

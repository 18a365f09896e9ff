//! Decides what is answered: from a parsed request to the head of its response and a [`ResponseBody`].
//!
//! Nothing here depends on the version of HTTP. Short responses are complete when [`Handler::respond`] returns; a body
//! that is read from disk or rendered is described by [`ResponseBody`] and sent by a thread of the blocking pool.

mod authentication;
mod directory;
mod error_page;
mod exchange;
mod https_redirect;
mod live_reload;
mod monitoring;
mod recorder;
mod response_body;
mod static_file;

use std::io;
use std::sync::Arc;

use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::content::compression::CacheBudget;
use crate::content::files::Root;
use crate::content::lookup::rejection;
use crate::content::routing::Site;
use crate::live_reload::LiveReload;
use crate::net::connection_limit::ConnectionLimiter;
use crate::net::peer::Peer;
use crate::net::trusted_proxies::TrustedProxies;
use crate::proto::Rejection;
use crate::proto::request::{self, Head, Method};
use crate::proto::response::{Response, Status};
use crate::proto::target::{self, Path, Target};
use crate::telemetry::access_log::LogEntry;
use crate::telemetry::metrics::ServedBy;
use directory::Directories;
use exchange::Exchange;
use static_file::StaticFiles;

pub use https_redirect::PlainHttp;
pub use monitoring::{Monitoring, MonitoringPaths};
pub use recorder::Recorder;
pub use response_body::{DeferredHead, FilePart, Reply, ResponseBody};

const OVER_LIMIT: &str = "There are too many connections. Try again.";

/// Answers the requests of one worker.
pub struct Handler {
    site: Arc<Site>,
    routes: Routes,
    access: AccessControl,
    /// The time, for all requests of a wake-up.
    pub clock: Clock,
    /// Counters and access log.
    pub recorder: Recorder,
}

/// Everything that answers requests.
struct Routes {
    monitoring: Monitoring,
    authenticator: Option<Arc<Authenticator>>,
    live_reload: Option<Arc<LiveReload>>,
    directories: Directories,
    static_files: StaticFiles,
}

/// The parts of a [`Handler`].
pub struct HandlerParts {
    /// The rules of the site.
    pub site: Arc<Site>,
    /// The root folder.
    pub root: Arc<Root>,
    /// Memory for small files and compressed text.
    pub cache: CacheBudget,
    /// The clock of the worker.
    pub clock: Clock,
    /// Counters and access log of the worker.
    pub recorder: Recorder,
    /// Health check and metrics.
    pub monitoring: Monitoring,
    /// Login, trusted proxies and connection limit.
    pub access: AccessControl,
    /// Reloads pages when files change.
    pub live_reload: Option<Arc<LiveReload>>,
}

/// Access control of one worker: login, trusted proxies, connection limit.
#[derive(Debug, Clone)]
pub struct AccessControl {
    /// Checks credentials; `None` without a login.
    pub authenticator: Option<Arc<Authenticator>>,
    /// Proxies whose information about clients is used.
    pub proxies: Arc<TrustedProxies>,
    /// Counts connections.
    pub limiter: Arc<ConnectionLimiter>,
}

impl Handler {
    /// A handler of these parts.
    pub fn new(parts: HandlerParts) -> Self {
        let HandlerParts { site, root, cache, clock, recorder, monitoring, access, live_reload } = parts;
        let routes = Routes {
            monitoring,
            authenticator: access.authenticator.clone(),
            live_reload: live_reload.clone(),
            directories: Directories::new(Arc::clone(&site), Arc::clone(&root), live_reload.clone()),
            static_files: StaticFiles::new(Arc::clone(&site), root, cache, live_reload),
        };
        Self { site, routes, access, clock, recorder }
    }

    /// Answers a request that a client sent over a connection of `peer`.
    pub fn respond(&mut self, head: &Head, peer: Peer, response: &mut Response) -> Reply {
        let client = self.access.proxies.client(peer, &head.fields);
        let is_over_limit = client != peer && !self.access.limiter.has_room(client);
        let mut exchange = Exchange::new(head, client, response, &self.site, &self.clock, &mut self.recorder);
        match self.routes.answer(&mut exchange, is_over_limit) {
            Ok(reply) => reply,
            Err(rejection) => exchange.error(rejection.status, rejection.reason),
        }
    }

    /// Answers a request that was sent in clear instead of over HTTPS.
    pub fn redirect_to_https(&mut self, port: PlainHttp, head: &Head, peer: Peer, response: &mut Response) -> Reply {
        let client = self.access.proxies.client(peer, &head.fields);
        let mut exchange = Exchange::new(head, client, response, &self.site, &self.clock, &mut self.recorder);
        https_redirect::respond(&mut exchange, port)
    }

    /// Answers input that is no request with the last response of the connection.
    pub fn reject(&mut self, rejection: Rejection, input: &[u8], peer: Peer, response: &mut Response) {
        response.close();
        let (status, sentence) = (rejection.status, rejection.reason);
        let body = error_page::write_page_head(response, self.clock.date(), status, sentence, &[], false);
        response.field_lines(&self.site.extra_headers);
        response.end_head();
        response.body(&body);
        let entry = LogEntry {
            peer,
            line: request::first_line(input),
            status: status.code(),
            bytes: body.len() as u64,
            referer: None,
            user_agent: None,
            user: None,
            served_by: ServedBy::Memory,
            cache: None,
            begun: self.clock.woke(),
        };
        self.recorder.record(&self.clock, &entry);
    }

    /// Answers a client above the connection limit.
    pub fn reject_over_limit(&mut self, input: &[u8], peer: Peer, response: &mut Response) {
        let rejection = Rejection { status: Status::SERVICE_UNAVAILABLE, reason: OVER_LIMIT };
        self.reject(rejection, input, peer, response);
    }

    /// Answers a request whose head did not arrive in time.
    pub fn time_out(&mut self, pending: &[u8], peer: Peer, response: &mut Response) {
        let rejection = Rejection { status: Status::REQUEST_TIMEOUT, reason: "The request did not arrive in time." };
        self.reject(rejection, pending, peer, response);
    }

    /// The current generation of the files; 0 without --live-reload.
    pub fn generation(&self) -> u64 {
        self.routes.live_reload.as_ref().map_or(0, |live| live.generation())
    }

    /// The peer for which a connection of `peer` is counted.
    pub fn counted(&self, peer: Peer) -> Peer {
        self.access.proxies.counted(peer)
    }

    /// Whether a connection of `peer` begins with a PROXY header; `None` if `peer` must not connect.
    pub fn expects_proxy_header(&self, peer: Peer) -> Option<bool> {
        let proxies = &self.access.proxies;
        if proxies.proxy_protocol && !proxies.trusts(peer) { None } else { Some(proxies.proxy_protocol) }
    }

    /// Ends a wake-up: writes log lines and publishes counters.
    pub fn end_of_batch(&mut self) {
        self.recorder.end_of_batch(&self.clock, self.routes.static_files.cache_weight());
    }
}

impl Routes {
    fn answer(&mut self, exchange: &mut Exchange, is_over_limit: bool) -> Result<Reply, Rejection> {
        let head = exchange.head;
        let target = target::parse(head.target, head.method);
        if let Ok(Target::Resource { path, .. }) = &target
            && let Some(reply) = self.monitoring.health(exchange, path)
        {
            return Ok(reply);
        }
        if is_over_limit {
            return Ok(exchange.error(Status::SERVICE_UNAVAILABLE, OVER_LIMIT));
        }
        // Before authentication a response reveals nothing about the target, not even whether it is well-formed.
        if let Some(authenticator) = &self.authenticator
            && let Some(reply) = authentication::check(authenticator, exchange)
        {
            return Ok(reply);
        }
        // Before the target is checked, because CONNECT has an authority there.
        if head.method == Method::NotAllowed {
            return Ok(exchange.method_not_allowed());
        }
        match target? {
            Target::Resource { path, query, .. } if head.method != Method::Options => {
                self.resource(exchange, &path, query).map_err(|error| rejection(&path, &error))
            }
            Target::Server | Target::Resource { .. } => Ok(exchange.options()),
        }
    }

    fn resource(&mut self, exchange: &mut Exchange, path: &Path, query: Option<&[u8]>) -> io::Result<Reply> {
        if let Some(reply) = self.monitoring.metrics(exchange, path) {
            return Ok(reply);
        }
        if let Some(live_reload) = &self.live_reload
            && let Some(reply) = live_reload::events(live_reload, exchange, path, query)
        {
            return Ok(reply);
        }
        if let Some(reply) = self.directories.archive(exchange, path, query)? {
            return Ok(reply);
        }
        self.static_files.respond(exchange, &self.directories, path, query)
    }
}

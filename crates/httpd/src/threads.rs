//! The worker threads: started, supervised, and ended by signals.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::logger::Color;
use common::signals::{Signal, Signals};
use common::{Error, Kind, exit};

use crate::auth::Authenticator;
use crate::blocking::pool::BlockingPool;
use crate::clock::Clock;
use crate::config::Config;
use crate::content::compression::CacheBudget;
use crate::content::files::Root;
use crate::exit_code;
use crate::handler::{AccessControl, Handler, HandlerParts, Monitoring, Recorder};
use crate::live_reload::LiveReload;
use crate::net::connection_limit::ConnectionLimiter;
use crate::net::listener::Listener;
use crate::shutdown::Shutdown;
use crate::startup::{self, Resources};
use crate::telemetry::access_log::{AccessLog, Sink};
use crate::telemetry::metrics::Metrics;
use crate::tls::{self, CertificateReloader};
use crate::waker::Waker;
use crate::worker::{Handover, HandoverQueue, Worker, WorkerParts};

/// Time between two checks of files and threads.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two checks whether the workers have ended.
const JOIN_INTERVAL: Duration = Duration::from_millis(5);

/// Time for responses to be cut and logged after a second signal.
const CUT_AT_ONCE_TIMEOUT: Duration = Duration::from_millis(300);

/// The worker threads and what they share.
pub(crate) struct WorkerThreads {
    threads: Vec<JoinHandle<io::Result<()>>>,
    wakers: Vec<Arc<Waker>>,
    root: Arc<Root>,
    shutdown: Arc<Shutdown>,
    certificate: Option<Arc<CertificateReloader>>,
    authenticator: Option<Arc<Authenticator>>,
    sink: Option<Arc<Sink>>,
    signals: Signals,
    /// Time of draining after the first signal.
    drain: Duration,
}

/// Everything from which the workers are built.
struct WorkerFactory {
    config: Config,
    color: bool,
    started: Instant,
    site: Arc<crate::content::routing::Site>,
    root: Arc<Root>,
    sink: Option<Arc<Sink>>,
    cache: CacheBudget,
    metrics: Arc<Metrics>,
    access: AccessControl,
    live_reload: Option<Arc<LiveReload>>,
    pool: Option<Arc<BlockingPool>>,
    tls: Option<Arc<rustls::ServerConfig>>,
    shutdown: Arc<Shutdown>,
}

impl WorkerThreads {
    /// Starts one thread per worker, and the watch of the folders for --live-reload.
    pub(crate) fn start(
        mut config: Config,
        resources: Resources,
        color: Color,
        started: Instant,
    ) -> Result<Self, Error> {
        let Resources { root, sink, authenticator, certificate, signals, listeners, folder_watch, .. } = resources;
        let (site, root) = (Arc::new(std::mem::take(&mut config.site)), Arc::new(root));
        let (shutdown, workers) = (Arc::new(Shutdown::new(config.stop_timeout)), config.listen.workers);
        let limiter = ConnectionLimiter::new(config.max_connections, config.max_per_address);
        let (proxies, auth) = (Arc::new(std::mem::take(&mut config.proxies)), authenticator.clone());
        let factory = WorkerFactory {
            color: sink.as_ref().is_some_and(|sink| sink.is_colored(color)),
            started,
            cache: CacheBudget::split(config.cache_memory, workers, site.compress),
            metrics: Arc::new(Metrics::new(workers, Arc::clone(&limiter), Arc::clone(&shutdown), auth.clone())),
            access: AccessControl { authenticator: auth, proxies, limiter },
            live_reload: folder_watch.as_ref().map(|_| LiveReload::new()),
            pool: (!config.one_at_a_time).then(|| BlockingPool::new(config.limits.min_rate, Arc::clone(&shutdown))),
            tls: certificate.as_ref().map(|certificate| tls::config(Arc::clone(certificate))).transpose()?,
            site: Arc::clone(&site),
            root: Arc::clone(&root),
            sink: sink.clone(),
            shutdown: Arc::clone(&shutdown),
            config,
        };
        let wakers = (0..workers).map(|_| Waker::new()).collect::<io::Result<Vec<_>>>();
        let wakers = wakers.map_err(|error| Error::io("create", "an eventfd", error))?;
        let queues: Arc<[_]> = wakers.iter().map(|waker| HandoverQueue::new(Arc::clone(waker))).collect();
        let mut ready = Vec::new();
        for (number, (listeners, waker)) in listeners.by_worker.into_iter().zip(&wakers).enumerate() {
            let handover = Handover::new(Arc::clone(&queues), number);
            let worker = factory.worker(number, listeners, Arc::clone(waker), handover);
            ready.push(worker.map_err(|error| Error::io("create", "an epoll set", error))?);
        }
        // Before the first response: a change between a page and the watch would be lost.
        if let (Some(folder_watch), Some(live_reload)) = (folder_watch, &factory.live_reload) {
            let started = folder_watch.start(&site, Arc::clone(live_reload));
            started.map_err(|error| Error::io("start", "the folder watch", error))?;
        }
        let mut threads = Vec::new();
        // After all workers are built: the first clients of one could take the descriptors that the next one needs.
        for (number, worker) in ready.into_iter().enumerate() {
            let builder = thread::Builder::new().name(format!("worker {number}"));
            threads.push(builder.spawn(move || worker.run()).map_err(|error| {
                let why = "use fewer --workers, or raise the limit of processes (TasksMax=, ulimit -u)";
                Error::new(Kind::System, "start", "a worker", format!("{}; {why}", common::error::reason(&error)))
            })?);
        }
        let drain = factory.config.drain;
        Ok(Self { threads, wakers, root, shutdown, certificate, authenticator, sink, signals, drain })
    }

    /// Handles signals until the server stops. SIGHUP reloads files; SIGINT and SIGTERM stop.
    pub(crate) fn handle_signals(self) -> Result<u8, Error> {
        let mut has_warned = false;
        loop {
            if !has_warned && self.root.is_deleted() {
                // Landlock permits the folder that was opened at the start only.
                log::warn!("the served folder was deleted; a new folder at its path is served after a restart");
                has_warned = true;
            }
            if let Some(authenticator) = &self.authenticator {
                authenticator.refresh();
            }
            match self.wait(CHECK_INTERVAL)? {
                None if self.threads.iter().any(JoinHandle::is_finished) => return self.join(),
                None => self.certificate.iter().for_each(|certificate| certificate.check()),
                Some(Signal::SIGHUP) => self.reload(),
                Some(signal) => {
                    if signal == Signal::SIGINT && io::stderr().is_terminal() {
                        // The terminal has echoed ^C.
                        let _ = io::stderr().write_all(b"\n");
                    }
                    return self.stop();
                }
            }
        }
    }

    fn wait(&self, timeout: Duration) -> Result<Option<Signal>, Error> {
        self.signals.wait(timeout).map_err(|error| Error::io("wait for", "signals", error))
    }

    fn reload(&self) {
        self.certificate.iter().for_each(|certificate| certificate.reload());
        if let Some(authenticator) = &self.authenticator {
            authenticator.reload();
        }
        if let Some(Err(error)) = self.sink.as_deref().map(Sink::reopen) {
            log::error!("reopen the access log: {}", common::error::reason(&error));
        }
    }

    /// Drains, then lets responses finish within the grace period; a second signal ends it at once.
    fn stop(self) -> Result<u8, Error> {
        startup::notify("STOPPING=1");
        if !self.drain.is_zero() && self.drain()? {
            return self.stop_at_once();
        }
        log::info!("stopping; responses may take {} s more", self.shutdown.grace().as_secs());
        self.shutdown.request();
        self.wakers.iter().for_each(|waker| waker.wake());
        // Workers check the time themselves, but with --workers 1 a worker may block in a send.
        while !self.has_ended() && !self.shutdown.is_end_overdue() {
            if is_stop(self.wait(JOIN_INTERVAL)?) {
                return self.stop_at_once();
            }
            if self.shutdown.is_overdue() {
                self.shutdown.cut_sockets();
            }
        }
        self.join()
    }

    /// Cuts all responses; waits a moment so that they are logged.
    fn stop_at_once(self) -> Result<u8, Error> {
        self.shutdown.end_grace();
        self.wakers.iter().for_each(|waker| waker.wake());
        let end = Instant::now() + CUT_AT_ONCE_TIMEOUT;
        while !self.has_ended() && Instant::now() < end {
            self.shutdown.cut_sockets();
            thread::sleep(JOIN_INTERVAL);
        }
        self.join()
    }

    fn has_ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Serves while the health check fails, so that load balancers notice; whether a second signal arrived.
    fn drain(&self) -> Result<bool, Error> {
        log::info!("draining for {} s", self.drain.as_secs());
        self.shutdown.start_draining();
        let until = Instant::now() + self.drain;
        while Instant::now() < until && !self.threads.iter().any(JoinHandle::is_finished) {
            let left = until.saturating_duration_since(Instant::now());
            if is_stop(self.wait(left.min(CHECK_INTERVAL))?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The result of the workers that have ended, and whether responses were cut.
    fn join(self) -> Result<u8, Error> {
        for thread in self.threads.into_iter().filter(JoinHandle::is_finished) {
            match thread.join() {
                Ok(result) => result.map_err(|error| Error::io("run", "a worker", error))?,
                Err(_) => return Err(Error::new(Kind::System, "run", "a worker", "panicked")),
            }
        }
        match self.shutdown.cut_responses() {
            0 => Ok(exit::SUCCESS),
            count => {
                log::warn!("responses cut at the stop: {count}; give them more time with --stop-timeout");
                Ok(exit_code::CUT)
            }
        }
    }
}

fn is_stop(signal: Option<Signal>) -> bool {
    matches!(signal, Some(Signal::SIGINT | Signal::SIGTERM))
}

impl WorkerFactory {
    fn worker(
        &self,
        number: usize,
        listeners: Vec<Listener>,
        waker: Arc<Waker>,
        handover: Handover,
    ) -> io::Result<Worker> {
        let monitoring = Monitoring {
            paths: self.config.monitoring.clone(),
            metrics: Arc::clone(&self.metrics),
            shutdown: Arc::clone(&self.shutdown),
        };
        let counters = monitoring.paths.metrics.is_some().then(|| self.metrics.of_worker(number));
        let log = AccessLog::new(self.config.log_format, self.color, self.sink.clone());
        let handler = Handler::new(HandlerParts {
            site: Arc::clone(&self.site),
            root: Arc::clone(&self.root),
            cache: self.cache.clone(),
            clock: Clock::new(self.started),
            recorder: Recorder::new(log, counters),
            monitoring,
            access: self.access.clone(),
            live_reload: self.live_reload.clone(),
        });
        if let Some(live_reload) = &self.live_reload {
            live_reload.add_waker(&waker);
        }
        Worker::new(WorkerParts {
            listeners,
            handler,
            limiter: Arc::clone(&self.access.limiter),
            handover,
            limits: self.config.limits.clone(),
            waker,
            pool: self.pool.clone(),
            shutdown: Arc::clone(&self.shutdown),
            tls: self.tls.clone(),
        })
    }
}

//! `httpd`: a static file server with two lanes.
//!
//! Small files are answered from memory by one worker per core; whatever may block is written by plain blocking threads.
//! Start reading at [`server::Worker::run`]; `proto` holds HTTP itself, `site` and `representation` the decisions.

pub mod auth;
pub mod blocking;
pub mod cli;
pub mod clock;
pub mod config;
pub mod content;
pub mod handler;
pub mod live_reload;
pub mod net;
pub mod proto;
pub mod shutdown;
mod startup;
pub mod telemetry;
pub mod tls;
pub mod worker;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use common::logger::{self, Color};
use common::{Failure, Kind, exit};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

use auth::{Authenticator, Login};
use blocking::pool::{BlockingPool, Completions};
use cli::Cli;
use clock::Clock;
use config::{Config, LogTarget, Tls};
use content::compression::CacheBudget;
use content::files::Root;
use handler::{AccessControl, Handler, Monitoring};
use live_reload::LiveReload;
use net::connection_limit::ConnectionLimiter;
use net::listener::{self as listen};
use net::listener::{Bind, ListenConfig, Listener, Listeners, Role};
use shutdown as stop;
use shutdown::{Shutdown, Signals};
use startup::browser::Browser;
use startup::{banner, browser, sandbox};
use telemetry::access_log::{AccessLog, Sink};
use telemetry::metrics::Metrics;
use tls::CertificateReloader;
use worker::{Parts, Worker};

/// The exit code for a kind of failure: 2 when the server could not start, 1 when it failed later.
pub fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::System => 1,
        _ => 2,
    }
}

/// Reads the command line and serves until a signal ends it.
pub fn serve(args: impl IntoIterator<Item = OsString>) -> Result<u8> {
    let started = Instant::now();
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = Cli::try_parse_from(&args)?;
    let color = cli.color;
    logger::init("httpd", logger::level(cli.verbose, cli.quiet), color);
    let config = Config::from_cli(cli)?;
    if matches!(config.login, Some(Login::One(_))) {
        auth::reexec_without_password(&args);
    }
    let root = Root::open_root(&config.root, config.symlinks)
        .map_err(|error| Failure::io("open folder", config.root.display(), error).with_kind(Kind::Config))?;
    if let Some(Login::File(path)) = &config.login {
        refuse_if_served(path, &config.root)?;
    }
    let sink = open_log(&config.access_log)?;
    let identity = config.tls.as_ref().map(|tls| open_identity(tls, &config.listen)).transpose()?;
    let authenticator = config.login.as_ref().map(Authenticator::open).transpose()?;
    let signals = Signals::take_over().map_err(|error| Failure::io("take over", "signals", error))?;
    raise_descriptor_limit();
    let Listeners { bound, by_worker, files, .. } = listen::open(&config.listen)?;
    warn_of_open_passwords(&config, &bound);
    // Everything that needs rights is open. What follows runs without them, and only then is a client heard.
    if let Some(user) = &config.user {
        sandbox::become_user(user)?;
        let operation = format!("as user {user}, open folder");
        root.check_access()
            .map_err(|error| Failure::io(operation, config.root.display(), error).with_kind(Kind::Config))?;
        config.tls.iter().for_each(Tls::check_access);
        if let Some(Login::File(path)) = &config.login
            && let Err(error) = std::fs::File::open(path)
        {
            let reason = common::error::reason(&error);
            log::warn!("as user {user}, open {}: {reason}; changes of it are seen after a restart", path.display());
        }
    }
    let browser = config.output.open.then(|| browser::open(&banner::urls(&bound))).flatten();
    if config.sandbox {
        sandbox::confine(&config)?;
    }
    browser.into_iter().for_each(Browser::watch);
    let watcher = config.live_reload.then(|| live_reload::watch::open(&config.root)).transpose()?;
    announce(&config, &bound, identity.as_ref().and_then(|identity| identity.fingerprint.as_deref()), color);
    let reloader = identity.map(|identity| identity.reloader);
    let threads = WorkerThreads::start(
        config,
        Opened { watcher, root, sink: sink.clone(), authenticator, reloader },
        by_worker,
        color,
        started,
    )?;
    notify("READY=1");
    let code = threads.handle_signals(&signals, sink.as_deref());
    drop(files);
    code
}

/// Tells the service manager, if there is one. Whoever does not hear it may end this process, but that is not ours to judge.
fn notify(state: &str) {
    if let Err(error) = listen::notify(state) {
        log::warn!("tell the service manager {state}: {}", common::error::reason(&error));
    }
}

/// A list of users beneath the root is one option away from being read by everybody.
fn refuse_if_served(path: &Path, root: &Path) -> Result<(), Failure> {
    let (Ok(file), Ok(root)) = (path.canonicalize(), root.canonicalize()) else { return Ok(()) };
    if file.starts_with(root) {
        let why = "lies in the folder that is served; put it elsewhere";
        return Err(Failure::new(Kind::Config, "password file", path.display(), why));
    }
    Ok(())
}

/// A password that travels in the clear can be read by everybody on the way.
fn warn_of_open_passwords(config: &Config, bound: &[(Bind, Role)]) {
    let is_reachable = |(bind, role): &(Bind, Role)| match bind {
        Bind::Tcp(address) => *role == Role::Plain && !address.ip().is_loopback(),
        Bind::Unix(_) => false,
    };
    // Behind a proxy, that is its affair.
    if config.login.is_some() && config.proxies.is_empty() && bound.iter().any(is_reachable) {
        log::warn!("without TLS, passwords can be read on the way");
    }
}

fn open_log(target: &LogTarget) -> Result<Option<Arc<Sink>>> {
    Ok(match target {
        LogTarget::Off => None,
        LogTarget::Stdout => {
            Some(Arc::new(Sink::stdout().map_err(|error| Failure::io("open access log", "standard output", error))?))
        }
        LogTarget::File(path) => Some(Arc::new(
            Sink::file(path.clone())
                .map_err(|error| Failure::io("open access log", path.display(), error).with_kind(Kind::Config))?,
        )),
    })
}

/// The certificate, and what people compare it by when nobody they trust has signed it.
struct OpenIdentity {
    reloader: Arc<CertificateReloader>,
    fingerprint: Option<String>,
}

fn open_identity(tls: &Tls, listen: &ListenConfig) -> Result<OpenIdentity> {
    match tls {
        Tls::Files(files) => {
            let reloader = CertificateReloader::of_files(files.clone())?;
            reloader.look();
            Ok(OpenIdentity { reloader: Arc::new(reloader), fingerprint: None })
        }
        Tls::SelfSigned => {
            let (names, addresses) = banner::own_names(&listen.addresses);
            let (identity, fingerprint) = tls::self_signed(&names, &addresses)?;
            Ok(OpenIdentity {
                reloader: Arc::new(CertificateReloader::fixed(identity)),
                fingerprint: Some(fingerprint),
            })
        }
    }
}

/// Every connection needs a descriptor, and the usual soft limit of 1024 is for programs that use select(2).
fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        log::warn!("raise the limit of open files: {error}");
    }
}

fn announce(config: &Config, bound: &[(Bind, Role)], fingerprint: Option<&str>, color: Color) {
    if config.output.quiet {
        return;
    }
    let urls = banner::urls(bound);
    // The whole path, because "." says nothing in a terminal that was left open since yesterday.
    let root = config.root.canonicalize().unwrap_or_else(|_| config.root.clone());
    let text = if io::stderr().is_terminal() {
        let text = banner::banner(&root, &urls, fingerprint, color.applies_to(&io::stderr()));
        if config.output.qr { text + &banner::qr(&urls) } else { text }
    } else {
        let fingerprint = fingerprint.map_or(String::new(), |text| format!("httpd: certificate SHA-256 {text}\n"));
        format!(
            "{fingerprint}httpd: serving {} at {}\n",
            common::SafeText(root.as_os_str().as_encoded_bytes()),
            urls.join(" ")
        )
    };
    // Nobody reading what it says is no reason not to serve, and eprint! would panic.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// What was opened while there were rights to do it.
struct Opened {
    watcher: Option<live_reload::watch::Unstarted>,
    root: Root,
    sink: Option<Arc<Sink>>,
    authenticator: Option<Arc<Authenticator>>,
    reloader: Option<Arc<CertificateReloader>>,
}

/// The workers and what they share.
struct WorkerThreads {
    workers: Vec<JoinHandle<io::Result<()>>>,
    wakers: Vec<Arc<Completions>>,
    root: Arc<Root>,
    stop: Arc<Shutdown>,
    reloader: Option<Arc<CertificateReloader>>,
    authenticator: Option<Arc<Authenticator>>,
    drain: Duration,
}

impl WorkerThreads {
    fn start(
        config: Config,
        opened: Opened,
        listeners: Vec<Vec<Listener>>,
        color: Color,
        started: Instant,
    ) -> Result<Self> {
        let Opened { watcher, root, sink, authenticator, reloader } = opened;
        let (site, root, stop) = (Arc::new(config.site), Arc::new(root), Arc::new(Shutdown::default()));
        let limiter = ConnectionLimiter::new(&config.limits);
        let metrics = Arc::new(Metrics::new(
            config.listen.workers,
            Arc::clone(&limiter),
            Arc::clone(&stop),
            authenticator.clone(),
        ));
        let lane = (!config.one_at_a_time).then(|| Arc::new(BlockingPool::default()));
        let color = color.applies_to(&io::stdout());
        let gate = AccessControl {
            authenticator: authenticator.clone(),
            proxies: Arc::new(config.proxies),
            limiter: Arc::clone(&limiter),
        };
        let tls = reloader.as_ref().map(|reloader| tls::config(Arc::clone(reloader))).transpose()?;
        let memory = CacheBudget::split(config.cache_memory, config.listen.workers, site.compress);
        let mut threads = Self {
            workers: Vec::new(),
            wakers: Vec::new(),
            root: Arc::clone(&root),
            stop: Arc::clone(&stop),
            authenticator: authenticator.clone(),
            reloader,
            drain: config.drain,
        };
        let live = watcher.as_ref().map(|_| LiveReload::new());
        let mut ready = Vec::new();
        for (number, listeners) in listeners.into_iter().enumerate() {
            let waker = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
            let completions = Completions::new(waker.context("eventfd")?);
            let log = AccessLog::new(config.log_format, color, sink.clone());
            let watch = Monitoring {
                paths: config.watch.clone(),
                counters: metrics.of_worker(number),
                metrics: Arc::clone(&metrics),
                stop: Arc::clone(&stop),
            };
            let clock = Clock::new(started);
            let handler =
                Handler::new(Arc::clone(&site), Arc::clone(&root), memory.clone(), clock, log, watch, gate.clone())
                    .with_live(live.clone());
            let worker = Worker::new(Parts {
                listeners,
                handler,
                limiter: Arc::clone(&limiter),
                limits: config.limits.clone(),
                completions: Arc::clone(&completions),
                lane: lane.clone(),
                stop: Arc::clone(&stop),
                tls: tls.clone(),
            })
            .context("epoll")?;
            ready.push((format!("worker {number}"), worker));
            if let Some(live) = &live {
                live.add_waker(&completions);
            }
            threads.wakers.push(completions);
        }
        // Only now, because the first clients of one worker might take the descriptors that the next one needs.
        for (name, worker) in ready {
            threads
                .workers
                .push(thread::Builder::new().name(name).spawn(move || worker.run()).context("start a worker")?);
        }
        if let (Some(watcher), Some(live)) = (watcher, live) {
            watcher.start(&site, live).context("start a watcher")?;
        }
        Ok(threads)
    }

    /// Waits for signals and does what they ask for.
    fn handle_signals(self, signals: &Signals, sink: Option<&Sink>) -> Result<u8> {
        let mut has_warned = false;
        loop {
            if !has_warned && self.root.is_deleted() {
                // Landlock holds on to the folder that was there at the start, so the new one is out of reach.
                log::warn!(
                    "the folder that is served was deleted; one made anew under its name is served after a restart"
                );
                has_warned = true;
            }
            if let Some(authenticator) = &self.authenticator {
                authenticator.refresh(false);
            }
            match signals.wait(Duration::from_secs(1)).context("wait for signals")? {
                None if self.workers.iter().any(JoinHandle::is_finished) => return self.join(),
                None => self.reloader.iter().for_each(|reloader| reloader.look()),
                Some(Signal::SIGHUP) => {
                    self.reloader.iter().for_each(|reloader| reloader.reload());
                    if let Some(authenticator) = &self.authenticator {
                        authenticator.refresh(true);
                    }
                    if let Some(Err(error)) = sink.map(Sink::reopen) {
                        log::error!("open the access log again: {}", common::error::reason(&error));
                    }
                }
                Some(_) => return self.finish(signals),
            }
        }
    }

    /// Lets everything under way come to its end, as far as the time for it allows; a second signal does not wait for it.
    fn finish(self, signals: &Signals) -> Result<u8> {
        notify("STOPPING=1");
        if !self.drain.is_zero() && self.drain(signals)? {
            return Ok(exit::SUCCESS);
        }
        log::info!("stopping, answers under way have {} s", stop::GRACE.as_secs());
        self.stop.request();
        for completions in &self.wakers {
            completions.wake();
        }
        // Workers look at the time themselves, but one that handles requests one at a time may be blocked in a send.
        while !self.workers.iter().all(JoinHandle::is_finished) && !self.stop.is_long_overdue() {
            if let Some(Signal::SIGINT | Signal::SIGTERM) = signals.wait(Duration::from_millis(5))? {
                return Ok(exit::SUCCESS);
            }
        }
        self.join()
    }

    /// Goes on serving for a while, so that a balancer notices before connections are refused; whether a second signal asks
    /// to end at once.
    fn drain(&self, signals: &Signals) -> Result<bool> {
        log::info!("draining for {} s", self.drain.as_secs());
        self.stop.start_draining();
        let until = Instant::now() + self.drain;
        while Instant::now() < until && !self.workers.iter().any(JoinHandle::is_finished) {
            let left = until.saturating_duration_since(Instant::now());
            if let Some(Signal::SIGINT | Signal::SIGTERM) = signals.wait(left.min(Duration::from_secs(1)))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The outcome of the workers that have ended.
    fn join(self) -> Result<u8> {
        for worker in self.workers.into_iter().filter(JoinHandle::is_finished) {
            match worker.join() {
                Ok(outcome) => outcome.context("a worker failed")?,
                Err(_) => bail!("a worker panicked"),
            }
        }
        Ok(exit::SUCCESS)
    }
}

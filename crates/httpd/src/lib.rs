//! `httpd`: a static file server.
//!
//! Workers, one per core, answer short requests from memory; a pool of blocking threads sends everything else.
//! [`worker::Worker::run`] is the event loop; [`handler::Handler::respond`] decides what is answered.
//!
//! - [`proto`]: HTTP itself, without I/O
//! - [`content`]: what a path resolves to, and the bytes of a body
//! - [`handler`]: from a request to a response, independent of the version of HTTP
//! - [`worker`], [`blocking`], [`connection`], [`waker`]: how responses are sent
//! - [`net`], [`tls`]: sockets, limits, records
//! - [`auth`], [`live_reload`], [`telemetry`]: logins, reloading pages, access log and metrics
//! - [`cli`], [`config`], `startup`, `threads`, [`shutdown`], [`exit_code`]: the life of the process
//! - [`clock`], [`file_version`]: the time of a worker, the version of a file

pub mod auth;
pub mod blocking;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod content;
pub mod exit_code;
pub mod file_version;
pub mod handler;
pub mod live_reload;
pub mod net;
pub mod proto;
pub mod shutdown;
mod startup;
pub mod telemetry;
mod threads;
pub mod tls;
pub mod waker;
pub mod worker;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use common::{exit, logger};

use auth::Login;
use cli::Cli;
use config::Config;
use startup::{Resources, browser, sandbox};
use threads::WorkerThreads;

/// Runs the program: reads the command line and serves until a signal arrives.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    exit::run("httpd", exit_code::of, || serve(&args.into_iter().collect::<Vec<_>>()))
}

fn serve(args: &[OsString]) -> Result<u8> {
    let started = Instant::now();
    let cli = Cli::try_parse_from(Cli::with_environment(args)?)?;
    let color = cli.color;
    logger::init("httpd", logger::level(cli.verbose, cli.quiet), color);
    let mut config = Config::new(cli)?;
    if matches!(config.login, Some(Login::SingleUser(_))) {
        auth::reexec_without_password(args);
    }
    startup::use_single_file(&mut config)?;
    let mut resources = Resources::open(&config)?;
    startup::warn_of_passwords_in_clear(&config, &resources.listeners.bound);
    if let Some(user) = &config.user {
        sandbox::become_user(user)?;
        resources.check_access(&config, user)?;
    }
    startup::warn_of_low_limits(&config);
    startup::warn_of_missing_pages(&config.site, &resources.root);
    let urls = startup::banner::urls(&resources.listeners.bound);
    // Before confinement, which a browser would inherit.
    let browser = config.startup_output.open.then(|| browser::open(&urls)).flatten();
    if config.sandbox {
        sandbox::confine(&config)?;
    }
    if let Some(browser) = browser {
        browser.watch();
    }
    resources.watch_folders(&config)?;
    let moved_from = resources.listeners.moved_from;
    startup::announce(&config, &urls, resources.fingerprint.as_deref(), moved_from, color);
    let socket_files = std::mem::take(&mut resources.listeners.files);
    let threads = WorkerThreads::start(config, resources, color, started)?;
    startup::notify("READY=1");
    let code = threads.handle_signals();
    drop(socket_files);
    Ok(code?)
}

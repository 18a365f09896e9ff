//! What happens once, before the first request: opening resources, dropping privileges, announcing the URLs.

pub(crate) mod banner;
pub(crate) mod browser;
mod qr;
pub(crate) mod sandbox;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use common::logger::Color;
use common::signals::Signals;
use common::{Error, Kind};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::auth::{Authenticator, Login};
use crate::config::{Config, LogTarget, TlsConfig};
use crate::content::files::Root;
use crate::content::routing::Site;
use crate::live_reload::watch::{self, FolderWatch};
use crate::net::listener::{self, Bind, ListenConfig, Listeners, Role};
use crate::shutdown;
use crate::startup::banner::Url;
use crate::telemetry::access_log::Sink;
use crate::tls::{self, CertificateFiles, CertificateReloader};

/// Resources opened before privileges are dropped.
pub(crate) struct Resources {
    pub(crate) root: Root,
    pub(crate) sink: Option<Arc<Sink>>,
    pub(crate) authenticator: Option<Arc<Authenticator>>,
    pub(crate) certificate: Option<Arc<CertificateReloader>>,
    /// The SHA-256 fingerprint of a self-signed certificate.
    pub(crate) fingerprint: Option<String>,
    pub(crate) signals: Signals,
    pub(crate) listeners: Listeners,
    pub(crate) folder_watch: Option<FolderWatch>,
}

impl Resources {
    /// Opens everything that the configuration names, and raises the limit of open files.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let root = Root::open_root(&config.root, config.symlinks).map_err(|error| cannot_open(&config.root, error))?;
        if let Some(Login::File(path)) = &config.login {
            refuse_if_served(path, config)?;
        }
        let sink = open_log(&config.access_log)?;
        let (certificate, fingerprint) = match &config.tls {
            Some(tls) => open_certificate(tls, &config.listen).map(|(reloader, print)| (Some(reloader), print))?,
            None => (None, None),
        };
        let authenticator = config.login.as_ref().map(Authenticator::open).transpose()?;
        // After the password prompt, which Ctrl-C interrupts; before sockets with files that must be removed.
        let signals = shutdown::block_signals()?;
        raise_descriptor_limit();
        let listeners = listener::open(&config.listen)?;
        Ok(Self { root, sink, authenticator, certificate, fingerprint, signals, listeners, folder_watch: None })
    }

    /// Opens the watch of the folders for --live-reload.
    pub(crate) fn watch_folders(&mut self, config: &Config) -> Result<(), Error> {
        self.folder_watch = config.live_reload.then(|| watch::open(&config.root)).transpose()?;
        Ok(())
    }

    /// Checks after a change of user that the root is accessible; warns if other files can no longer be read.
    pub(crate) fn check_access(&self, config: &Config, user: &str) -> Result<(), Error> {
        self.root.check_access().map_err(|error| {
            let operation = format!("as user {user}, open folder");
            Error::io(operation, config.root.display(), error).with_kind(Kind::Config)
        })?;
        let certificate = match &config.tls {
            Some(TlsConfig::Files(CertificateFiles { certificate, key })) => vec![certificate, key],
            _ => vec![],
        };
        let passwords = match &config.login {
            Some(Login::File(path)) => Some(path),
            _ => None,
        };
        for path in certificate.into_iter().chain(passwords) {
            if let Err(error) = File::open(path) {
                let reason = common::error::reason(&error);
                log::warn!("as user {user}, open {}: {reason}; changes require a restart", path.display());
            }
        }
        Ok(())
    }
}

/// If the root is a file, serves only this file of its folder.
pub(crate) fn use_single_file(config: &mut Config) -> Result<(), Error> {
    if !config.root.is_file() {
        return Ok(());
    }
    let fail = |error| cannot_open(&config.root, error);
    let split = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        (folder.to_owned(), path.file_name().unwrap_or_default().as_bytes().to_vec())
    };
    let (mut folder, mut name) = split(&config.root);
    let root = Root::open_root(&folder, config.symlinks).map_err(fail)?;
    if root.version(&name).is_none() {
        // A link out of its folder: the target is served under its own name.
        (folder, name) = split(&config.root.canonicalize().map_err(fail)?);
    }
    config.root = folder;
    config.site.only = Some(name);
    (config.site.listing, config.site.precompressed) = (false, false);
    Ok(())
}

fn cannot_open(root: &Path, error: io::Error) -> Error {
    Error::io("open folder", root.display(), error).with_kind(Kind::Config)
}

/// Refuses a password file inside the served folder.
fn refuse_if_served(path: &Path, config: &Config) -> Result<(), Error> {
    let (Ok(file), Ok(served)) = (path.canonicalize(), config.served_path().canonicalize()) else { return Ok(()) };
    if file.starts_with(served) {
        let why = "is inside the served folder; move it to another folder";
        return Err(Error::new(Kind::Config, "password file", path.display(), why));
    }
    Ok(())
}

fn open_log(target: &LogTarget) -> Result<Option<Arc<Sink>>, Error> {
    let sink = match target {
        LogTarget::Off => return Ok(None),
        LogTarget::Stdout => Sink::stdout().map_err(|error| Error::io("open access log", "standard output", error))?,
        LogTarget::Stderr => Sink::stderr().map_err(|error| Error::io("open access log", "standard error", error))?,
        LogTarget::File(path) => Sink::file(path.clone())
            .map_err(|error| Error::io("open access log", path.display(), error).with_kind(Kind::Config))?,
    };
    Ok(Some(Arc::new(sink)))
}

/// The certificate, and the fingerprint of a self-signed one.
fn open_certificate(
    tls: &TlsConfig,
    listen: &ListenConfig,
) -> Result<(Arc<CertificateReloader>, Option<String>), Error> {
    match tls {
        TlsConfig::Files(files) => {
            let reloader = CertificateReloader::of_files(files.clone())?;
            reloader.check();
            Ok((Arc::new(reloader), None))
        }
        TlsConfig::SelfSigned => {
            let (names, addresses) = banner::own_names(&listen.addresses);
            let (certificate, fingerprint) = tls::self_signed(&names, &addresses)?;
            Ok((Arc::new(CertificateReloader::fixed(certificate)), Some(fingerprint)))
        }
    }
}

/// Raises the soft limit of open files, which select(2) keeps at 1024: every connection needs a descriptor.
fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        log::warn!("raise the limit of open files: {error}");
    }
}

/// Warns of a login over HTTP in clear. A proxy in front is expected to terminate TLS.
pub(crate) fn warn_of_passwords_in_clear(config: &Config, bound: &[(Bind, Role)]) {
    let is_public = |(bind, role): &(Bind, Role)| match bind {
        Bind::Tcp(address) => *role == Role::Plain && !address.ip().is_loopback(),
        Bind::Unix(_) => false,
    };
    if config.login.is_some() && config.proxies.is_empty() && bound.iter().any(is_public) {
        log::warn!("passwords are sent in clear; add --tls-cert or --tls-self-signed");
    }
}

/// Warns if the limit of open files is below the limit of connections.
pub(crate) fn warn_of_low_limits(config: &Config) {
    let Ok((limit, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if let Some(wanted) = config.named_max_connections.filter(|wanted| *wanted as u64 > limit) {
        let hint = "raise it with ulimit -n or LimitNOFILE=";
        log::warn!("--max-connections {wanted}: the limit of open files is {limit}; {hint}");
    }
}

/// Warns of pages of the command line that do not exist; they may be created later.
pub(crate) fn warn_of_missing_pages(site: &Site, root: &Root) {
    if site.only.is_some() {
        return;
    }
    let is_missing = |name: &[u8]| root.version(name).is_none();
    if let Some(name) = site.spa.as_deref().filter(|name| is_missing(name)) {
        let name = common::SafeText(name);
        log::warn!(
            "--spa={name}: no such file in the served folder; until it exists, unknown paths are answered with 404"
        );
    }
    if site.index != Site::default().index && site.index.iter().all(|name| is_missing(name)) {
        let names: Vec<_> = site.index.iter().map(|name| common::SafeText(name).to_string()).collect();
        log::warn!("--index {}: no such file in the served folder", names.join(", "));
    }
}

/// Prints the folder and its URLs to standard error.
pub(crate) fn announce(
    config: &Config,
    urls: &[Url],
    fingerprint: Option<&str>,
    moved_from: Option<u16>,
    color: Color,
) {
    if config.startup_output.quiet {
        return;
    }
    // The absolute path, because "." is ambiguous.
    let root = config.served_path();
    let root = root.canonicalize().unwrap_or(root);
    let text = if io::stderr().is_terminal() {
        let text = banner::banner(&root, urls, fingerprint, moved_from, color.applies_to(&io::stderr()));
        if config.startup_output.qr { banner::qr(urls) + &text } else { text }
    } else {
        let fingerprint = fingerprint.map_or(String::new(), |text| format!("httpd: certificate SHA-256 {text}\n"));
        let root = common::SafeText(root.as_os_str().as_encoded_bytes());
        let urls: Vec<&str> = urls.iter().map(|url| url.text.as_str()).collect();
        format!("{fingerprint}httpd: serving {root} at {}\n", urls.join(" "))
    };
    // A closed standard error does not prevent serving; eprint! would panic.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Notifies systemd (`sd_notify(3)`); a failure is only logged.
pub(crate) fn notify(state: &str) {
    if let Err(error) = listener::notify(state) {
        log::warn!("notify systemd of {state}: {}", common::error::reason(&error));
    }
}

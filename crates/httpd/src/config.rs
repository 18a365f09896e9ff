//! The checked configuration: every option is validated here, so that no later step refuses one.

mod auth;
mod network;
mod site;

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use common::Error;

use crate::auth::Login;
use crate::cli::{self, Cli};
use crate::connection::ConnectionLimits;
use crate::content::files::SymlinkPolicy;
use crate::content::routing::Site;
use crate::handler::MonitoringPaths;
use crate::net::listener::ListenConfig;
use crate::net::trusted_proxies::TrustedProxies;
use crate::telemetry::access_log::LineFormat;
use crate::tls::CertificateFiles;

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// The served folder.
    pub root: PathBuf,
    /// How symbolic links are treated.
    pub symlinks: SymlinkPolicy,
    /// The rules of the site.
    pub site: Site,
    /// Bytes for small files, over all workers.
    pub cache_memory: usize,
    /// Whether pages reload when files change.
    pub live_reload: bool,
    /// Where the server listens.
    pub listen: ListenConfig,
    /// The source of the certificate; `None` without TLS.
    pub tls: Option<TlsConfig>,
    /// Connections in total.
    pub max_connections: usize,
    /// That number, if the command line names it.
    pub named_max_connections: Option<usize>,
    /// Connections of one address.
    pub max_per_address: Option<usize>,
    /// Time limits and rates of connections.
    pub limits: ConnectionLimits,
    /// Proxies whose information about clients is used.
    pub proxies: TrustedProxies,
    /// Who can log in; `None` without a login.
    pub login: Option<Login>,
    /// Where the access log goes.
    pub access_log: LogTarget,
    /// The format of the access log.
    pub log_format: LineFormat,
    /// The paths of health check and metrics.
    pub monitoring: MonitoringPaths,
    /// Time of serving after a stop is requested.
    pub drain: Duration,
    /// Time that responses may take after a stop is requested.
    pub stop_timeout: Duration,
    /// Whether requests are handled strictly one at a time (`--workers 1`).
    pub one_at_a_time: bool,
    /// The user to become.
    pub user: Option<String>,
    /// Whether the process is confined by Landlock.
    pub sandbox: bool,
    /// What is shown at the start.
    pub startup_output: StartupOutput,
}

/// The source of the certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum TlsConfig {
    /// Files that are reloaded when they change.
    Files(CertificateFiles),
    /// Made at the start.
    SelfSigned,
}

/// What is shown at the start.
#[derive(Debug, Clone, Copy)]
pub struct StartupOutput {
    /// Nothing.
    pub quiet: bool,
    /// The site in a browser.
    pub open: bool,
    /// A QR code.
    pub qr: bool,
}

/// Where the access log goes.
#[derive(Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file.
    File(PathBuf),
}

impl Config {
    /// Checks the command line.
    pub fn new(cli: Cli) -> Result<Self, Error> {
        let tls = network::tls(&cli)?;
        let access_log = match cli.access_log.as_deref() {
            None if cli.quiet => LogTarget::Off,
            Some("off") => LogTarget::Off,
            None | Some("-" | "/dev/stdout") => LogTarget::Stdout,
            Some("/dev/stderr") => LogTarget::Stderr,
            Some(path) => LogTarget::File(path.into()),
        };
        Ok(Self {
            site: site::site(&cli)?,
            symlinks: match cli.symlinks {
                cli::Symlinks::Inside => SymlinkPolicy::Inside,
                cli::Symlinks::Any => SymlinkPolicy::Any,
                cli::Symlinks::None => SymlinkPolicy::None,
            },
            cache_memory: cli.cache_memory.saturating_mul(1 << 20),
            live_reload: cli.live_reload,
            listen: network::listen(&cli, tls.is_some())?,
            tls,
            max_connections: network::max_connections(&cli)?,
            named_max_connections: cli.max_connections,
            max_per_address: cli.max_per_ip.map(|limit| network::at_least_one("--max-per-ip", limit)).transpose()?,
            limits: network::limits(&cli)?,
            proxies: network::proxies(&cli)?,
            login: auth::login(&cli)?,
            log_format: log_format(&cli, &access_log),
            access_log,
            monitoring: site::monitoring_paths(&cli)?,
            drain: cli.drain,
            stop_timeout: cli.stop_timeout,
            // Only on request: on a machine with one core, a slow client must not delay the others.
            one_at_a_time: cli.workers == Some(1),
            user: cli.user,
            sandbox: !cli.no_sandbox,
            startup_output: StartupOutput { quiet: cli.quiet, open: cli.open, qr: cli.qr },
            root: cli.folder.unwrap_or(cli.root),
        })
    }
}

impl Config {
    /// The folder or the file that is served.
    pub fn served_path(&self) -> PathBuf {
        match &self.site.only {
            Some(name) => self.root.join(OsStr::from_bytes(name)),
            None => self.root.clone(),
        }
    }
}

/// The format of the access log; by default `dev` on a terminal and `combined` elsewhere.
fn log_format(cli: &Cli, target: &LogTarget) -> LineFormat {
    match cli.log_format {
        Some(cli::LogFormat::Dev) => LineFormat::Dev,
        Some(cli::LogFormat::Common) => LineFormat::Common,
        Some(cli::LogFormat::Json) => LineFormat::Json,
        None if *target == LogTarget::Stdout && io::stdout().is_terminal() => LineFormat::Dev,
        None if *target == LogTarget::Stderr && io::stderr().is_terminal() => LineFormat::Dev,
        Some(cli::LogFormat::Combined) | None => LineFormat::Combined,
    }
}

fn usage(option: &'static str, value: &str, why: &str) -> Error {
    Error::value(option, value, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::listener::ListenAddress;
    use clap::Parser;

    fn config(args: &[&str]) -> anyhow::Result<Config> {
        Ok(Config::new(Cli::try_parse_from(["httpd"].iter().chain(args))?)?)
    }

    fn refused(args: &[&str]) -> String {
        config(args).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_serve_the_current_folder_on_6789() {
        let config = config(&[]).unwrap();
        assert_eq!((config.root, config.listen.addresses), (PathBuf::from("."), vec![ListenAddress::All(6789)]));
    }

    #[test]
    fn the_folder_can_be_an_argument() {
        assert_eq!(config(&["www"]).unwrap().root, PathBuf::from("www"));
        assert!(config(&["--root", "a", "b"]).is_err());
    }

    #[test]
    fn addresses_can_have_their_own_port() {
        let bind = config(&["-p", "80", "-b", "127.0.0.1", "-b", "[::1]:81", "-b", "::1", "-b", "unix:/run/x"])
            .unwrap()
            .listen
            .addresses;
        let bind: Vec<String> = bind.iter().map(ToString::to_string).collect();
        assert_eq!(bind, ["127.0.0.1:80", "[::1]:81", "[::1]:80", "unix:/run/x"]);
        assert!(refused(&["-b", "unix:"]).contains("needs a path"));
        assert!(refused(&["-b", "unix:/x", "--socket-mode", "888"]).contains("octal"));
        let names =
            ["-p", "80", "-b", "localhost", "-b", "localhost:1", "-b", ":2", "-b", "[fe80::1%lo]:3", "-b", "fe80::1%1"];
        let bind: Vec<String> = config(&names).unwrap().listen.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(bind, ["localhost:80", "localhost:1", ":2", "[fe80::1%1]:3", "[fe80::1%1]:80"]);
        for wrong in ["example.com", ":", "", "[::1", "[::1]x", "1.2.3.4:x", ":70000", "127.0.0.1%lo", "unix"] {
            assert!(refused(&["-b", wrong]).contains("is not an IP address, localhost"), "{wrong}");
        }
        assert!(refused(&["-b", "fe80::1"]).contains("requires an interface"));
        assert!(refused(&["-b", "[fe80::1%nosuch]:80"]).contains("an interface that does not exist"));
    }

    #[test]
    fn fields_that_the_server_sets_are_refused() {
        for header in ["NoColon", "A b: c", "Content-Length: 1", "A: b\nC: d", ": x"] {
            assert!(refused(&["--header", header]).starts_with("--header"), "{header}");
        }
        assert!(refused(&["--header", "Cache-Control: no-store"]).contains("use --cache"));
        assert!(refused(&["--header", "content-type: text/plain"]).contains("use --mime"));
        assert!(refused(&["--cors", "--header", "access-control-allow-origin: x"]).contains("--cors sets"));
        let isolated = ["--cross-origin-isolated", "--header", "Cross-Origin-Opener-Policy: x"];
        assert!(refused(&isolated).contains("--cross-origin-isolated sets"));
        for name in ["Alt-Svc", "content-disposition", "Keep-Alive", "Trailer", "Upgrade", "WWW-Authenticate", "Vary"] {
            assert!(
                refused(&["--header", &format!("{name}: x")]).contains("the server sets this field itself"),
                "{name}"
            );
        }
        assert!(config(&["--header", "Access-Control-Allow-Origin: https://example.org"]).is_ok());
        let site = config(&["--header", "X-A:b", "--cors"]).unwrap().site;
        let extra_headers = String::from_utf8(site.extra_headers).unwrap();
        assert!(
            extra_headers.contains("X-A: b\r\n") && extra_headers.contains("Access-Control-Allow-Origin: *\r\n"),
            "{extra_headers}"
        );
    }

    #[test]
    fn zero_is_refused_where_at_least_one_is_required() {
        assert_eq!(refused(&["--workers", "0"]), "--workers 0: must be at least 1");
        assert!(refused(&["--max-connections", "0"]).contains("at least 1"));
        let many = refused(&["--workers", "100000"]);
        assert_eq!(many, "--workers 100000: must be at most 1024; more workers than cores are of no use");
    }

    #[test]
    fn proxies_are_networks_or_the_unix_socket() {
        let proxies =
            config(&["--trust-proxy", "10.0.0.0/8", "--trust-proxy", "unix", "--proxy-protocol"]).unwrap().proxies;
        assert!(proxies.proxy_protocol && proxies.unix_sockets && proxies.networks.len() == 1);
        let refusal = refused(&["--trust-proxy", "10.0.0.1/8"]);
        assert_eq!(refusal, "--trust-proxy 10.0.0.1/8: has bits set behind the first 8");
        assert!(refused(&["--trust-proxy", "haproxy"]).contains("is not an IP address or a network"));
        assert!(refused(&["--proxy-protocol"]).contains("--trust-proxy"));
    }

    #[test]
    fn a_password_after_the_name_is_refused_and_not_repeated() {
        assert_eq!(config(&["--auth", "ann"]).unwrap().login, Some(Login::SingleUser("ann".to_owned())));
        let refusal = refused(&["--auth", "ann:hunter2"]);
        assert!(refusal.starts_with("--auth ann: takes no password") && !refusal.contains("hunter2"), "{refusal}");
        assert!(refused(&["--auth", ""]).contains("not the name"));
        assert!(config(&["--auth", "ann", "--auth-file", "x"]).is_err());
    }

    #[test]
    fn the_paths_of_health_and_metrics_are_checked() {
        let monitoring = config(&["--health", "/-/health", "--metrics", "/a%20b"]).unwrap().monitoring;
        assert_eq!(monitoring.health.unwrap().relative(), b"-/health");
        assert_eq!(monitoring.metrics.unwrap().relative(), b"a b");
        assert_eq!(refused(&["--health", "x"]), "--health x: is not a path such as /status without a query");
        assert!(refused(&["--metrics", "/m?x"]).contains("without a query"));
        assert!(refused(&["--health", "/.."]).contains("above the root"));
        assert!(refused(&["--health", "/./"]).contains("index page"));
        assert!(refused(&["--health", "/x", "--metrics", "/%78"]).contains("is already the path of --health"));
    }

    #[test]
    fn types_and_cache_rules_are_checked() {
        assert!(config(&["--mime", ".foo=text/x-foo", "--cache", "*.js=max-age=60"]).is_ok());
        assert!(config(&["--mime", "*.d.ts=text/plain; charset=utf-8", "--encoded", "Build/**"]).is_ok());
        for wrong in ["foo", "foo=text", "foo=/x", "foo=a b/c", "=text/plain", "a/=text/plain", ".git/*=text/plain"] {
            assert!(refused(&["--mime", wrong]).starts_with(&format!("--mime {wrong}: ")), "{wrong}");
        }
        assert!(refused(&["--encoded", "Build/"]).contains("matches no path"));
        assert!(refused(&["--default-type", "text"]).contains("is not a media type"));
        assert!(refused(&["--cache", "x"]).contains("GLOB=VALUE"));
        assert!(refused(&["--index", "../x"]).contains("below the root"));
    }
}

//! What the command line means: every option checked, nothing left to be refused later.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use common::{Failure, Kind};

use crate::auth::Login;
use crate::cli::{self, Cli, LogFormat};
use crate::content::files::Symlinks;
use crate::content::mime::Types;
use crate::content::routing::{CacheRules, Site};
use crate::handler::MonitoringPaths;
use crate::net::connection_limit::Limits;
use crate::net::listener::{Bind, ListenConfig};
use crate::net::token_bucket;
use crate::net::trusted_proxies::TrustedProxies;
use crate::proto::cidr::CidrParseError;
use crate::proto::field;
use crate::proto::response;
use crate::proto::target::{self, Path};
use crate::telemetry::access_log::Format;
use crate::tls::Files;

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// The folder.
    pub root: PathBuf,
    /// How links are treated.
    pub symlinks: Symlinks,
    /// Where clients come in.
    pub listen: ListenConfig,
    /// Where the certificate comes from; none means HTTP in clear.
    pub tls: Option<Tls>,
    /// The rules of the site.
    pub site: Site,
    /// Octets for small files, over all workers.
    pub cache_memory: usize,
    /// Where the access log goes.
    pub access_log: LogTarget,
    /// Its form.
    pub log_format: Format,
    /// The limits.
    pub limits: Limits,
    /// The proxies in front that are believed.
    pub proxies: TrustedProxies,
    /// Who may log in; `None` where everybody is let in.
    pub login: Option<Login>,
    /// Where those who watch ask.
    pub watch: MonitoringPaths,
    /// How long to go on serving after a stop was asked for.
    pub drain: Duration,
    /// Whether requests are handled strictly one at a time, as `--workers 1` asks for.
    pub one_at_a_time: bool,
    /// Whom to become.
    pub user: Option<String>,
    /// Whether to confine the process.
    pub sandbox: bool,
    /// What whoever starts it gets to see.
    pub output: StartupOutput,
    /// Whether pages follow the files they are made of.
    pub live_reload: bool,
}

/// Where the certificate comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Tls {
    /// Files that are read again when they change.
    Files(Files),
    /// Made at the start.
    SelfSigned,
}

impl Tls {
    /// Warns when the files can be read no more, as another user perhaps: then a new certificate takes a restart.
    pub(crate) fn check_access(&self) {
        let Self::Files(files) = self else { return };
        for path in [&files.certificate, &files.key] {
            if let Err(error) = std::fs::File::open(path) {
                let why = common::error::reason(&error);
                log::warn!("{}: {why} for this user; a new one is used after a restart only", path.display());
                return;
            }
        }
    }
}

/// What whoever starts the server gets to see.
#[derive(Debug, Clone, Copy)]
pub struct StartupOutput {
    /// Nothing.
    pub quiet: bool,
    /// A browser with the site in it.
    pub open: bool,
    /// A QR code in the banner.
    pub qr: bool,
}

/// Where the access log goes.
#[derive(Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Config {
    /// Checks what was typed.
    pub fn from_cli(cli: Cli) -> Result<Self> {
        let addresses = cli.bind.iter().map(|text| bind_address(text, cli.port)).collect::<Result<_>>()?;
        let access_log = match cli.access_log.as_str() {
            "off" => LogTarget::Off,
            "-" => LogTarget::Stdout,
            path => LogTarget::File(path.into()),
        };
        let watched = access_log == LogTarget::Stdout && io::stdout().is_terminal();
        let log_format = match cli.log_format {
            Some(LogFormat::Dev) => Format::Dev,
            None if watched => Format::Dev,
            Some(LogFormat::Combined) | None => Format::Combined,
            Some(LogFormat::Common) => Format::Common,
            Some(LogFormat::Json) => Format::Json,
        };
        let limits = Limits {
            connections: at_least_one("--max-connections", cli.max_connections)?,
            per_address: cli.max_per_ip.map(|limit| at_least_one("--max-per-ip", limit)).transpose()?,
            head: Duration::from_secs(cli.header_timeout.into()),
            idle: Duration::from_secs(cli.idle_timeout.into()),
            min_rate: cli.min_rate,
            rate: cli.limit_rate.as_deref().map(limit_rate).transpose()?,
        };
        let tls = tls(&cli)?;
        if cli.redirect_http.is_some() && tls.is_none() {
            let why = "needs --tls-cert or --tls-self-signed, for there is no HTTPS to go to";
            return Err(usage("--redirect-http", &cli.redirect_http.unwrap_or_default().to_string(), why));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            site: site(&cli)?,
            symlinks: match cli.symlinks {
                cli::Symlinks::Inside => Symlinks::Inside,
                cli::Symlinks::Any => Symlinks::Any,
                cli::Symlinks::None => Symlinks::None,
            },
            listen: ListenConfig {
                addresses,
                port: cli.port,
                socket_mode: cli.socket_mode,
                workers: cli.workers.map_or(Ok(cores), |workers| at_least_one("--workers", workers))?,
                tls: tls.is_some(),
                redirect: cli.redirect_http,
            },
            tls,
            cache_memory: cli.cache_memory.saturating_mul(1 << 20),
            access_log,
            log_format,
            limits,
            proxies: proxies(&cli)?,
            login: login(&cli)?,
            watch: watch_paths(&cli)?,
            drain: Duration::from_secs(cli.drain.into()),
            // Not on a machine that happens to have one core: there a slow client must not hold up the others either.
            one_at_a_time: cli.workers == Some(1),
            user: cli.user,
            sandbox: !cli.no_sandbox,
            output: StartupOutput { quiet: cli.quiet, open: cli.open, qr: cli.qr },
            live_reload: cli.live_reload,
            root: cli.folder.unwrap_or(cli.root),
        })
    }
}

fn tls(cli: &Cli) -> Result<Option<Tls>> {
    match (&cli.tls_cert, &cli.tls_key, cli.tls_self_signed) {
        (Some(certificate), key, _) => {
            let key = key.as_ref().unwrap_or(certificate).clone();
            Ok(Some(Tls::Files(Files { certificate: certificate.clone(), key })))
        }
        (None, Some(key), _) => Err(usage("--tls-key", &key.to_string_lossy(), "needs --tls-cert")),
        (None, None, true) => Ok(Some(Tls::SelfSigned)),
        (None, None, false) => Ok(None),
    }
}

fn usage(option: &str, value: &str, why: &str) -> anyhow::Error {
    Failure::new(Kind::Usage, option.to_owned(), value, why.to_owned()).into()
}

fn limit_rate(text: &str) -> Result<u64> {
    token_bucket::parse(text).map_err(|why| usage("--limit-rate", text, &why.to_string()))
}

fn at_least_one(option: &str, value: usize) -> Result<usize> {
    if value == 0 { Err(usage(option, "0", "must be at least 1")) } else { Ok(value) }
}

fn bind_address(text: &OsStr, port: u16) -> Result<Bind> {
    if let Some(path) = text.as_bytes().strip_prefix(b"unix:") {
        return match path {
            [] => Err(usage("--bind", "unix:", "needs a path behind the colon")),
            path => Ok(Bind::Unix(OsStr::from_bytes(path).into())),
        };
    }
    match text.to_str().and_then(cli::split_bind) {
        Some((ip, own_port)) => Ok(Bind::Tcp(SocketAddr::new(ip, own_port.unwrap_or(port)))),
        None => {
            Err(usage("--bind", &text.to_string_lossy(), "is not an IP address, IP:PORT, [IPv6]:PORT or unix:PATH"))
        }
    }
}

fn proxies(cli: &Cli) -> Result<TrustedProxies> {
    let mut proxies = TrustedProxies { header: cli.proxy_protocol, ..TrustedProxies::default() };
    for text in &cli.trust_proxy {
        match text.as_str() {
            "unix" => proxies.local = true,
            text => {
                let why = |error: CidrParseError| usage("--trust-proxy", text, &error.to_string());
                proxies.networks.push(text.parse().map_err(why)?);
            }
        }
    }
    Ok(proxies)
}

fn login(cli: &Cli) -> Result<Option<Login>> {
    if let Some(path) = &cli.auth_file {
        return Ok(Some(Login::File(path.clone())));
    }
    let Some(user) = &cli.auth else { return Ok(None) };
    // A password that was typed here all the same is not repeated.
    match user.split_once(':') {
        Some((user, _)) => {
            Err(usage("--auth", user, "no password belongs behind the name: set HTTPD_PASSWORD, or be asked"))
        }
        None if user.is_empty() => Err(usage("--auth", "\"\"", "is not the name of a user")),
        None if user.chars().any(char::is_control) => Err(usage("--auth", user, "holds a control character")),
        None => Ok(Some(Login::One(user.clone()))),
    }
}

fn watch_paths(cli: &Cli) -> Result<MonitoringPaths> {
    let path = |option, text: &Option<String>| text.as_deref().map(|text| own_path(option, text)).transpose();
    let paths = MonitoringPaths { health: path("--health", &cli.health)?, metrics: path("--metrics", &cli.metrics)? };
    if let (Some(text), true) = (&cli.metrics, paths.health == paths.metrics) {
        return Err(usage("--metrics", text, "is the path of --health already"));
    }
    Ok(paths)
}

/// A path that the server answers itself, as a client would ask for it.
fn own_path(option: &str, text: &str) -> Result<Path<'static>> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if !text.starts_with('/') || !is_visible {
        return Err(usage(option, text, "is not a path such as /status, without a query"));
    }
    match target::decode_path(text.as_bytes()) {
        Ok(path) if path.relative().is_empty() => Err(usage(option, text, "would hide the first page of the site")),
        Ok(path) => Ok(path.into_owned()),
        Err(rejection) => Err(usage(option, text, rejection.reason)),
    }
}

fn site(cli: &Cli) -> Result<Site> {
    for name in cli.index.iter().chain(&cli.spa) {
        if name.is_empty() || name.starts_with('/') || name.split('/').any(|segment| segment == "..") {
            return Err(usage("--index or --spa", name, "is not a file name beneath the root"));
        }
    }
    let mut extra_headers = Vec::new();
    response::field(&mut extra_headers, "X-Content-Type-Options", "nosniff");
    if cli.cors {
        response::field(&mut extra_headers, "Access-Control-Allow-Origin", "*");
        response::field(&mut extra_headers, "Access-Control-Expose-Headers", "*");
    }
    if cli.cross_origin_isolated {
        response::field(&mut extra_headers, "Cross-Origin-Opener-Policy", "same-origin");
        response::field(&mut extra_headers, "Cross-Origin-Embedder-Policy", "require-corp");
        response::field(&mut extra_headers, "Cross-Origin-Resource-Policy", "cross-origin");
    }
    for header in &cli.header {
        let (name, value) = header_field(header)?;
        // A browser takes two of these for none.
        let stands = |line: &[u8]| {
            line.split(|byte| *byte == b':').next().unwrap_or_default().eq_ignore_ascii_case(name.as_bytes())
        };
        if name.to_ascii_lowercase().starts_with("access-control-")
            && extra_headers.split(|byte| *byte == b'\n').any(stands)
        {
            return Err(usage("--header", header, "--cors sets this field already"));
        }
        response::field(&mut extra_headers, name, value);
    }
    Ok(Site {
        index: cli.index.iter().map(|name| name.clone().into_bytes()).collect(),
        listing: !cli.no_listing,
        hidden: cli.hidden,
        spa: cli.spa.clone().map(String::into_bytes),
        clean_urls: cli.clean_urls,
        precompressed: !cli.no_precompressed,
        compress: cli.compress,
        types: Types::new(cli.mime.iter().map(|text| media_type(text)).collect::<Result<Vec<_>>>()?),
        cache: CacheRules::new(cli.cache.iter().map(|text| cache_rule(text)).collect::<Result<Vec<_>>>()?),
        cors: cli.cors,
        extra_headers,
    })
}

/// Fields that belong to the framing or are set by the server itself; a second one would contradict the first.
const OWN_FIELDS: [&str; 13] = [
    "accept-ranges",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "transfer-encoding",
    "x-content-type-options",
];

fn header_field(text: &str) -> Result<(&str, &str)> {
    let (name, value) = text.split_once(':').ok_or_else(|| usage("--header", text, "has no colon"))?;
    let value = value.trim();
    if name.is_empty() || !name.bytes().all(field::is_token) {
        return Err(usage("--header", text, "the name is not a token"));
    }
    if !value.bytes().all(field::is_value) {
        return Err(usage("--header", text, "the value holds a control character"));
    }
    if name.eq_ignore_ascii_case("cache-control") {
        return Err(usage("--header", text, "use --cache '**=VALUE' for this field"));
    }
    if name.eq_ignore_ascii_case("content-type") {
        return Err(usage("--header", text, "use --mime for this field"));
    }
    if OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(usage("--header", text, "the server sets this field itself"));
    }
    Ok((name, value))
}

fn media_type(text: &str) -> Result<(String, String)> {
    let (extension, media_type) = text.split_once('=').ok_or_else(|| usage("--mime", text, "is not EXT=TYPE"))?;
    let extension = extension.trim_start_matches('.').to_ascii_lowercase();
    if extension.is_empty() || !media_type.contains('/') || !media_type.bytes().all(field::is_value) {
        return Err(usage("--mime", text, "is not EXT=TYPE"));
    }
    Ok((extension, media_type.to_owned()))
}

fn cache_rule(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((glob, value)) if !glob.is_empty() && !value.is_empty() && value.bytes().all(field::is_value) => {
            Ok((glob.to_owned(), value.to_owned()))
        }
        _ => Err(usage("--cache", text, "is not GLOB=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn config(args: &[&str]) -> Result<Config> {
        Config::from_cli(Cli::try_parse_from(["httpd"].iter().chain(args))?)
    }

    fn refused(args: &[&str]) -> String {
        config(args).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_serve_the_current_folder_on_6789() {
        let config = config(&[]).unwrap();
        assert_eq!((config.root, config.listen.port, config.listen.addresses), (PathBuf::from("."), 6789, vec![]));
    }

    #[test]
    fn the_folder_can_stand_alone() {
        assert_eq!(config(&["www"]).unwrap().root, PathBuf::from("www"));
        assert!(config(&["--root", "a", "b"]).is_err());
    }

    #[test]
    fn addresses_may_bring_their_own_port() {
        let bind = config(&["-p", "80", "-b", "127.0.0.1", "-b", "[::1]:81", "-b", "::1", "-b", "unix:/run/x"])
            .unwrap()
            .listen
            .addresses;
        let bind: Vec<String> = bind.iter().map(ToString::to_string).collect();
        assert_eq!(bind, ["127.0.0.1:80", "[::1]:81", "[::1]:80", "unix:/run/x"]);
        assert!(refused(&["-b", "unix:"]).contains("needs a path"));
        assert!(refused(&["-b", "unix:/x", "--socket-mode", "888"]).contains("octal"));
        assert!(refused(&["-b", "localhost"]).starts_with("--bind localhost: is not an IP address"));
    }

    #[test]
    fn fields_that_would_break_the_framing_are_refused() {
        for header in ["NoColon", "A b: c", "Content-Length: 1", "A: b\nC: d", ": x"] {
            assert!(refused(&["--header", header]).starts_with("--header"), "{header}");
        }
        assert!(refused(&["--header", "Cache-Control: no-store"]).contains("use --cache"));
        assert!(refused(&["--header", "content-type: text/plain"]).contains("use --mime"));
        assert!(refused(&["--cors", "--header", "access-control-allow-origin: x"]).contains("--cors sets"));
        assert!(config(&["--header", "Access-Control-Allow-Origin: https://example.org"]).is_ok());
        let site = config(&["--header", "X-A:b", "--cors"]).unwrap().site;
        let extra_headers = String::from_utf8(site.extra_headers).unwrap();
        assert!(
            extra_headers.contains("X-A: b\r\n") && extra_headers.contains("Access-Control-Allow-Origin: *\r\n"),
            "{extra_headers}"
        );
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        assert_eq!(refused(&["--workers", "0"]), "--workers 0: must be at least 1");
        assert!(refused(&["--max-connections", "0"]).contains("at least 1"));
    }

    #[test]
    fn proxies_are_networks_or_the_unix_socket() {
        let proxies =
            config(&["--trust-proxy", "10.0.0.0/8", "--trust-proxy", "unix", "--proxy-protocol"]).unwrap().proxies;
        assert!(proxies.header && proxies.local && proxies.networks.len() == 1);
        let told = refused(&["--trust-proxy", "10.0.0.1/8"]);
        assert_eq!(told, "--trust-proxy 10.0.0.1/8: has bits set behind the first 8");
        assert!(refused(&["--trust-proxy", "haproxy"]).contains("is not an IP address or a network"));
        assert!(refused(&["--proxy-protocol"]).contains("--trust-proxy"));
    }

    #[test]
    fn a_password_behind_the_name_is_refused_and_not_repeated() {
        assert_eq!(config(&["--auth", "ann"]).unwrap().login, Some(Login::One("ann".to_owned())));
        let refusal = refused(&["--auth", "ann:hunter2"]);
        assert!(refusal.starts_with("--auth ann: no password belongs") && !refusal.contains("hunter2"), "{refusal}");
        assert!(refused(&["--auth", ""]).contains("not the name"));
        assert!(config(&["--auth", "ann", "--auth-file", "x"]).is_err());
    }

    #[test]
    fn paths_of_those_who_watch_are_checked() {
        let watch = config(&["--health", "/-/health", "--metrics", "/a%20b"]).unwrap().watch;
        assert_eq!(watch.health.unwrap().relative(), b"-/health");
        assert_eq!(watch.metrics.unwrap().relative(), b"a b");
        assert_eq!(refused(&["--health", "x"]), "--health x: is not a path such as /status, without a query");
        assert!(refused(&["--metrics", "/m?x"]).contains("without a query"));
        assert!(refused(&["--health", "/.."]).contains("above the root"));
        assert!(refused(&["--health", "/./"]).contains("first page"));
        assert!(refused(&["--health", "/x", "--metrics", "/%78"]).contains("is the path of --health already"));
    }

    #[test]
    fn types_and_cache_rules_are_checked() {
        assert!(config(&["--mime", ".foo=text/x-foo", "--cache", "*.js=max-age=60"]).is_ok());
        assert!(refused(&["--mime", "foo"]).contains("EXT=TYPE"));
        assert!(refused(&["--cache", "x"]).contains("GLOB=VALUE"));
        assert!(refused(&["--index", "../x"]).contains("beneath the root"));
    }
}

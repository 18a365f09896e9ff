//! The options. `config` decides their meaning.
//!
//! `-h` shows the common options; `hide_short_help` leaves the others to `--help`.

mod environment;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser, ValueEnum, ValueHint};
use common::Error;
use common::logger::Color;
use common::values;

const NETWORK: &str = "Network";
const HTTPS: &str = "HTTPS";
const CONTENT: &str = "Content";
const FIELDS: &str = "Response fields";
const ACCESS: &str = "Access";
const LIMITS: &str = "Limits";
const OPERATION: &str = "Operation";
const DEVELOPMENT: &str = "Development";
const OUTPUT: &str = "Output";

const EXAMPLES: &str = "\
Examples:
  httpd --root www                     serve www at http://localhost:6789/
  httpd -b 127.0.0.1 -p 8080 dist      on this machine only
  httpd --spa --cors dist              a single-page application, read by other origins
  httpd --access-log access.log www    log in the combined format
  httpd --tls-self-signed www          HTTPS for a try";

const DETAILS: &str = "\
Environment: each option has a variable, such as HTTPD_PORT for --port; options on the command line win. An option that \
may be repeated takes one value per line.

Times are seconds, or have a unit (500ms, 10s, 5m, 2h). Sizes are bytes, or have a unit (500K, 2M, 1G; powers of 1024).

Signals: SIGINT and SIGTERM finish responses (--stop-timeout) and exit, a second one exits at once; SIGHUP reopens the \
log and reloads certificate and passwords.

Exit codes: 0 stopped by a signal, 1 failed while running, 2 could not start, 3 responses were cut at a stop.";

/// Serve a folder over HTTP
///
/// `httpd` alone serves the current folder on port 6789. Responses are never stale, never from outside the folder, and
/// dot-files are left out.
#[derive(Debug, Parser)]
#[command(
    name = "httpd",
    version = common::version::text(env!("CARGO_PKG_VERSION"), "TLS by rustls and aws-lc"),
    max_term_width = 100,
    styles = common::help::STYLES,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{DETAILS}"),
)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option")]
pub struct Cli {
    /// Folder to serve, or one file
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::AnyPath, help_heading = CONTENT)]
    #[arg(hide_short_help = true)]
    pub root: PathBuf,

    /// Folder to serve, or one file [default: .]
    #[arg(value_name = "DIR", conflicts_with = "root", value_hint = ValueHint::AnyPath)]
    pub folder: Option<PathBuf>,

    /// Port, 0 for any free one [default: 6789]
    ///
    /// On a terminal, without the option, the server takes the next free port.
    #[arg(short, long, value_name = "PORT", value_parser = values::port, help_heading = NETWORK)]
    pub port: Option<u16>,

    /// Address or unix:PATH; repeatable [default: all]
    ///
    /// `IP`, `localhost`, `:PORT`, `ADDRESS:PORT`, `[IPv6]:PORT` or `unix:PATH`. Without the option the server listens
    /// on all IPv4 and IPv6 addresses, or on the sockets of systemd socket activation.
    #[arg(short, long, value_name = "ADDR", help_heading = NETWORK)]
    pub bind: Vec<OsString>,

    /// Permissions of unix sockets; clients need write permission
    #[arg(long, value_name = "MODE", default_value = "666", value_parser = octal, help_heading = NETWORK)]
    #[arg(hide_short_help = true)]
    pub socket_mode: u32,

    /// Serve HTTPS with this certificate (PEM)
    ///
    /// The issuers follow the certificate.
    /// It is loaded again when it changes. Unix sockets stay without TLS. To make browsers use HTTPS only, add
    /// --header 'Strict-Transport-Security: max-age=31536000'.
    #[arg(long, value_name = "FILE", conflicts_with = "tls_self_signed", value_hint = ValueHint::FilePath)]
    #[arg(help_heading = HTTPS)]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM without a password [default: the file of --tls-cert]
    #[arg(long, value_name = "FILE", conflicts_with = "tls_self_signed", value_hint = ValueHint::FilePath)]
    #[arg(help_heading = HTTPS, hide_short_help = true)]
    pub tls_key: Option<PathBuf>,

    /// Make a certificate and print its fingerprint
    ///
    /// The certificate is for the names and addresses of this host.
    #[arg(long, help_heading = HTTPS)]
    pub tls_self_signed: bool,

    /// Redirect HTTP on this port to HTTPS
    #[arg(long, value_name = "PORT", value_parser = values::port, help_heading = HTTPS, hide_short_help = true)]
    pub redirect_http: Option<u16>,

    /// HTTPS port in redirects, if a router or container maps it to another one
    #[arg(long, value_name = "PORT", value_parser = values::port, help_heading = HTTPS, hide_short_help = true)]
    pub public_port: Option<u16>,

    /// File that is served for its folder; repeatable, the first one found wins
    #[arg(long, value_name = "NAME", default_value = "index.html", help_heading = CONTENT, hide_short_help = true)]
    pub index: Vec<String>,

    /// Respond with 404 instead of listing a folder
    #[arg(long, help_heading = CONTENT)]
    pub no_listing: bool,

    /// Serve FILE for unknown paths [default: index.html]
    ///
    /// Paths with the extension of a known file type stay 404. A name with a dot gets FILE only if the client names
    /// text/html in Accept, as browsers do.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "index.html")]
    #[arg(help_heading = CONTENT)]
    pub spa: Option<String>,

    /// Serve about.html at /about, and redirect /about.html and /about/ to it
    #[arg(long, help_heading = CONTENT, hide_short_help = true)]
    pub clean_urls: bool,

    /// Serve dot-files too
    #[arg(long, help_heading = CONTENT)]
    pub hidden: bool,

    /// Symbolic links to follow
    #[arg(long, value_enum, default_value_t, help_heading = CONTENT, hide_short_help = true)]
    pub symlinks: Symlinks,

    /// Add a field to every response; repeatable
    #[arg(long, value_name = "NAME: VALUE", help_heading = FIELDS, hide_short_help = true)]
    pub header: Vec<String>,

    /// Let pages of other origins read everything
    #[arg(long, help_heading = FIELDS, hide_short_help = true)]
    pub cors: bool,

    /// Isolate pages from other origins, for shared memory and precise timers
    #[arg(long, help_heading = FIELDS, hide_short_help = true)]
    pub cross_origin_isolated: bool,

    /// Cache-Control by path; repeatable, the last match wins [default: no-cache]
    ///
    /// For example '/assets/**=max-age=31536000, immutable'.
    #[arg(long, value_name = "GLOB=VALUE", help_heading = FIELDS, hide_short_help = true)]
    pub cache: Vec<String>,

    /// Content type by extension, file name or glob; repeatable, the last match wins
    ///
    /// For example 'foo=text/x-foo' or '*.d.ts=text/plain'.
    #[arg(long, value_name = "EXT|GLOB=TYPE", help_heading = FIELDS, hide_short_help = true)]
    pub mime: Vec<String>,

    /// Content type of files of unknown type [default: application/octet-stream]
    #[arg(long, value_name = "TYPE", help_heading = FIELDS, hide_short_help = true)]
    pub default_type: Option<String>,

    /// Send files that end in .br, .gz or .zst with Content-Encoding, such as 'Build/**' of Unity; repeatable
    #[arg(long, value_name = "GLOB", help_heading = CONTENT, hide_short_help = true)]
    pub encoded: Vec<String>,

    /// Do not use the .br, .zst and .gz files beside a file
    #[arg(long, help_heading = CONTENT, hide_short_help = true)]
    pub no_precompressed: bool,

    /// Compress text by gzip
    ///
    /// Files of 1 KiB to 8 MiB, once for each version of a file; compressed files beside a file win.
    #[arg(long, help_heading = CONTENT)]
    pub compress: bool,

    /// Memory for small files and compressed text, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, help_heading = LIMITS, hide_short_help = true)]
    pub cache_memory: usize,

    /// Maximum number of connections [default: 16384]
    ///
    /// At the limit idle connections are closed; without one, a new connection gets 503.
    #[arg(long, value_name = "N", help_heading = LIMITS, hide_short_help = true)]
    pub max_connections: Option<usize>,

    /// Maximum number of connections per address [default: 1024, none for loopback]
    #[arg(long, value_name = "N", help_heading = LIMITS, hide_short_help = true)]
    pub max_per_ip: Option<usize>,

    /// Time for the head of a request
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::duration, help_heading = LIMITS)]
    #[arg(hide_short_help = true)]
    pub header_timeout: Duration,

    /// Idle time of a connection between two requests
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = values::duration, help_heading = LIMITS)]
    #[arg(hide_short_help = true)]
    pub idle_timeout: Duration,

    /// Minimum rate at which a client must read a response, in bytes per second over 20 seconds
    #[arg(long, value_name = "SIZE", default_value = "256", value_parser = values::size, help_heading = LIMITS)]
    #[arg(hide_short_help = true)]
    pub min_rate: u64,

    /// Trusted proxies: an address, a network, or unix; repeatable
    ///
    /// A trusted proxy names the client in X-Forwarded-For, else Forwarded; log, limits and login use that client. unix
    /// means all connections of unix sockets.
    #[arg(long, value_name = "CIDR", help_heading = ACCESS, hide_short_help = true)]
    pub trust_proxy: Vec<String>,

    /// Require a PROXY header (version 1 or 2) at the start of connections; only trusted proxies may connect
    #[arg(long, requires = "trust_proxy", help_heading = ACCESS, hide_short_help = true)]
    pub proxy_protocol: bool,

    /// Require a login; users in a htpasswd file
    ///
    /// Only bcrypt hashes are accepted, as made by 'htpasswd -B'. The file is loaded again when it changes. bcrypt uses
    /// the first 72 bytes of a password.
    #[arg(long, value_name = "FILE", conflicts_with = "auth", value_hint = ValueHint::FilePath)]
    #[arg(help_heading = ACCESS)]
    pub auth_file: Option<PathBuf>,

    /// Require a login of this user
    ///
    /// The password is in HTTPD_PASSWORD, else prompted for.
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username, help_heading = ACCESS)]
    #[expect(clippy::doc_markdown, reason = "help has no backticks")]
    pub auth: Option<String>,

    /// Path of the health check: 200, or 503 after a stop was requested; without a login
    #[arg(long, value_name = "PATH", help_heading = OPERATION, hide_short_help = true)]
    pub health: Option<String>,

    /// Write health checks to the access log too
    #[arg(long, requires = "health", help_heading = OPERATION, hide_short_help = true)]
    pub log_health: bool,

    /// Path of the metrics, in the text format of Prometheus
    #[arg(long, value_name = "PATH", help_heading = OPERATION, hide_short_help = true)]
    pub metrics: Option<String>,

    /// Time of serving after a stop was requested, in which --health is 503
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = values::duration, help_heading = OPERATION)]
    #[arg(hide_short_help = true)]
    pub drain: Duration,

    /// Time for responses to finish after a stop was requested
    ///
    /// Responses that take longer are cut and logged, and the exit code is 3.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::duration, help_heading = OPERATION)]
    #[arg(hide_short_help = true)]
    pub stop_timeout: Duration,

    /// Maximum rate of a connection, in bytes per second, such as 500K or 2M
    #[arg(long, value_name = "RATE", help_heading = LIMITS, hide_short_help = true)]
    pub limit_rate: Option<String>,

    /// Number of workers; with 1, requests are handled one at a time [default: number of cores]
    #[arg(long, value_name = "N", help_heading = LIMITS, hide_short_help = true)]
    pub workers: Option<usize>,

    /// User after the start, by name or number, with :GROUP for another group
    #[arg(long, value_name = "USER[:GROUP]", value_hint = ValueHint::Username, help_heading = OPERATION, hide_short_help = true)]
    pub user: Option<String>,

    /// Do not restrict the process to the root by Landlock
    #[arg(long, help_heading = OPERATION, hide_short_help = true)]
    pub no_sandbox: bool,

    /// Reload pages in browsers when a file changes
    #[arg(long, help_heading = DEVELOPMENT)]
    pub live_reload: bool,

    /// Open the site in a browser ($BROWSER, else xdg-open)
    #[arg(long, help_heading = DEVELOPMENT)]
    pub open: bool,

    /// Show a QR code with an address for other devices
    #[arg(long, help_heading = DEVELOPMENT)]
    pub qr: bool,

    /// Access log; - is standard output [default: -]
    ///
    /// With -q the default is off.
    #[arg(long, value_name = "FILE|-|off", value_hint = ValueHint::FilePath, help_heading = OUTPUT)]
    pub access_log: Option<String>,

    /// Format of the access log [default: dev on a terminal, else combined]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = OUTPUT, hide_short_help = true)]
    pub log_format: Option<LogFormat>,

    /// No banner, no access log on standard output, errors only
    #[arg(short, long, help_heading = OUTPUT)]
    pub quiet: bool,

    /// More messages; repeatable
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,

    /// When to use colour
    #[arg(long, value_enum, default_value_t, help_heading = OUTPUT, hide_short_help = true)]
    pub color: Color,
}

impl Cli {
    /// The arguments, with options from the environment behind the program name.
    pub fn with_environment(args: &[OsString]) -> Result<Vec<OsString>, Error> {
        let mut command = Self::command();
        command.build();
        environment::with_environment(&command, args, |name| std::env::var_os(name))
    }
}

/// The values of `--symlinks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Symlinks {
    /// Links within the root
    #[default]
    Inside,
    /// All links
    Any,
    /// No links: a path with a link is 404
    None,
}

/// The values of `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Short, for a terminal
    Dev,
    /// Combined Log Format
    Combined,
    /// Common Log Format
    Common,
    /// One JSON object per line
    Json,
}

/// Permissions in the form of chmod(1).
fn octal(text: &str) -> Result<u32, &'static str> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("not three octal digits, such as 660"),
    }
}

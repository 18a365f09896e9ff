//! The command line as it is typed. What it means is decided in `config`.

mod environment;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser, ValueEnum};
use common::Error;
use common::logger::Color;
use common::values;

/// Serves a folder over HTTP.
///
/// `httpd` alone serves the current folder on port 6789. Files are never stale, never outside the folder, and
/// dot-files are left out.
#[derive(Debug, Parser)]
#[command(name = "httpd", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    httpd --root www                     serve www at http://localhost:6789/\n  \
    httpd -b 127.0.0.1 -p 8080 dist      on this machine only\n  \
    httpd --spa --cors dist              a single-page application, read by other origins\n  \
    httpd --access-log access.log www    log in the combined format\n  \
    httpd --tls-self-signed www          HTTPS for a try\n\n\
    Environment: each option has a variable, such as HTTPD_PORT for --port; options on the command line win. An option \
    that may be repeated takes one value a line.\n\
    Signals: SIGINT and SIGTERM finish what is under way (10 s) and end, a second one ends at once; SIGHUP opens the log and reads certificate and \
    passwords again.\n\
    Exit codes: 0 stopped by a signal, 1 failed while running, 2 could not start, 3 responses \
    were cut at a stop.")]
#[expect(clippy::struct_excessive_bools, reason = "each is one option")]
pub struct Cli {
    /// Folder to serve, or one file.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub root: PathBuf,

    /// The same as --root.
    #[arg(value_name = "DIR", conflicts_with = "root")]
    pub folder: Option<PathBuf>,

    /// Port to listen on; 0 takes any free one and prints it. Default: 6789, or on a terminal the next free one.
    #[arg(short, long, value_name = "N")]
    pub port: Option<u16>,

    /// Address to listen on: `IP`, `localhost`, `:PORT`, `ADDRESS:PORT`, `[IPv6]:PORT` or `unix:PATH`; may be repeated. Default:
    /// all of IPv4 and IPv6, or the sockets of systemd socket activation.
    #[arg(short, long, value_name = "ADDR")]
    pub bind: Vec<OsString>,

    /// Permissions of unix sockets; connecting takes the right to write.
    #[arg(long, value_name = "MODE", default_value = "666", value_parser = octal)]
    pub socket_mode: u32,

    /// Serve HTTPS with the certificate in FILE (PEM, its issuers behind it), read again when it changes. Unix sockets stay in
    /// clear. A browser that shall never come back in clear is told so by --header 'Strict-Transport-Security: max-age=31536000'.
    #[arg(long, value_name = "FILE", conflicts_with = "tls_self_signed")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate (PEM, not encrypted). Default: the file of --tls-cert.
    #[arg(long, value_name = "FILE", conflicts_with = "tls_self_signed")]
    pub tls_key: Option<PathBuf>,

    /// Serve HTTPS with a certificate made at the start for the names and addresses of this host; its fingerprint is printed.
    #[arg(long)]
    pub tls_self_signed: bool,

    /// Answer HTTP on this port with a redirect to HTTPS.
    #[arg(long, value_name = "PORT")]
    pub redirect_http: Option<u16>,

    /// The HTTPS port that clients see, if a router or a container maps it to another one; used in redirects.
    #[arg(long, value_name = "PORT")]
    pub public_port: Option<u16>,

    /// File that stands for its folder; may be repeated, the first one found wins.
    #[arg(long, value_name = "NAME", default_value = "index.html")]
    pub index: Vec<String>,

    /// Answer 404 instead of listing a folder.
    #[arg(long)]
    pub no_listing: bool,

    /// Answer unknown paths with FILE and 200, except those with the extension of a known file type. A name with a dot gets
    /// it only if the client names text/html in Accept, as browsers do.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "index.html")]
    pub spa: Option<String>,

    /// Serve about.html at /about, and redirect /about.html and /about/ to it.
    #[arg(long)]
    pub clean_urls: bool,

    /// Also serve files whose names begin with a dot.
    #[arg(long)]
    pub hidden: bool,

    /// Which symbolic links are followed.
    #[arg(long, value_enum, default_value_t)]
    pub symlinks: Symlinks,

    /// Add a field to every answer; may be repeated.
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,

    /// Let pages of other origins read everything.
    #[arg(long)]
    pub cors: bool,

    /// Isolate the pages from other origins, as shared memory and precise timers need it.
    #[arg(long)]
    pub cross_origin_isolated: bool,

    /// Cache-Control by path, such as '/assets/**=max-age=31536000, immutable'; may be repeated, the last one that fits
    /// wins. Default: no-cache.
    #[arg(long, value_name = "GLOB=VALUE")]
    pub cache: Vec<String>,

    /// Content type by extension, file name or glob, such as 'foo=text/x-foo' or '*.d.ts=text/plain'; may be repeated, the last
    /// one that fits wins.
    #[arg(long, value_name = "EXT|GLOB=TYPE")]
    pub mime: Vec<String>,

    /// Content type of files whose type is unknown. Default: application/octet-stream.
    #[arg(long, value_name = "TYPE")]
    pub default_type: Option<String>,

    /// Files that end in .br, .gz or .zst and are sent as what they contain, with Content-Encoding, such as 'Build/**' of Unity;
    /// may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub encoded: Vec<String>,

    /// Do not use .br, .zst and .gz files that lie beside a file.
    #[arg(long)]
    pub no_precompressed: bool,

    /// Compress text of 1 KiB to 8 MiB by gzip, once for each version of a file; compressed files beside it win.
    #[arg(long)]
    pub compress: bool,

    /// Memory for small files and compressed text, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    pub cache_memory: usize,

    /// Where the access log goes: a file, - for standard output, or off. Default: standard output, with -q off.
    #[arg(long, value_name = "FILE|-|off")]
    pub access_log: Option<String>,

    /// Form of the access log. Default: dev on a terminal, else combined.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Connections at once; at the limit idle ones are closed, else new ones are answered with 503. Default: 16384.
    #[arg(long, value_name = "N")]
    pub max_connections: Option<usize>,

    /// Connections at once from one address. Default: 1024, loopback not counted.
    #[arg(long, value_name = "N")]
    pub max_per_ip: Option<usize>,

    /// Seconds a client has for the head of a request.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub header_timeout: u32,

    /// Seconds a connection may be idle between two requests.
    #[arg(long, value_name = "SECONDS", default_value_t = 75)]
    pub idle_timeout: u32,

    /// Bytes a second a client must take of an answer, measured over 20 seconds.
    #[arg(long, value_name = "BYTES", default_value_t = 256)]
    pub min_rate: u64,

    /// Address or network of proxies in front, or unix for those that come by a unix socket; may be repeated. The client that
    /// they name in X-Forwarded-For, else Forwarded, is that of the log, the limits and the login.
    #[arg(long, value_name = "CIDR")]
    pub trust_proxy: Vec<String>,

    /// Those proxies begin each connection with a PROXY header, version 1 or 2; nobody else may connect.
    #[arg(long, requires = "trust_proxy")]
    pub proxy_protocol: bool,

    /// Ask for a login; the users are those of this htpasswd file with bcrypt hashes, made by 'htpasswd -B'. It is read again
    /// when it changes. bcrypt looks at the first 72 bytes of a password.
    #[arg(long, value_name = "FILE", conflicts_with = "auth")]
    pub auth_file: Option<PathBuf>,

    /// Ask for a login; this is the only user.
    #[arg(long, value_name = "USER")]
    #[arg(
        help = "Ask for a login; this is the only user. The password is that of HTTPD_PASSWORD, else it is asked for"
    )]
    pub auth: Option<String>,

    /// Answer this path with 200 while all is well, with 503 once a stop was asked for; open to everybody, also beside a login.
    #[arg(long, value_name = "PATH")]
    pub health: Option<String>,

    /// Write health checks to the access log as well.
    #[arg(long, requires = "health")]
    pub log_health: bool,

    /// Answer this path with what was counted, in the text format of Prometheus.
    #[arg(long, value_name = "PATH")]
    pub metrics: Option<String>,

    /// Seconds to go on serving after a stop was asked for, so that a balancer that asks for --health looks elsewhere first.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub drain: u32,

    /// Time for responses to finish after a stop was requested; what takes longer is cut and logged, and the exit code is 3.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::duration)]
    pub stop_timeout: Duration,

    /// Bytes a second each connection is sent at most, such as 500K or 2M (K, M and G count by 1024). Default: no limit.
    #[arg(long, value_name = "RATE")]
    pub limit_rate: Option<String>,

    /// Workers. Default: as many as cores; with 1, requests are handled strictly one at a time.
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,

    /// User to become once the port is bound and the log is open: a name or number, with `:GROUP` for another group.
    #[arg(long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// Do not confine the process to the root by Landlock.
    #[arg(long)]
    pub no_sandbox: bool,

    /// Reload pages in the browser when a file below the root changes.
    #[arg(long)]
    pub live_reload: bool,

    /// Open the site in a browser ($BROWSER, else xdg-open).
    #[arg(long)]
    pub open: bool,

    /// On a terminal, show a QR code of an address under which other machines reach this one.
    #[arg(long)]
    pub qr: bool,

    /// Say less: no banner, no access log on standard output, errors only.
    #[arg(short, long)]
    pub quiet: bool,

    /// Say more; may be repeated.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// When to use colour.
    #[arg(long, value_enum, default_value_t)]
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
    /// Those that stay beneath the root.
    #[default]
    Inside,
    /// All of them, wherever they lead.
    Any,
    /// None: a path with a link in it does not exist.
    None,
}

/// The values of `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Short, for people who watch.
    Dev,
    /// Combined Log Format.
    Combined,
    /// Common Log Format.
    Common,
    /// One JSON object per line.
    Json,
}

/// Permissions as chmod(1) takes them.
fn octal(text: &str) -> Result<u32, &'static str> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("not three octal digits, such as 660"),
    }
}

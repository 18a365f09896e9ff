//! The command line: options and their values. `config` checks what they mean together.
//!
//! One struct for each group of options; the groups are those of `--help`.

mod account;
mod bulk;
mod direct;
mod dkim;
mod options;
mod queue;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, ValueEnum, ValueHint};
use common::values;

use crate::session::StopAfter;

pub use account::{AccountAction, AccountCli, AccountNew};
pub use bulk::BulkArgs;
pub use direct::DirectArgs;
pub use dkim::DkimArgs;
pub use options::{CommandLine, KeyError, OptionKind, option_kind, value_error};
pub use queue::{QueueAction, QueueCli, QueueDrop, QueueRun};

/// The text of `--version` behind the program name.
fn version() -> &'static str {
    common::version::text(env!("CARGO_PKG_VERSION"), "TLS by rustls and aws-lc; DKIM, DANE, MTA-STS, SMTPUTF8")
}

/// Send mail by SMTP and report the result for each recipient
///
/// Without --server the mail goes to the mail exchangers of the recipients' domains (MX records).
///
/// The text is read from standard input unless --body, --body-file, --html or --eml is given.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "smtp-send",
    version = version(),
    max_term_width = 100,
    styles = common::help::STYLES,
    override_usage = "smtp-send [--server HOST[:PORT]] --to ADDRESS [OPTIONS] < TEXT\n       \
                      smtp-send sendmail [OPTIONS OF SENDMAIL] ADDRESS... < MESSAGE\n       \
                      smtp-send queue list|run|drop\n       \
                      smtp-send account new [ADDRESS]",
    after_help = "\
Examples:
  echo Hello | smtp-send --server localhost --to bob@example.com
  smtp-send --to bob@example.com --body 'See below.' --attach video.mp4
  smtp-send --server mail.example.com --user ann --to bob@example.com < text
  smtp-send --eml outgoing/*.eml
  smtp-send --server mail.example.com --to bob@example.com --dry-run -v < text",
    after_long_help = "\
Exit codes:
   0 every recipient accepted         69 refused permanently, also in part
  64 wrong command line               71 system error, such as a failed write
  65 bad address or message           75 temporary failure; try again later
  66 a file cannot be read            76 the server violates the protocol
  67 unknown user                     77 login or certificate not accepted
  68 unknown host                     78 configuration error

Examples:
  echo Hello | smtp-send --server localhost --to bob@example.com
  smtp-send --to bob@example.com --body 'See below.' --attach video.mp4
  smtp-send --server mail.example.com --user ann --to bob@example.com < text
  smtp-send --eml outgoing/*.eml
  smtp-send --server mail.example.com --to bob@example.com --dry-run -v < text

'smtp-send sendmail --help' lists the options of sendmail mode."
)]
pub struct Cli {
    /// Sender and recipients.
    #[command(flatten)]
    pub envelope: EnvelopeArgs,
    /// The message to send.
    #[command(flatten)]
    pub message: MessageArgs,
    /// The server to send to.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Delivery without a server.
    #[command(flatten)]
    pub direct: DirectArgs,
    /// Encryption of the connection.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Authentication.
    #[command(flatten)]
    pub login: LoginArgs,
    /// Extensions of SMTP.
    #[command(flatten)]
    pub smtp: SmtpArgs,
    /// Several messages in one run.
    #[command(flatten)]
    pub bulk: BulkArgs,
    /// Signing of messages.
    #[command(flatten)]
    pub dkim: DkimArgs,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Sender and recipients.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Envelope")]
pub struct EnvelopeArgs {
    /// Recipient, `a@b` or `Name <a@b>`; repeatable
    ///
    /// Several recipients are separated by commas; @FILE reads a file with one list per line
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub to: Vec<String>,
    /// Recipient of a copy; repeatable
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress, hide_short_help = true)]
    pub cc: Vec<String>,
    /// Recipient of a blind copy, not named in the message; repeatable
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress, hide_short_help = true)]
    pub bcc: Vec<String>,
    /// Author [default: the user at this host]
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub from: Option<String>,
    /// Envelope sender, which receives bounces; '' for none [default: the address of --from]
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress, hide_short_help = true)]
    pub envelope_from: Option<String>,
}

/// The message to send.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Message")]
pub struct MessageArgs {
    /// Subject, in any script
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub subject: Option<String>,
    /// Text of the message
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file", allow_hyphen_values = true)]
    pub body: Option<String>,
    /// File with the text; - for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub body_file: Option<PathBuf>,
    /// File with the text in HTML
    ///
    /// A plain text is generated from it unless one is given
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub html: Option<PathBuf>,
    /// Image of the HTML text, referenced as `cid:NAME` (its file name); repeatable
    #[arg(
        long,
        value_name = "FILE[;type=T][;name=N]",
        requires = "html",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub inline: Vec<String>,
    /// File to attach; repeatable
    ///
    /// The file name gives the content type and the name for the recipient unless they are given; - is standard input,
    /// together with --body, --body-file or --html
    #[arg(long, value_name = "FILE[;type=T][;name=N]", value_hint = ValueHint::FilePath, allow_hyphen_values = true)]
    pub attach: Vec<String>,
    /// Additional header field; repeatable
    #[arg(long, value_name = "NAME: VALUE", hide_short_help = true)]
    pub header: Vec<String>,
    /// Address for replies; repeatable
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress, hide_short_help = true)]
    pub reply_to: Vec<String>,
    /// Complete messages, sent to the recipients in their header
    ///
    /// --to, --cc or --bcc replace these recipients. FILE is a message file, an mbox file, a directory with files
    /// *.eml, a Maildir, or - for standard input; repeatable
    #[arg(
        long,
        value_name = "FILE", value_hint = ValueHint::FilePath,
        num_args = 1..,
        conflicts_with_all = ["subject", "body", "body_file", "html", "attach", "header", "reply_to"]
    )]
    pub eml: Vec<PathBuf>,
}

/// The server to send to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Mail server [default: mail exchangers of each domain]
    ///
    /// An IPv6 address with a port is written in brackets; `lmtp:/path` is a Unix socket with LMTP
    #[arg(long, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    pub server: Option<String>,
    /// Port [default: 465 with --tls implicit, 587 with a login, 24 with --lmtp, else 25]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), hide_short_help = true)]
    pub port: Option<u16>,
    /// Account in config.toml [default: default]
    ///
    /// The accounts are in ~/.config/smtp-send/config.toml or /etc/smtp-send/config.toml, and their keys are the long
    /// options; `SMTP_SEND_ACCOUNT` names another default
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6", hide_short_help = true)]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long, hide_short_help = true)]
    pub ipv6: bool,
    /// Local address to connect from
    #[arg(long, value_name = "IP", hide_short_help = true)]
    pub bind: Option<IpAddr>,
    /// Proxy (SOCKS5 or HTTP CONNECT); the proxy resolves the name of the server, and -4, -6 and --bind apply to the
    /// connection to the proxy; `ALL_PROXY` and `HTTP_PROXY` are not read
    #[arg(long, value_name = "socks5|http://[USER@]HOST:PORT", hide_short_help = true)]
    pub proxy: Option<String>,
    /// File whose first line is the password for the proxy, readable only by its owner
    /// [default: `SMTP_PROXY_PASSWORD`, ~/.netrc or a prompt]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "proxy_password", hide_short_help = true)]
    pub proxy_password_file: Option<PathBuf>,
    /// Command that prints the password for the proxy
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, group = "proxy_password", hide_short_help = true)]
    pub proxy_password_command: Option<String>,
    /// Begin the connection with a PROXY protocol header, which servers behind a load balancer require
    #[arg(long, value_name = "VERSION", value_enum, hide_short_help = true)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Client address in the PROXY protocol header [default: the local address]
    #[arg(long, value_name = "IP[:PORT]", hide_short_help = true)]
    pub proxy_client: Option<String>,
    /// Name in EHLO [default: the full name of this host, else its address]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname, hide_short_help = true)]
    pub helo: Option<String>,
    /// Timeout of one reply [default: 2 to 10 minutes, as RFC 5321 recommends]
    #[arg(long, value_name = "SECONDS", value_parser = values::duration, hide_short_help = true)]
    pub timeout: Option<Duration>,
    /// Time limit of the whole run
    #[arg(long, value_name = "SECONDS", value_parser = values::duration, hide_short_help = true)]
    pub max_time: Option<Duration>,
    /// Retries after temporary failures
    ///
    /// The delays are about 1, 2, 4... 300 seconds
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub retry: Option<u32>,
    /// Start no retry later than this after the start; without --retry, the number of retries is unlimited
    #[arg(long, value_name = "SECONDS", value_parser = values::duration, hide_short_help = true)]
    pub retry_max_time: Option<Duration>,
}

/// Encryption of the connection.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// Use of TLS [default: auto]
    #[arg(long, value_name = "MODE", value_enum)]
    pub tls: Option<Tls>,
    /// File with the trusted certificates
    ///
    /// They replace the trusted certificates of this system
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub tls_ca: Option<PathBuf>,
    /// Name that the certificate must contain [default: the host of --server]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname, hide_short_help = true)]
    pub tls_server_name: Option<String>,
    /// Required public key of the server, checked in place of issuer, name and validity; with --tls-ca, in addition to them;
    /// -v and --json show the key of the server; several are separated by ;
    #[arg(long, value_name = "sha256//BASE64|sha256:HEX", hide_short_help = true)]
    pub tls_pin: Option<String>,
    /// File with a client certificate
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub tls_client_cert: Option<PathBuf>,
    /// File with the key of the client certificate, readable only by its owner [default: the file of --tls-client-cert]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub tls_client_key: Option<PathBuf>,
    /// Accept every certificate
    ///
    /// The connection is encrypted, the server is not authenticated
    #[arg(long)]
    pub insecure: bool,
}

/// Authentication. A password is never an argument.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Login")]
pub struct LoginArgs {
    /// User name for authentication
    ///
    /// The password comes from `SMTP_PASSWORD`, one of the options below, ~/.netrc or a prompt
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File with the password, readable only by its owner
    ///
    /// The password is the first line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "password", hide_short_help = true)]
    pub password_file: Option<PathBuf>,
    /// Open file descriptor to read the password from
    #[arg(long, value_name = "N", group = "password", hide_short_help = true)]
    pub password_fd: Option<i32>,
    /// Command that prints the password
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, group = "password")]
    pub password_command: Option<String>,
    /// Command that prints an OAuth 2.0 access token, for xoauth2 and oauthbearer
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, group = "password", hide_short_help = true)]
    pub token_command: Option<String>,
    /// SASL mechanism [default: the strongest that the server offers]
    #[arg(long, value_name = "MECHANISM", value_enum, hide_short_help = true)]
    pub auth: Option<Auth>,
    /// Log in even without TLS; the password can then be read on the network
    #[arg(long, hide_short_help = true)]
    pub allow_cleartext_login: bool,
}

/// Extensions of SMTP.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "SMTP")]
pub struct SmtpArgs {
    /// Use LMTP, which has a reply for each recipient after the message
    #[arg(long, hide_short_help = true)]
    pub lmtp: bool,
    /// Events for which the server sends a delivery report: never, or a list of success, failure, delay
    #[arg(long, value_name = "WHEN", hide_short_help = true)]
    pub dsn_notify: Option<String>,
    /// Content of a delivery report: the whole message or its header
    #[arg(long, value_name = "WHAT", value_enum, hide_short_help = true)]
    pub dsn_ret: Option<DsnRet>,
    /// Identifier of the message, repeated in delivery reports
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub dsn_envid: Option<String>,
    /// Time limit of the delivery, after which the message is reported as delayed or returned (DELIVERBY)
    #[arg(long, value_name = "SECONDS[,notify|,return][,trace]", hide_short_help = true)]
    pub deliver_by: Option<String>,
    /// Require authenticated TLS from every server that relays the message (REQUIRETLS)
    #[arg(long, hide_short_help = true)]
    pub require_tls: bool,
    /// Do not use CHUNKING and BINARYMIME
    #[arg(long, hide_short_help = true)]
    pub no_chunking: bool,
}

/// Output.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that can be typed")]
pub struct OutputArgs {
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// End the session after this step, without delivery
    #[arg(long, value_name = "STEP", value_parser = stop_after(), conflicts_with = "dry_run", hide_short_help = true)]
    pub stop_after: Option<StopAfter>,
    /// Report in JSON, one object for each message
    #[arg(long)]
    pub json: bool,
    /// Show the SMTP dialogue with times on standard error
    #[arg(short, long)]
    pub verbose: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose", hide_short_help = true)]
    pub quiet: bool,
}

impl Cli {
    /// Parses the arguments; the first is the name of the program.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments)
    }
}

/// The values of `--tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Tls {
    /// Implicit on port 465, otherwise STARTTLS if the server offers it
    #[default]
    Auto,
    /// Require STARTTLS
    Starttls,
    /// TLS from the first byte
    Implicit,
    /// Never
    Off,
}

/// The values of `--proxy-protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProxyProtocol {
    /// The text format
    V1,
    /// The binary format
    V2,
}

/// The values of `--auth`: SASL mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// RFC 4616; sends the password to the server
    Plain,
    /// PLAIN in two steps, for old servers
    Login,
    /// RFC 2195; proves knowledge of the password without sending it
    CramMd5,
    /// RFC 7677; client and server prove knowledge of the password
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// SCRAM-SHA-256 bound to the TLS connection
    #[value(name = "scram-sha-256-plus")]
    ScramSha256Plus,
    /// OAuth 2.0 access token, for Google and Microsoft
    Xoauth2,
    /// RFC 7628; OAuth 2.0 access token
    Oauthbearer,
    /// RFC 4422; the client certificate or the socket authenticates the client
    External,
}

/// The values of `--dsn-ret` (RFC 3461, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DsnRet {
    /// The whole message
    Full,
    /// Its header
    Hdrs,
}

/// The values of `--stop-after`.
fn stop_after() -> impl TypedValueParser<Value = StopAfter> {
    let names = PossibleValuesParser::new(StopAfter::ALL.map(StopAfter::name));
    names.try_map(|name| StopAfter::parse(&name).ok_or("not a step"))
}

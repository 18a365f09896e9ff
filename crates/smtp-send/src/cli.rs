//! What can be typed on the command line. What it means is decided in `config`, nothing is checked here.
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
use clap::{Args, Parser, ValueEnum};
use common::values;

use crate::session::StopAfter;

pub use account::{AccountAction, AccountCli, AccountNew};
pub use bulk::BulkArgs;
pub use direct::DirectArgs;
pub use dkim::DkimArgs;
pub use options::{CommandLine, KeyError, OptionKind, option_kind, value_error};
pub use queue::{QueueAction, QueueCli, QueueDrop, QueueRun};

/// Sends mail by SMTP and says for each recipient what became of it.
///
/// Without --server the mail goes to the servers of the recipients' domains, which DNS names.
///
/// The text is read from standard input unless --body, --body-file, --html or --eml is given.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "smtp-send",
    version,
    max_term_width = 100,
    override_usage = "smtp-send [--server HOST[:PORT]] --to ADDRESS [OPTIONS] < TEXT\n       \
                      smtp-send sendmail [OPTIONS OF SENDMAIL] ADDRESS... < MESSAGE\n       \
                      smtp-send queue list|run|drop\n       \
                      smtp-send account new [ADDRESS]",
    after_help = "\
Exit codes:
   0 every recipient accepted         69 refused for good, also in part
  64 wrong command line               71 this system refuses something else
  65 bad address or message           75 not now; try again later
  66 a file cannot be read            76 the server breaks the protocol
  67 unknown user                     77 login or certificate not accepted
  68 unknown host                     78 configuration

Example:
  echo 'It works.' | smtp-send --server localhost:2525 --to bob@example.com --subject Test

'smtp-send sendmail --help' tells about the options of sendmail."
)]
pub struct Cli {
    /// From whom and to whom.
    #[command(flatten)]
    pub envelope: EnvelopeArgs,
    /// What is sent.
    #[command(flatten)]
    pub message: MessageArgs,
    /// Where to send.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where to send without a server.
    #[command(flatten)]
    pub direct: DirectArgs,
    /// How the connection is protected.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Who we are to the server.
    #[command(flatten)]
    pub login: LoginArgs,
    /// How the dialogue is held.
    #[command(flatten)]
    pub smtp: SmtpArgs,
    /// Many messages at once.
    #[command(flatten)]
    pub bulk: BulkArgs,
    /// How messages are signed.
    #[command(flatten)]
    pub dkim: DkimArgs,
    /// What is shown.
    #[command(flatten)]
    pub seeing: SeeingArgs,
}

/// From whom and to whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Envelope")]
pub struct EnvelopeArgs {
    /// Recipient, as `a@b` or `Name <a@b>`; comma lists, or @FILE with one list a line; repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub to: Vec<String>,
    /// Recipient of a copy; repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub cc: Vec<String>,
    /// Recipient of a copy whom the others do not see; repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub bcc: Vec<String>,
    /// Author [default: your user name at this host]
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// Where bounces go; '' for nowhere [default: the address of --from]
    #[arg(long, value_name = "ADDRESS")]
    pub envelope_from: Option<String>,
}

/// What is sent.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Message")]
pub struct MessageArgs {
    /// Subject, in any script
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub subject: Option<String>,
    /// The text itself
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file", allow_hyphen_values = true)]
    pub body: Option<String>,
    /// File with the text; - for standard input
    #[arg(long, value_name = "FILE")]
    pub body_file: Option<PathBuf>,
    /// File with the text in HTML; without a plain text of its own one is made from it
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Picture for the HTML text, which names it as `cid:NAME` (its file name); repeatable
    #[arg(long, value_name = "FILE[;type=T][;name=N]", requires = "html", allow_hyphen_values = true)]
    pub inline: Vec<String>,
    /// File to attach; its type and name for the recipient follow from its name unless they are given;
    /// - for standard input, together with --body, --body-file or --html; repeatable
    #[arg(long, value_name = "FILE[;type=T][;name=N]", allow_hyphen_values = true)]
    pub attach: Vec<String>,
    /// Further header field; repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// Where answers shall go; repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub reply_to: Vec<String>,
    /// Ready messages, sent as they are to the recipients in their header unless --to, --cc or --bcc is given: a file with
    /// one, a mailbox file, a folder with files *.eml, a Maildir, or - for standard input; repeatable
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        conflicts_with_all = ["subject", "body", "body_file", "html", "attach", "header", "reply_to"]
    )]
    pub eml: Vec<PathBuf>,
}

/// Where to send.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Mail server; an IPv6 address with a port stands in brackets; `lmtp:/path` is a unix socket that speaks LMTP
    /// [default: those of the recipients' domains]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// Port [default: 465 with --tls implicit, 587 with a login, 24 with --lmtp, else 25]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Account of ~/.config/smtp-send/config.toml or /etc/smtp-send/config.toml, whose keys are the long options
    /// [default: that of `SMTP_SEND_ACCOUNT`, else default]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// Address of this host to connect from
    #[arg(long, value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// Proxy to go through, by SOCKS5 or by CONNECT of HTTP; it resolves the name of the server, and -4, -6 and --bind are
    /// for the way to it; `ALL_PROXY` and the like are not read
    #[arg(long, value_name = "socks5|http://[USER@]HOST:PORT")]
    pub proxy: Option<String>,
    /// File whose first line is the password for the proxy; nobody else may read it [default: `SMTP_PROXY_PASSWORD`, ~/.netrc or
    /// a prompt]
    #[arg(long, value_name = "FILE", group = "proxy_password")]
    pub proxy_password_file: Option<PathBuf>,
    /// Command that prints the password for the proxy
    #[arg(long, value_name = "COMMAND", group = "proxy_password")]
    pub proxy_password_command: Option<String>,
    /// Begin with the header of the PROXY protocol, as servers behind a load balancer demand it
    #[arg(long, value_name = "VERSION", value_enum)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Client to name in that header [default: this host]
    #[arg(long, value_name = "IP[:PORT]")]
    pub proxy_client: Option<String>,
    /// Name given in EHLO [default: the full name of this host, else its address]
    #[arg(long, value_name = "NAME")]
    pub helo: Option<String>,
    /// Longest wait for one reply [default: as RFC 5321 recommends, 2 to 10 minutes]
    #[arg(long, value_name = "SECONDS", value_parser = values::duration)]
    pub timeout: Option<Duration>,
    /// Longest time for everything from connecting to the end
    #[arg(long, value_name = "SECONDS", value_parser = values::duration)]
    pub max_time: Option<Duration>,
    /// How often to try again what failed for now, after about 1, 2, 4... 300 seconds
    #[arg(long, value_name = "N")]
    pub retry: Option<u32>,
    /// Begin no further try later than this after the start; without --retry, try as often as that allows
    #[arg(long, value_name = "SECONDS", value_parser = values::duration)]
    pub retry_max_time: Option<Duration>,
}

/// How the connection is protected.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// When to encrypt [default: auto]
    #[arg(long, value_name = "MODE", value_enum)]
    pub tls: Option<Tls>,
    /// File with the certificates to trust, instead of those of this system
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Name that the certificate must carry [default: the host of --server]
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// Key that the server must have, in place of a trusted issuer, a name and a date; with --tls-ca besides them; -v and --json show
    /// the one that it has; several with ; between them
    #[arg(long, value_name = "sha256//BASE64|sha256:HEX")]
    pub tls_pin: Option<String>,
    /// File with our own certificate, for servers that know their clients by it
    #[arg(long, value_name = "FILE")]
    pub tls_client_cert: Option<PathBuf>,
    /// File with its key, which nobody else may read [default: that of --tls-client-cert]
    #[arg(long, value_name = "FILE")]
    pub tls_client_key: Option<PathBuf>,
    /// Accept every certificate: encrypted, but with whom is not known
    #[arg(long)]
    pub insecure: bool,
}

/// Who we are to the server. A password is never an argument.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Login")]
pub struct LoginArgs {
    /// Name to log in with; the password comes from `SMTP_PASSWORD`, one of the options below, ~/.netrc or a prompt
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File whose first line is the password; nobody else may read it
    #[arg(long, value_name = "FILE", group = "password")]
    pub password_file: Option<PathBuf>,
    /// Open file descriptor to read the password from
    #[arg(long, value_name = "N", group = "password")]
    pub password_fd: Option<i32>,
    /// Command that prints the password
    #[arg(long, value_name = "COMMAND", group = "password")]
    pub password_command: Option<String>,
    /// Command that prints an OAuth 2.0 access token, for xoauth2 and oauthbearer
    #[arg(long, value_name = "COMMAND", group = "password")]
    pub token_command: Option<String>,
    /// How to log in [default: the best that the server offers]
    #[arg(long, value_name = "MECHANISM", value_enum)]
    pub auth: Option<Auth>,
    /// Log in without TLS too, so that anybody on the way can read the password
    #[arg(long)]
    pub allow_cleartext_login: bool,
}

/// How the dialogue is held.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "SMTP")]
pub struct SmtpArgs {
    /// Speak LMTP, which answers for each recipient after the message
    #[arg(long)]
    pub lmtp: bool,
    /// When the server shall report on the delivery: never, or a list of success, failure, delay
    #[arg(long, value_name = "WHEN")]
    pub dsn_notify: Option<String>,
    /// What a report shall hold: the whole message or its header
    #[arg(long, value_name = "WHAT", value_enum)]
    pub dsn_ret: Option<DsnRet>,
    /// A name for this message that a report shall repeat
    #[arg(long, value_name = "ID")]
    pub dsn_envid: Option<String>,
    /// When the message has to be delivered: after so many seconds it is reported as late, or comes back (DELIVERBY)
    #[arg(long, value_name = "SECONDS[,notify|,return][,trace]")]
    pub deliver_by: Option<String>,
    /// Demand that every server on the way uses checked TLS (REQUIRETLS), or refuses
    #[arg(long)]
    pub require_tls: bool,
    /// Send by DATA even when the server offers CHUNKING, and files in base64 even when it offers BINARYMIME
    #[arg(long)]
    pub no_chunking: bool,
}

/// What is shown.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Seeing")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that can be typed")]
pub struct SeeingArgs {
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// End the session after this step; nothing is delivered
    #[arg(long, value_name = "STEP", value_parser = stop_after(), conflicts_with = "dry_run")]
    pub stop_after: Option<StopAfter>,
    /// Report as JSON, one object for each message
    #[arg(long)]
    pub json: bool,
    /// Show the dialogue with times on standard error
    #[arg(short, long)]
    pub verbose: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl Cli {
    /// Reads the arguments, the name of the program first.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments)
    }
}

/// The values of `--tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Tls {
    /// From the first byte on port 465, elsewhere when the server offers STARTTLS
    #[default]
    Auto,
    /// STARTTLS, or nothing is sent
    Starttls,
    /// TLS from the first byte
    Implicit,
    /// Never
    Off,
}

/// The values of `--proxy-protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProxyProtocol {
    /// A line of text
    V1,
    /// Binary
    V2,
}

/// The values of `--auth`: the mechanisms of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// RFC 4616; the password goes to the server
    Plain,
    /// The same in two steps, for old servers
    Login,
    /// RFC 2195; the password stays here, the server must know it
    CramMd5,
    /// RFC 7677; the password stays here, the server proves that it knows it
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// The same, worth nothing on any other TLS connection
    #[value(name = "scram-sha-256-plus")]
    ScramSha256Plus,
    /// An access token, as Google and Microsoft expect it
    Xoauth2,
    /// RFC 7628; an access token
    Oauthbearer,
    /// RFC 4422; the server knows us already, by a certificate or a socket
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

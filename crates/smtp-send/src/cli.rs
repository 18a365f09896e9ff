//! What can be typed on the command line. What it means is decided in `config`, nothing is checked here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Sends one message by SMTP and says for each recipient what became of it.
///
/// The text is read from standard input unless --body or --body-file is given.
#[derive(Debug, Parser)]
#[command(
    name = "smtp-send",
    version,
    max_term_width = 100,
    override_usage = "smtp-send --server HOST[:PORT] --to ADDRESS [OPTIONS] < TEXT",
    after_help = "\
Exit codes:
   0 every recipient accepted         69 refused for good, also in part
  64 wrong command line               71 this system refuses something else
  65 bad address or message           75 not now; try again later
  66 a file cannot be read            76 the server breaks the protocol
  67 unknown user                     77 certificate not trusted, access denied
  68 unknown host                     78 configuration

Example:
  echo 'It works.' | smtp-send --server localhost:2525 --to bob@example.com --subject Test"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that can be typed")]
pub struct Cli {
    /// Mail server; an IPv6 address with a port stands in brackets
    #[arg(long, value_name = "HOST[:PORT]", help_heading = "Server")]
    pub server: Option<String>,
    /// Port [default: 25, or 465 with --tls implicit]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Server")]
    pub port: Option<u16>,
    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6", help_heading = "Server")]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', help_heading = "Server")]
    pub ipv6: bool,
    /// Name given in EHLO [default: the full name of this host, else its address]
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    pub helo: Option<String>,
    /// Longest wait for one reply [default: as RFC 5321 recommends, 2 to 10 minutes]
    #[arg(long, value_name = "SECONDS", help_heading = "Server")]
    pub timeout: Option<f64>,
    /// Longest time for everything from connecting to the end
    #[arg(long, value_name = "SECONDS", help_heading = "Server")]
    pub max_time: Option<f64>,

    /// Recipient, as `a@b` or `Name <a@b>`; comma lists, or @FILE with one list a line; repeatable
    #[arg(long, value_name = "ADDRESS", help_heading = "Envelope")]
    pub to: Vec<String>,
    /// Recipient of a copy; repeatable
    #[arg(long, value_name = "ADDRESS", help_heading = "Envelope")]
    pub cc: Vec<String>,
    /// Recipient of a copy whom the others do not see; repeatable
    #[arg(long, value_name = "ADDRESS", help_heading = "Envelope")]
    pub bcc: Vec<String>,
    /// Author [default: your user name at this host]
    #[arg(long, value_name = "ADDRESS", help_heading = "Envelope")]
    pub from: Option<String>,
    /// Where bounces go; '' for nowhere [default: the address of --from]
    #[arg(long, value_name = "ADDRESS", help_heading = "Envelope")]
    pub envelope_from: Option<String>,

    /// Subject, in any script
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true, help_heading = "Message")]
    pub subject: Option<String>,
    /// The text itself
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "body_file",
        allow_hyphen_values = true,
        help_heading = "Message"
    )]
    pub body: Option<String>,
    /// File with the text; - for standard input
    #[arg(long, value_name = "FILE", help_heading = "Message")]
    pub body_file: Option<PathBuf>,
    /// File to attach; its type and name for the recipient follow from its name unless they are given;
    /// - for standard input, together with --body or --body-file; repeatable
    #[arg(long, value_name = "FILE[;type=T][;name=N]", allow_hyphen_values = true, help_heading = "Message")]
    pub attach: Vec<String>,
    /// Further header field; repeatable
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Message")]
    pub header: Vec<String>,
    /// Where answers shall go; repeatable
    #[arg(long, value_name = "ADDRESS", help_heading = "Message")]
    pub reply_to: Vec<String>,

    /// When to encrypt
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Tls::Auto, help_heading = "TLS")]
    pub tls: Tls,
    /// File with the certificates to trust, instead of those of this system
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub tls_ca: Option<PathBuf>,
    /// Name that the certificate must carry [default: the host of --server]
    #[arg(long, value_name = "NAME", help_heading = "TLS")]
    pub tls_server_name: Option<String>,
    /// Accept every certificate: encrypted, but with whom is not known
    #[arg(long, help_heading = "TLS")]
    pub insecure: bool,

    /// Print the message and send nothing
    #[arg(long, help_heading = "Seeing")]
    pub dry_run: bool,
    /// End the session after this step; nothing is delivered
    #[arg(long, value_name = "STEP", value_enum, conflicts_with = "dry_run", help_heading = "Seeing")]
    pub stop_after: Option<Step>,
    /// Report as one JSON object
    #[arg(long, help_heading = "Seeing")]
    pub json: bool,
    /// Show the dialogue with times on standard error
    #[arg(short, long, help_heading = "Seeing")]
    pub verbose: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Seeing")]
    pub quiet: bool,
}

impl Cli {
    /// Reads the arguments, the name of the program first.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments)
    }
}

/// The values of `--tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tls {
    /// From the first byte on port 465, elsewhere when the server offers STARTTLS
    Auto,
    /// STARTTLS, or nothing is sent
    Starttls,
    /// TLS from the first byte
    Implicit,
    /// Never
    Off,
}

/// The values of `--stop-after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "they are the words that are typed, and shown by --help without more")]
pub enum Step {
    Connect,
    Ehlo,
    Tls,
    Mail,
    Rcpt,
}

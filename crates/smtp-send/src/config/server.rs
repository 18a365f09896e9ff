//! The options of the server and of TLS.

use std::time::Duration;

use anyhow::{Result, ensure};
use common::{Error, Kind};

use super::login::Credentials;
use super::mail_exchangers::MxSettings;
use super::{proxy, usage};
use crate::cli::{Cli, DsnRet, SmtpArgs, Tls, TlsArgs};
use crate::host;
use crate::net::address::{HostPort, Peer, Server};
use crate::net::tls::{Check, ClientCertificate, TlsMode, Trust};
use crate::net::transport::{ConnectOptions, Family};
use crate::proto::command::HeloName;
use crate::proto::deliver_by::DeliverBy;
use crate::proto::dsn::{Dsn, Envid, Notify, Ret};
use crate::proto::pin::Pin;

/// Port of SMTP between servers.
const SMTP: u16 = 25;
/// Registered port of LMTP.
const LMTP: u16 = 24;
/// Port of submission (RFC 6409).
const SUBMISSION: u16 = 587;
/// Port of submission with TLS from the first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;

/// Where a message is sent.
#[derive(Debug)]
pub enum Destination {
    /// To this server.
    Server(Peer),
    /// To the mail exchangers of each recipient's domain.
    MailExchangers(MxSettings),
}

impl Destination {
    /// The server, when there is one.
    pub fn server(&self) -> Option<&Peer> {
        match self {
            Self::Server(peer) => Some(peer),
            Self::MailExchangers(_) => None,
        }
    }
}

/// Where messages go, and the rules of connection, session and retries.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent setting")]
pub struct Route {
    /// The server, or the settings of mail exchangers.
    pub destination: Destination,
    /// How to connect.
    pub connect_options: ConnectOptions,
    /// Whether the server speaks LMTP.
    pub lmtp: bool,
    /// The name for EHLO; `None` is the address of the socket.
    pub helo: Option<HeloName>,
    /// When the connection is encrypted.
    pub tls: TlsMode,
    /// Which certificates are trusted.
    pub trust: Trust,
    /// The login, if there is one.
    pub login: Option<Credentials>,
    /// Which delivery reports are requested.
    pub dsn: Dsn,
    /// When messages must be delivered.
    pub deliver_by: Option<DeliverBy>,
    /// Whether an option about certificates or keys demands TLS.
    pub demands_tls: bool,
    /// Whether every server must use checked TLS.
    pub require_tls: bool,
    /// Whether CHUNKING is used if it is offered.
    pub chunking: bool,
    /// Replaces the time limits of RFC 5321 for a reply.
    pub timeout: Option<Duration>,
    /// Time limit of the whole run.
    pub max_time: Option<Duration>,
    /// Most retries after a temporary failure.
    pub retry: u32,
    /// How long after the start a retry may begin.
    pub retry_max_time: Option<Duration>,
}

impl Route {
    /// Checks the options; with `logs_in` the secret of the login is read too.
    pub fn new(cli: &Cli, logs_in: bool) -> Result<Self> {
        let (args, smtp) = (&cli.server, &cli.smtp);
        let mode = cli.tls.tls.unwrap_or_default();
        let trust = trust(mode, &cli.tls, cli.login.user.is_some() || smtp.require_tls)?;
        let demands_tls = has_tls_option(&cli.tls);
        let helo = args.helo.as_deref().map_or_else(|| Ok(own_helo()), |typed| helo(typed).map(Some))?;
        let timeout = args.timeout.map(|time| positive("--timeout", time)).transpose()?;
        let max_time = args.max_time.map(|time| positive("--max-time", time)).transpose()?;
        let retry_max_time = args.retry_max_time.map(|time| positive("--retry-max-time", time)).transpose()?;
        let dsn = dsn(smtp)?;
        let deliver_by = smtp.deliver_by.as_deref().map(deliver_by).transpose()?;
        ensure!(!(smtp.require_tls && mode == Tls::Off), usage("--require-tls", "cannot be combined with --tls off"));
        ensure!(!(smtp.require_tls && cli.tls.insecure), usage("--require-tls", "cannot be combined with --insecure"));
        let destination = match &args.server {
            Some(typed) => {
                MxSettings::refuse_options(cli)?;
                Destination::Server(peer(typed, args.port, mode, cli)?)
            }
            None => Destination::MailExchangers(MxSettings::new(cli, args.port.unwrap_or(SMTP))?),
        };
        let server = destination.server();
        Ok(Self {
            connect_options: ConnectOptions {
                family: family(args.ipv4, args.ipv6),
                bind: args.bind,
                proxy: proxy::proxy(args, server, !cli.output.dry_run)?,
                header: proxy::header(args, server)?,
            },
            lmtp: smtp.lmtp || matches!(server, Some(Peer::Unix(_))),
            helo,
            tls: tls_mode(mode, demands_tls || smtp.require_tls, server),
            demands_tls,
            trust,
            login: match server {
                Some(peer) if logs_in => Credentials::new(&cli.login, peer.host())?,
                _ => None,
            },
            dsn,
            deliver_by,
            require_tls: smtp.require_tls,
            chunking: !smtp.no_chunking,
            timeout,
            max_time,
            retry: args.retry.unwrap_or(if retry_max_time.is_some() { u32::MAX } else { 0 }),
            retry_max_time,
            destination,
        })
    }
}

/// Whether an option about certificates or keys is given. It would protect nothing if a server could avoid TLS.
fn has_tls_option(args: &TlsArgs) -> bool {
    args.insecure
        || args.tls_ca.is_some()
        || args.tls_server_name.is_some()
        || args.tls_pin.is_some()
        || args.tls_client_cert.is_some()
}

/// The meaning of `--tls` for this server: implicit TLS on the port of submissions, a must if TLS is demanded.
fn tls_mode(typed: Tls, demands_tls: bool, server: Option<&Peer>) -> TlsMode {
    match typed {
        Tls::Auto if matches!(server, Some(Peer::Tcp(server)) if server.port == SUBMISSIONS) => TlsMode::Implicit,
        // For mail exchangers the policy of the domain is evaluated first.
        Tls::Auto if demands_tls && server.is_some() => TlsMode::StartTls,
        Tls::Auto => TlsMode::Opportunistic,
        Tls::Starttls => TlsMode::StartTls,
        Tls::Implicit => TlsMode::Implicit,
        Tls::Off => TlsMode::Off,
    }
}

fn peer(typed: &str, port: Option<u16>, tls: Tls, cli: &Cli) -> Result<Peer> {
    if let Some(path) = typed.strip_prefix("lmtp:").filter(|path| path.starts_with('/')) {
        ensure!(port.is_none(), usage("--port", "cannot be combined with a unix socket"));
        ensure!(tls != Tls::Implicit, usage("--tls implicit", "cannot be combined with a unix socket"));
        return Ok(Peer::Unix(path.into()));
    }
    let server = Server::parse(typed).map_err(|error| Error::value("--server", typed, error))?;
    let port = match (server.port, port) {
        (Some(one), Some(other)) if one != other => {
            return Err(usage("--port", "--server has another port"));
        }
        (Some(port), _) | (None, Some(port)) => port,
        (None, None) if cli.smtp.lmtp => LMTP,
        (None, None) if tls == Tls::Implicit => SUBMISSIONS,
        (None, None) if cli.login.user.is_some() => SUBMISSION,
        (None, None) => SMTP,
    };
    ensure!(!(cli.smtp.lmtp && port == SMTP), usage("--lmtp", "port 25 is for SMTP (RFC 2033, section 5)"));
    Ok(Peer::Tcp(HostPort { host: server.host, port }))
}

fn dsn(args: &SmtpArgs) -> Result<Dsn> {
    let notify = args.dsn_notify.as_deref().map(|typed| {
        let why = "write never, or a list of success, failure and delay";
        Notify::parse(typed).ok_or_else(|| Error::value("--dsn-notify", typed, why))
    });
    let envid = args.dsn_envid.as_deref().map(|typed| {
        let why = "an identifier has 1 to 100 printable ASCII characters";
        Envid::parse(typed).ok_or_else(|| Error::new(Kind::BadData, "--dsn-envid", typed, why))
    });
    let ret = args.dsn_ret.map(|typed| match typed {
        DsnRet::Full => Ret::Full,
        DsnRet::Hdrs => Ret::Headers,
    });
    Ok(Dsn { notify: notify.transpose()?, ret, envid: envid.transpose()?, optional: false })
}

fn deliver_by(typed: &str) -> Result<DeliverBy> {
    let why = "write SECONDS, with ,notify or ,return, and with ,trace: 3600,return";
    Ok(DeliverBy::parse(typed).ok_or_else(|| Error::value("--deliver-by", typed, why))?)
}

fn family(ipv4: bool, ipv6: bool) -> Family {
    match (ipv4, ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    }
}

/// The full name of this host; without one the address of the socket is better.
fn own_helo() -> Option<HeloName> {
    host::full_name().and_then(|name| HeloName::parse(&name))
}

fn helo(typed: &str) -> Result<HeloName> {
    Ok(HeloName::parse(typed)
        .ok_or_else(|| Error::new(Kind::BadData, "--helo", typed, "not a host name or an address in brackets"))?)
}

fn positive(option: &'static str, time: Duration) -> Result<Duration> {
    ensure!(!time.is_zero(), usage(option, "must be above 0"));
    Ok(time)
}

fn trust(mode: Tls, args: &TlsArgs, needs_check: bool) -> Result<Trust> {
    let (ca, server_name) = (args.tls_ca.clone(), args.tls_server_name.clone());
    let given = [
        (args.insecure, "--insecure"),
        (ca.is_some(), "--tls-ca"),
        (server_name.is_some(), "--tls-server-name"),
        (args.tls_pin.is_some(), "--tls-pin"),
        (args.tls_client_cert.is_some(), "--tls-client-cert"),
    ];
    let mut useless = given.into_iter().filter(|(given, _)| *given);
    if let (Tls::Off, Some((_, option))) = (mode, useless.next()) {
        return Err(usage(option, "cannot be combined with --tls off"));
    }
    ensure!(!(args.insecure && ca.is_some()), usage("--insecure", "cannot be combined with --tls-ca"));
    ensure!(!(args.insecure && args.tls_pin.is_some()), usage("--insecure", "cannot be combined with --tls-pin"));
    ensure!(
        args.tls_client_cert.is_some() || args.tls_client_key.is_none(),
        usage("--tls-client-key", "requires --tls-client-cert")
    );
    let pins = args.tls_pin.as_deref().map(|typed| {
        let why = "write sha256//BASE64 or sha256:HEX of the server's public key, several with ; between them";
        Pin::parse_list(typed).ok_or_else(|| Error::value("--tls-pin", typed, why))
    });
    let pins = pins.transpose()?.unwrap_or_default();
    let certificate = args.tls_client_cert.as_deref();
    let identity = certificate.map(|file| ClientCertificate::load(file, args.tls_client_key.as_deref())).transpose()?;
    let check = match (args.insecure, mode) {
        (true, _) => Check::Never,
        // Loopback connections may be unencrypted, unless they carry a secret or TLS is demanded.
        (false, Tls::Auto) if ca.is_none() && server_name.is_none() && pins.is_empty() && !needs_check => {
            Check::OffLoopback
        }
        _ => Check::Always,
    };
    Ok(Trust { ca, server_name, check, pins, identity, dane: None })
}

//! The options of the server and of TLS: where to connect, for how long, and whom to trust.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use common::{Failure, Kind};

use super::usage;
use crate::cli::{ServerArgs, Tls, TlsArgs};
use crate::host;
use crate::proto::command::HeloName;
use crate::server::{HostPort, Server};
use crate::tls::Trust;
use crate::transport::Family;

/// Port of SMTP between servers.
const SMTP: u16 = 25;
/// Port of submission with TLS from the first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;
/// A wait longer than this is a mistyped number.
const LONGEST_WAIT: f64 = 1e6;

/// The way to a server, and the rules on it.
#[derive(Debug)]
pub struct Route {
    /// Where to send.
    pub server: HostPort,
    /// Which addresses of the server may be used.
    pub family: Family,
    /// The name for EHLO, when it is not the address of the socket.
    pub helo: Option<HeloName>,
    /// When to encrypt.
    pub tls: Tls,
    /// Whom to trust.
    pub trust: Trust,
    /// Longest wait for a reply, in place of the times of RFC 5321.
    pub timeout: Option<Duration>,
    /// Longest time for everything.
    pub max_time: Option<Duration>,
}

impl Route {
    /// Checks the options; `None` when no server is named.
    pub(super) fn new(args: ServerArgs, tls: TlsArgs) -> Result<Option<Self>> {
        let mode = tls.tls.unwrap_or_default();
        let trust = trust(mode, tls.insecure, tls.tls_ca, tls.tls_server_name)?;
        let helo = args.helo.map_or_else(|| Ok(own_helo()), |typed| helo(&typed).map(Some))?;
        let timeout = args.timeout.map(|seconds| wait("--timeout", seconds)).transpose()?;
        let max_time = args.max_time.map(|seconds| wait("--max-time", seconds)).transpose()?;
        let Some(typed) = args.server else { return Ok(None) };
        let server = server(&typed, args.port, mode)?;
        let tls = if mode == Tls::Auto && server.port == SUBMISSIONS { Tls::Implicit } else { mode };
        let family = family(args.ipv4, args.ipv6);
        Ok(Some(Self { server, family, helo, tls, trust, timeout, max_time }))
    }
}

fn server(typed: &str, port: Option<u16>, tls: Tls) -> Result<HostPort> {
    let server = Server::parse(typed).map_err(|error| Failure::new(Kind::Usage, "--server", typed, error))?;
    let port = match (server.port, port) {
        (Some(one), Some(other)) if one != other => {
            return Err(usage("--port", "--server names another one"));
        }
        (Some(port), _) | (None, Some(port)) => port,
        (None, None) if tls == Tls::Implicit => SUBMISSIONS,
        (None, None) => SMTP,
    };
    Ok(HostPort { host: server.host, port })
}

fn family(ipv4: bool, ipv6: bool) -> Family {
    match (ipv4, ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    }
}

/// The full name of this host; a short one is worth less than the address that the socket knows.
fn own_helo() -> Option<HeloName> {
    host::full_name().and_then(|name| HeloName::parse(&name))
}

fn helo(typed: &str) -> Result<HeloName> {
    let wrong = || Failure::new(Kind::BadData, "--helo", typed, "not a host name or an address in brackets");
    Ok(HeloName::parse(typed).ok_or_else(wrong)?)
}

fn wait(option: &'static str, seconds: f64) -> Result<Duration> {
    ensure!(seconds > 0.0 && seconds <= LONGEST_WAIT, usage(option, "a number of seconds above 0 is needed"));
    Ok(Duration::from_secs_f64(seconds))
}

fn trust(tls: Tls, insecure: bool, ca: Option<PathBuf>, server_name: Option<String>) -> Result<Trust> {
    let mut useless =
        [(insecure, "--insecure"), (ca.is_some(), "--tls-ca"), (server_name.is_some(), "--tls-server-name")]
            .into_iter()
            .filter(|(given, _)| *given);
    if let (Tls::Off, Some((_, option))) = (tls, useless.next()) {
        return Err(usage(option, "no use with --tls off"));
    }
    ensure!(!(insecure && ca.is_some()), usage("--insecure", "no use with --tls-ca"));
    Ok(match (insecure, tls, ca, server_name) {
        (true, _, _, server_name) => Trust { ca: None, server_name, check: crate::tls::Check::Never },
        (false, Tls::Auto, None, None) => Trust { check: crate::tls::Check::OffLoopback, ..Trust::default() },
        (false, _, ca, server_name) => Trust { ca, server_name, check: crate::tls::Check::Always },
    })
}

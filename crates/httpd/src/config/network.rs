//! Options of sockets, TLS, limits and proxies.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;

use common::{Error, values};

use super::{TlsConfig, usage};
use crate::cli::Cli;
use crate::connection::ConnectionLimits;
use crate::net::listener::{ListenAddress, ListenConfig};
use crate::net::trusted_proxies::TrustedProxies;
use crate::proto::cidr::CidrParseError;
use crate::tls::CertificateFiles;

/// The port without --port.
const DEFAULT_PORT: u16 = 6789;

/// Most workers: more than the cores of any machine.
const MAX_WORKERS: usize = 1024;
/// Connections in total without --max-connections.
const MAX_CONNECTIONS: usize = 16384;

/// Where the server listens.
pub(super) fn listen(cli: &Cli, has_tls: bool) -> Result<ListenConfig, Error> {
    if let (Some(port), false) = (cli.redirect_http, has_tls) {
        return Err(usage("--redirect-http", &port.to_string(), "requires --tls-cert or --tls-self-signed"));
    }
    match cli.public_port {
        Some(0) => return Err(usage("--public-port", "0", "must be at least 1")),
        Some(port) if !has_tls => {
            return Err(usage("--public-port", &port.to_string(), "requires --tls-cert or --tls-self-signed"));
        }
        _ => {}
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let port = cli.port.unwrap_or(DEFAULT_PORT);
    let parsed = cli.bind.iter().map(|text| listen_address(text, port)).collect::<Result<Vec<_>, _>>()?;
    let names_port = cli.port.is_some() || parsed.iter().any(|(_, has_own_port)| *has_own_port);
    let is_default = parsed.is_empty();
    let mut addresses: Vec<_> = parsed.into_iter().map(|(address, _)| address).collect();
    if is_default {
        addresses.push(ListenAddress::All(port));
    }
    Ok(ListenConfig {
        addresses,
        is_default,
        // Another port is a surprise unless the banner names it.
        may_move: !names_port && !cli.quiet && io::stderr().is_terminal(),
        socket_mode: cli.socket_mode,
        workers: cli.workers.map_or(Ok(cores), workers)?,
        tls: has_tls,
        redirect: cli.redirect_http,
        public_port: cli.public_port,
    })
}

/// An address of `--bind`, and whether it has its own port.
fn listen_address(text: &OsStr, port: u16) -> Result<(ListenAddress, bool), Error> {
    if let Some(path) = text.as_bytes().strip_prefix(b"unix:") {
        return match path {
            [] => Err(usage("--bind", "unix:", "needs a path after the colon")),
            path => Ok((ListenAddress::Unix(OsStr::from_bytes(path).into()), false)),
        };
    }
    let text = &*text.to_string_lossy();
    let wrong =
        || usage("--bind", text, "is not an IP address, localhost, ADDRESS:PORT, [IPv6]:PORT, :PORT or unix:PATH");
    let (host, own_port) = split_port(text);
    let own_port = own_port.map(|port| values::port(port).map_err(|_| wrong())).transpose()?;
    let port = own_port.unwrap_or(port);
    let address = match host {
        "" if own_port.is_some() => ListenAddress::All(port),
        "localhost" => ListenAddress::Localhost(port),
        host => ListenAddress::Tcp(ip_address(host, port).ok_or_else(wrong)??),
    };
    Ok((address, own_port.is_some()))
}

/// Splits host and port; colons of an IPv6 address without brackets belong to the address.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => (host, None),
            (_, Some(port)) => (host, Some(port)),
            // Neither end nor port: no address.
            _ => (text, None),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

/// An IP address with a zone if it is link-local (RFC 4007, section 11); `None` if it is no address.
fn ip_address(text: &str, port: u16) -> Option<Result<SocketAddr, Error>> {
    let (ip, zone) = text.split_once('%').map_or((text, None), |(ip, zone)| (ip, Some(zone)));
    let scope = |zone: &str| {
        let index = zone.parse().ok().or_else(|| nix::net::if_::if_nametoindex(zone).ok());
        index.ok_or_else(|| usage("--bind", text, "names an interface that does not exist"))
    };
    match (ip.parse().ok()?, zone) {
        (IpAddr::V6(ip), None) if ip.is_unicast_link_local() => {
            Some(Err(usage("--bind", text, "requires an interface, such as fe80::1%eth0")))
        }
        (IpAddr::V6(ip), Some(zone)) => Some(scope(zone).map(|scope| SocketAddrV6::new(ip, port, 0, scope).into())),
        (IpAddr::V4(_), Some(_)) => None,
        (ip, None) => Some(Ok(SocketAddr::new(ip, port))),
    }
}

/// The source of the certificate; `None` without TLS.
pub(super) fn tls(cli: &Cli) -> Result<Option<TlsConfig>, Error> {
    match (&cli.tls_cert, &cli.tls_key, cli.tls_self_signed) {
        (Some(certificate), key, _) => {
            let key = key.as_ref().unwrap_or(certificate).clone();
            Ok(Some(TlsConfig::Files(CertificateFiles { certificate: certificate.clone(), key })))
        }
        (None, Some(key), _) => Err(usage("--tls-key", &key.to_string_lossy(), "requires --tls-cert")),
        (None, None, true) => Ok(Some(TlsConfig::SelfSigned)),
        (None, None, false) => Ok(None),
    }
}

/// Time limits and rates of connections.
pub(super) fn limits(cli: &Cli) -> Result<ConnectionLimits, Error> {
    Ok(ConnectionLimits {
        header_timeout: cli.header_timeout,
        idle_timeout: cli.idle_timeout,
        min_rate: cli.min_rate,
        max_rate: cli.limit_rate.as_deref().map(max_rate).transpose()?,
    })
}

fn max_rate(text: &str) -> Result<u64, Error> {
    values::bytes_per_second(text).map_err(|why| usage("--limit-rate", text, &why.to_string()))
}

/// The proxies whose information about clients is used.
pub(super) fn proxies(cli: &Cli) -> Result<TrustedProxies, Error> {
    let mut proxies = TrustedProxies { proxy_protocol: cli.proxy_protocol, ..TrustedProxies::default() };
    for text in &cli.trust_proxy {
        match text.as_str() {
            "unix" => proxies.unix_sockets = true,
            text => {
                let why = |error: CidrParseError| usage("--trust-proxy", text, &error.to_string());
                proxies.networks.push(text.parse().map_err(why)?);
            }
        }
    }
    Ok(proxies)
}

fn workers(count: usize) -> Result<usize, Error> {
    if count > MAX_WORKERS {
        let why = format!("must be at most {MAX_WORKERS}; more workers than cores are of no use");
        return Err(usage("--workers", &count.to_string(), &why));
    }
    at_least_one("--workers", count)
}

/// Connections in total.
pub(super) fn max_connections(cli: &Cli) -> Result<usize, Error> {
    at_least_one("--max-connections", cli.max_connections.unwrap_or(MAX_CONNECTIONS))
}

pub(super) fn at_least_one(option: &'static str, value: usize) -> Result<usize, Error> {
    if value == 0 { Err(usage(option, "0", "must be at least 1")) } else { Ok(value) }
}

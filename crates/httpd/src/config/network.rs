//! Options of sockets, TLS, limits and proxies.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use common::{Error, values};

use super::{TlsConfig, usage};
use crate::cli::{self, Cli};
use crate::connection::ConnectionLimits;
use crate::net::listener::{Bind, ListenConfig};
use crate::net::trusted_proxies::TrustedProxies;
use crate::proto::cidr::CidrParseError;
use crate::tls::CertificateFiles;

/// Where the server listens.
pub(super) fn listen(cli: &Cli, has_tls: bool) -> Result<ListenConfig, Error> {
    if let (Some(port), false) = (cli.redirect_http, has_tls) {
        return Err(usage("--redirect-http", &port.to_string(), "requires --tls-cert or --tls-self-signed"));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(ListenConfig {
        addresses: cli.bind.iter().map(|text| bind_address(text, cli.port)).collect::<Result<_, _>>()?,
        port: cli.port,
        socket_mode: cli.socket_mode,
        workers: cli.workers.map_or(Ok(cores), |workers| at_least_one("--workers", workers))?,
        tls: has_tls,
        redirect: cli.redirect_http,
    })
}

fn bind_address(text: &OsStr, port: u16) -> Result<Bind, Error> {
    if let Some(path) = text.as_bytes().strip_prefix(b"unix:") {
        return match path {
            [] => Err(usage("--bind", "unix:", "needs a path after the colon")),
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
        header_timeout: Duration::from_secs(cli.header_timeout.into()),
        idle_timeout: Duration::from_secs(cli.idle_timeout.into()),
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

pub(super) fn at_least_one(option: &'static str, value: usize) -> Result<usize, Error> {
    if value == 0 { Err(usage(option, "0", "must be at least 1")) } else { Ok(value) }
}

//! The options of proxies: the proxy to connect through, and the PROXY protocol.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};
use common::Error;

use super::usage;
use crate::cli::{ProxyProtocol, ServerArgs};
use crate::net::address::Peer;
use crate::net::proxy::{Proxy, ProxyAddress};
use crate::net::transport::ProxyHeader;
use crate::proto::proxy::Scheme;
use crate::proto::proxy::header::Version;
use crate::secret::{Fallback, Secret, SecretSource};

/// The proxy, with its password if it will be `asked`.
pub(super) fn proxy(args: &ServerArgs, peer: Option<&Peer>, asked: bool) -> Result<Option<Proxy>> {
    let given = args.proxy_password_file.is_some() || args.proxy_password_command.is_some();
    let Some(typed) = &args.proxy else {
        ensure!(!given, usage("--proxy-password-...", "requires --proxy"));
        return Ok(None);
    };
    ensure!(!matches!(peer, Some(Peer::Unix(_))), usage("--proxy", "cannot be combined with a unix socket"));
    // The value may contain a password: it is not part of the error.
    let address = ProxyAddress::parse(typed).map_err(|error| Error::usage("--proxy", error))?;
    let Some(user) = &address.user else {
        ensure!(!given, usage("--proxy-password-...", "requires a user in --proxy"));
        return Ok(Some(Proxy { address, secret: None }));
    };
    ensure!(
        address.scheme == Scheme::Socks5 || !user.contains(':'),
        usage("--proxy", "a colon cannot be part of a user's name in HTTP")
    );
    let secret = if asked { Some(secret(args, user, &address.at.host)?) } else { None };
    Ok(Some(Proxy { address, secret }))
}

/// Reads the password for the proxy from the source that an option names, else from the environment, ~/.netrc or a
/// prompt.
fn secret(args: &ServerArgs, user: &str, host: &str) -> Result<Secret, Error> {
    if let Some(path) = &args.proxy_password_file {
        return SecretSource::File(path).read("--proxy-password-file");
    }
    if let Some(command) = &args.proxy_password_command {
        return SecretSource::Command(command).read("--proxy-password-command");
    }
    Fallback::proxy().obtain(user, host, &format!("{user} at the proxy {host}"))
}

/// The header of the PROXY protocol, if one is sent.
pub(super) fn header(args: &ServerArgs, peer: Option<&Peer>) -> Result<Option<ProxyHeader>> {
    let Some(version) = args.proxy_protocol else {
        ensure!(args.proxy_client.is_none(), usage("--proxy-client", "requires --proxy-protocol"));
        return Ok(None);
    };
    ensure!(!matches!(peer, Some(Peer::Unix(_))), usage("--proxy-protocol", "cannot be combined with a unix socket"));
    let version = match version {
        ProxyProtocol::V1 => Version::V1,
        ProxyProtocol::V2 => Version::V2,
    };
    let client = args.proxy_client.as_deref().map(|typed| {
        let why = "write an IP address, or one with a port: 192.0.2.1:4000, [2001:db8::1]:4000";
        client(typed).ok_or_else(|| Error::value("--proxy-client", typed, why))
    });
    Ok(Some(ProxyHeader { version, client: client.transpose()? }))
}

fn client(typed: &str) -> Option<SocketAddr> {
    let alone = typed.parse().ok().map(|address: IpAddr| SocketAddr::new(address, 0));
    alone.or_else(|| typed.parse().ok())
}

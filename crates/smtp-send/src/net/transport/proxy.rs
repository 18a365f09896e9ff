//! The handshake with a proxy, within one deadline.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use common::{Error, Kind};

use super::deadline_stream::DeadlineStream;
use super::{Limits, READ_BLOCK, seconds};
use crate::exit_code::PROTOCOL;
use crate::net::address::HostPort;
use crate::net::proxy::Proxy;
use crate::proto::proxy::{ProxyError, ProxyHandshake, ProxyStep, TunnelTarget};

/// Time limit of the handshake. The proxy connects meanwhile, and gives up after a minute or two.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Asks `proxy`, at the other end of `stream`, for a tunnel to `server`. Returns the bytes that were received through
/// it already.
pub(super) fn tunnel(
    stream: &mut DeadlineStream,
    proxy: &Proxy,
    server: &HostPort,
    limits: Limits,
) -> Result<Vec<u8>, Error> {
    let refused = |refusal: ProxyError| Error::new(kind_of(&refusal), "proxy", &proxy.address, refusal);
    stream.until = limits.until(TIMEOUT);
    let allowed = stream.until.saturating_duration_since(Instant::now());
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::TimedOut => {
            let why = format!("no connection to {server} within {}", seconds(allowed));
            Error::new(Kind::Temporary, "proxy", &proxy.address, why)
        }
        _ => Error::io("proxy", &proxy.address, error).with_kind(Kind::Temporary),
    };
    let scheme = proxy.address.scheme;
    let target = TunnelTarget { host: &server.host, port: server.port };
    let (mut handshake, first) = ProxyHandshake::begin(scheme, target, proxy.identity()).map_err(refused)?;
    stream.write_all(&first).map_err(failed)?;
    let mut input = Vec::new();
    let mut block = [0; READ_BLOCK];
    loop {
        let (taken, step) = handshake.take(&input).map_err(refused)?;
        input.drain(..taken);
        match step {
            ProxyStep::Write(bytes) => stream.write_all(&bytes).map_err(failed)?,
            ProxyStep::Done => return Ok(input),
            ProxyStep::Read => match stream.read(&mut block) {
                Ok(0) => {
                    let why = format!("it closed the connection instead of connecting to {server}");
                    return Err(Error::new(Kind::Temporary, "proxy", &proxy.address, why));
                }
                Ok(length) => input.extend_from_slice(&block[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            },
        }
    }
}

fn kind_of(refusal: &ProxyError) -> Kind {
    match refusal {
        ProxyError::LoginWanted(_) | ProxyError::NoMethod | ProxyError::LoginRefused(_) | ProxyError::Forbidden(_) => {
            Kind::Denied
        }
        ProxyError::Unreachable(_) => Kind::Temporary,
        ProxyError::Unable(_) | ProxyError::Foreign(..) => PROTOCOL,
        ProxyError::Unspeakable(_) => Kind::Config,
    }
}

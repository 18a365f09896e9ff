//! The way through a proxy: the conversation with it, held over a connection to it, within one deadline.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use common::{Failure, Kind};

use super::deadline_stream::Timed;
use super::{Limits, READ_BLOCK, seconds};
use crate::net::address::HostPort;
use crate::net::proxy::Proxy;
use crate::proto::proxy::{Dialogue, Refusal, Step, Target};

/// For the whole conversation. The proxy has to connect meanwhile, and gives up after a minute or two itself.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Asks `proxy`, at the other end of `timed`, for a tunnel to `server`. Gives what has come through it already.
pub(super) fn tunnel(timed: &mut Timed, proxy: &Proxy, server: &HostPort, limits: Limits) -> Result<Vec<u8>, Failure> {
    let refused = |refusal: Refusal| Failure::new(kind_of(&refusal), "proxy", &proxy.address, refusal);
    timed.until = limits.until(TIMEOUT);
    let allowed = timed.until.saturating_duration_since(Instant::now());
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::TimedOut => {
            let why = format!("no connection to {server} within {}", seconds(allowed));
            Failure::new(Kind::Temporary, "proxy", &proxy.address, why)
        }
        _ => Failure::io("proxy", &proxy.address, error).with_kind(Kind::Temporary),
    };
    let scheme = proxy.address.scheme;
    let target = Target { host: &server.host, port: server.port };
    let (mut dialogue, first) = Dialogue::begin(scheme, target, proxy.identity()).map_err(refused)?;
    timed.write_all(&first).map_err(failed)?;
    let mut input = Vec::new();
    let mut block = [0; READ_BLOCK];
    loop {
        let (taken, step) = dialogue.take(&input).map_err(refused)?;
        input.drain(..taken);
        match step {
            Step::Write(bytes) => timed.write_all(&bytes).map_err(failed)?,
            Step::Done => return Ok(input),
            Step::Read => match timed.read(&mut block) {
                Ok(0) => {
                    let why = format!("it closed the connection instead of connecting to {server}");
                    return Err(Failure::new(Kind::Temporary, "proxy", &proxy.address, why));
                }
                Ok(length) => input.extend_from_slice(&block[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            },
        }
    }
}

fn kind_of(refusal: &Refusal) -> Kind {
    match refusal {
        Refusal::LoginWanted(_) | Refusal::NoMethod | Refusal::LoginRefused(_) | Refusal::Forbidden(_) => Kind::Denied,
        Refusal::Unreachable(_) => Kind::Temporary,
        Refusal::Unable(_) | Refusal::Foreign(..) => Kind::Protocol,
        Refusal::Unspeakable(_) => Kind::Config,
    }
}

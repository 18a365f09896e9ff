//! Name resolution: names to addresses before the first probe, addresses to names for reply lines.
//!
//! Forward look-ups use getaddrinfo of the C library (RFC 6724, hosts file, search list). Later look-ups run in
//! threads, so that a slow server delays nothing. Names from DNS are escaped where they are printed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use common::{Error, Kind};
use dns_lookup::{AddrInfoHints, LookupErrorKind};
use nix::libc;

use crate::config::Config;
use crate::family::Family;

/// How long the first line with an address waits for its name: enough for a hosts file, too short to notice.
const NAME_TIMEOUT: Duration = Duration::from_millis(3);
/// Maximum number of addresses whose names are looked up: the number of senders is not limited by this host.
const REMEMBERED: usize = 64;
/// `NI_NAMEREQD`: an address without a name is an error.
const NAME_REQUIRED: i32 = libc::NI_NAMEREQD;

/// An address to ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Address with port 0, and the scope of a link-local one.
    pub(crate) address: SocketAddr,
    /// The canonical name, or the argument.
    pub(crate) name: String,
    /// Whether an address was given instead of a name.
    pub(crate) is_literal: bool,
}

/// All addresses of `host`, in the order to try them.
pub(crate) fn addresses(host: &str, family: Option<Family>) -> Result<Vec<Target>, Error> {
    let literal = literal(host);
    if let Some(address) = literal {
        let fits = family.is_none_or(|family| family.is_of(address.ip()));
        return if fits {
            Ok(vec![Target { address, name: host.to_owned(), is_literal: true }])
        } else {
            Err(wrong_family(host))
        };
    }
    let ascii = ascii_name(host)?;
    let hints = AddrInfoHints {
        flags: libc::AI_CANONNAME,
        address: match family {
            None => libc::AF_UNSPEC,
            Some(Family::V4) => libc::AF_INET,
            Some(Family::V6) => libc::AF_INET6,
        },
        socktype: libc::SOCK_DGRAM,
        protocol: 0,
    };
    let found = dns_lookup::getaddrinfo(Some(&ascii), None, Some(hints)).map_err(|error| {
        let kind = match error.kind() {
            // The name exists, without an address of this family.
            _ if family.is_some() && has_address(&ascii) => return wrong_family(host),
            LookupErrorKind::Again => Kind::Temporary,
            _ => Kind::UnknownHost,
        };
        let text = io::Error::from(error).to_string();
        let reason = text.rsplit(": ").next().unwrap_or_default().to_owned();
        // As in iputils, the empty name is shown too.
        let reason = if host.is_empty() { format!(": {reason}") } else { reason };
        Error::new(kind, "", host, reason)
    })?;
    let mut canonical = None;
    let mut targets = Vec::new();
    for info in found {
        let info = info.map_err(|cause| Error::io("resolve", host, cause))?;
        // The C library returns the canonical name with the first address only.
        canonical = canonical.or(info.canonname);
        let name = match &canonical {
            // The canonical name is in ASCII.
            Some(name) if host.is_ascii() => name.clone(),
            Some(name) => idna::domain_to_unicode(name).0,
            None => host.to_owned(),
        };
        targets.push(Target { address: info.sockaddr, name, is_literal: false });
    }
    Ok(targets)
}

fn wrong_family(host: &str) -> Error {
    Error::new(Kind::UnknownHost, "", host, "Address family for hostname not supported")
}

/// Whether the name has an address of any family.
fn has_address(host: &str) -> bool {
    let hints = AddrInfoHints { socktype: libc::SOCK_DGRAM, ..AddrInfoHints::default() };
    dns_lookup::getaddrinfo(Some(host), None, Some(hints)).is_ok_and(|mut found| found.any(|info| info.is_ok()))
}

/// The name for the resolver: an internationalized name in its ASCII form (RFC 5891, section 4).
fn ascii_name(host: &str) -> Result<Cow<'_, str>, Error> {
    if host.is_ascii() {
        return Ok(Cow::Borrowed(host));
    }
    let ascii = idna::domain_to_ascii(host);
    ascii.map(Cow::Owned).map_err(|_| Error::new(Kind::UnknownHost, "", host, "not a valid domain name"))
}

/// An address argument; IPv6 may name its interface, `fe80::1%eth0`.
pub(crate) fn literal(host: &str) -> Option<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(match address {
            IpAddr::V4(v4) => SocketAddrV4::new(v4, 0).into(),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, 0).into(),
        });
    }
    let (address, zone) = host.split_once('%')?;
    let scope = zone.parse().ok().or_else(|| nix::net::if_::if_nametoindex(zone).ok())?;
    Some(SocketAddrV6::new(address.parse::<Ipv6Addr>().ok()?, 0, 0, scope).into())
}

/// Names of the addresses that reply.
#[derive(Debug)]
pub(crate) struct Names {
    numeric: bool,
    known: HashMap<IpAddr, Lookup>,
}

#[derive(Debug)]
enum Lookup {
    /// Receives the result; the first query waits this long.
    Running(Receiver<Option<String>>, Duration),
    Done(Option<String>),
}

impl Names {
    /// Looks up names unless `numeric`.
    pub(crate) fn new(numeric: bool) -> Self {
        Self { numeric, known: HashMap::new() }
    }

    /// Starts the look-up of the name of `address`.
    pub(crate) fn prepare(&mut self, address: IpAddr) {
        if !self.numeric && self.known.len() < REMEMBERED {
            self.known.entry(address).or_insert_with(|| start_lookup(address));
        }
    }

    /// The name of `address` if it is known: within 3 ms at the first call, at once later.
    pub(crate) fn name(&mut self, address: IpAddr) -> Option<&str> {
        self.prepare(address);
        let lookup = self.known.get_mut(&address)?;
        if let Lookup::Running(answer, timeout) = lookup {
            match answer.recv_timeout(std::mem::take(timeout)) {
                Ok(name) => *lookup = Lookup::Done(name),
                Err(mpsc::RecvTimeoutError::Disconnected) => *lookup = Lookup::Done(None),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
        match lookup {
            Lookup::Done(Some(name)) => Some(name),
            Lookup::Done(None) | Lookup::Running(..) => None,
        }
    }
}

fn start_lookup(address: IpAddr) -> Lookup {
    let (sender, receiver) = mpsc::channel();
    let look_up = move || {
        let name = dns_lookup::getnameinfo(&SocketAddr::new(address, 0), NAME_REQUIRED).ok().map(|(name, _)| name);
        // The receiver is gone when the run is over.
        let _ = sender.send(name);
    };
    match thread::Builder::new().name("reverse-name".to_owned()).spawn(look_up) {
        Ok(_) => Lookup::Running(receiver, NAME_TIMEOUT),
        // Without a thread names are left out.
        Err(_) => Lookup::Done(None),
    }
}

/// Re-resolves the name of the target periodically.
pub(crate) struct Reresolver {
    host: String,
    family: Family,
    present: IpAddr,
    period: Duration,
    /// When the next look-up starts.
    next: Instant,
    running: Option<Receiver<Vec<Target>>>,
}

impl Reresolver {
    /// Starts with `present` as the current address of the destination.
    pub(crate) fn new(config: &Config, present: IpAddr, period: Duration) -> Self {
        let family = Family::of(present);
        let host = config.destination.clone();
        Self { host, family, present, period, next: Instant::now() + period, running: None }
    }

    /// The new address if it changed. Never blocks; a failed look-up changes nothing.
    pub(crate) fn moved(&mut self, now: Instant) -> Option<SocketAddr> {
        match self.running.as_ref().map(Receiver::try_recv) {
            Some(Err(mpsc::TryRecvError::Empty)) => return None,
            Some(Ok(targets)) => {
                self.running = None;
                let mut addresses = targets.iter().map(|target| target.address);
                let first = addresses.clone().next()?;
                if addresses.all(|address| address.ip() != self.present) {
                    self.present = first.ip();
                    return Some(first);
                }
            }
            Some(Err(mpsc::TryRecvError::Disconnected)) => self.running = None,
            None => {}
        }
        if now >= self.next {
            self.next = now + self.period;
            self.start();
        }
        None
    }

    fn start(&mut self) {
        let (sender, receiver) = mpsc::channel();
        let (host, family) = (self.host.clone(), self.family);
        let look_up = move || {
            if let Ok(targets) = addresses(&host, Some(family)) {
                // The receiver is gone when the run is over.
                let _ = sender.send(targets);
            }
        };
        if thread::Builder::new().name("forward-name".to_owned()).spawn(look_up).is_ok() {
            self.running = Some(receiver);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_taken_as_it_is_and_must_fit_the_family() {
        let one = addresses("127.0.0.1", None).unwrap();
        assert_eq!((one.len(), one[0].name.as_str(), one[0].is_literal), (1, "127.0.0.1", true));
        assert!(addresses("::1", Some(Family::V4)).is_err());
        assert_eq!(
            addresses("::1%7", None).unwrap()[0].address,
            SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 7).into()
        );
    }

    #[test]
    fn the_loopback_address_has_a_name_unless_numbers_are_wanted() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(Names::new(true).name(loopback), None);
        let mut names = Names::new(false);
        names.name(loopback);
        assert_eq!(names.known.len(), 1);
    }
}

//! The name servers to ask: those of the command line, else those of resolv.conf(5).

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use nix::net::if_::if_nametoindex;

use super::is_local;

/// Port of name servers.
pub const NAME_SERVER_PORT: u16 = 53;
/// The configuration of the system resolver.
const FILE: &str = "/etc/resolv.conf";
/// Most servers that are read, as in the C library.
const MAX_SERVERS: usize = 3;
/// Time limit of the first attempt at a server; it doubles for the second.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Attempts at each server.
const ATTEMPTS: u32 = 2;
/// Largest values of the file, as in the C library.
const MAX_TIMEOUT: u64 = 30;
const MAX_ATTEMPTS: u32 = 5;

/// Name servers and how they are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServers {
    list: Vec<SocketAddr>,
    timeout: Duration,
    attempts: u32,
    tcp_only: bool,
    trusted: bool,
}

/// Why a text is not a name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a name server; write ADDRESS or ADDRESS:PORT, as in 192.0.2.53, ::1 or [::1]:5353")]
pub struct NameServerError;

impl NameServers {
    /// These servers; with `trusted` their AD bit counts.
    pub fn given(list: Vec<SocketAddr>, trusted: bool) -> Self {
        let trusted = trusted || list.iter().all(is_local);
        Self { list, timeout: TIMEOUT, attempts: ATTEMPTS, tcp_only: false, trusted }
    }

    /// The servers of the system; without any, the one on this machine. For `trusted` see [`Self::given`].
    ///
    /// # Errors
    /// The file exists and cannot be read.
    pub fn of_system(trusted: bool) -> io::Result<Self> {
        let text = match fs::read(FILE) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut servers = Self::read(&text);
        servers.trusted |= trusted;
        Ok(servers)
    }

    /// Reads the text of a resolv.conf. Unknown lines are ignored, as in the C library.
    pub fn read(text: &str) -> Self {
        let (mut list, mut trust_ad) = (Vec::new(), false);
        let mut servers = Self::given(Vec::new(), false);
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if list.len() < MAX_SERVERS => {
                    list.extend(words.next().and_then(|word| address(word, NAME_SERVER_PORT)));
                }
                Some("options") => words.for_each(|word| servers.option(word, &mut trust_ad)),
                _ => {}
            }
        }
        if list.is_empty() {
            list.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), NAME_SERVER_PORT));
        }
        servers.trusted = trust_ad || list.iter().all(is_local);
        Self { list, ..servers }
    }

    fn option(&mut self, word: &str, trust_ad: &mut bool) {
        match word.split_once(':') {
            None if word == "use-vc" => self.tcp_only = true,
            None if word == "trust-ad" => *trust_ad = true,
            Some(("timeout", number)) => {
                let seconds = number.parse().map_or(self.timeout.as_secs(), |number: u64| number);
                self.timeout = Duration::from_secs(seconds.clamp(1, MAX_TIMEOUT));
            }
            Some(("attempts", number)) => {
                self.attempts = number.parse().map_or(self.attempts, |number: u32| number.clamp(1, MAX_ATTEMPTS));
            }
            _ => {}
        }
    }

    pub(super) fn list(&self) -> &[SocketAddr] {
        &self.list
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) fn tcp_only(&self) -> bool {
        self.tcp_only
    }

    /// Whether the AD bit of their answers counts.
    pub fn trusted(&self) -> bool {
        self.trusted
    }
}

/// Parses a name server: an address, in brackets if a port follows an IPv6 address.
pub fn parse(text: &str) -> Result<SocketAddr, NameServerError> {
    let typed = text.parse().ok().or_else(|| address(text, NAME_SERVER_PORT));
    let bracketed = || address(text.strip_prefix('[')?.strip_suffix(']')?, NAME_SERVER_PORT);
    typed.or_else(bracketed).filter(|server| server.port() != 0).ok_or(NameServerError)
}

/// An address, also with a zone such as `fe80::1%eth0`.
fn address(text: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, port));
    }
    let (address, zone) = text.split_once('%')?;
    let index = zone.parse().ok().or_else(|| if_nametoindex(zone).ok())?;
    Some(SocketAddrV6::new(address.parse::<Ipv6Addr>().ok()?, port, 0, index).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_options_of_resolv_conf_are_read() {
        let text = "# comment\nsearch example.com\nnameserver 192.0.2.1\nnameserver ::1 # here\nnameserver nonsense\n\
                    nameserver fe80::1%1\nnameserver 192.0.2.4\noptions edns0 timeout:1 attempts:9 use-vc\n";
        let servers = NameServers::read(text);
        let list: Vec<String> = servers.list.iter().map(ToString::to_string).collect();
        assert_eq!(list, ["192.0.2.1:53", "[::1]:53", "[fe80::1%1]:53"]);
        assert_eq!((servers.timeout.as_secs(), servers.attempts, servers.tcp_only), (1, MAX_ATTEMPTS, true));
        assert!(!servers.trusted);
    }

    #[test]
    fn without_any_the_one_on_this_machine_is_asked() {
        for text in ["", "options timeout:0 attempts:x", "nameserver"] {
            let servers = NameServers::read(text);
            assert_eq!(servers.list, ["127.0.0.1:53".parse().unwrap()], "{text}");
        }
        assert_eq!(NameServers::read("options timeout:0").timeout.as_secs(), 1);
    }

    #[test]
    fn validation_is_trusted_from_this_machine_or_with_trust_ad() {
        for (text, trusted) in [
            ("nameserver 127.0.0.53", true),
            ("nameserver ::1\nnameserver 127.0.0.1", true),
            ("nameserver 192.0.2.1", false),
            ("nameserver 127.0.0.1\nnameserver 192.0.2.1", false),
            ("nameserver 192.0.2.1\noptions trust-ad", true),
        ] {
            assert_eq!(NameServers::read(text).trusted, trusted, "{text}");
        }
        let away = || vec!["192.0.2.1:53".parse().unwrap()];
        assert!(!NameServers::given(away(), false).trusted && NameServers::given(away(), true).trusted);
    }

    #[test]
    fn a_typed_server_has_a_port_or_the_usual_one() {
        for (typed, read) in [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
        ] {
            assert_eq!(parse(typed).map(|server| server.to_string()), Ok(read.into()), "{typed}");
        }
        for wrong in ["", "ns.example.com", "192.0.2.1:0", "192.0.2.1:x", "[::1", "::1%nonsense"] {
            assert_eq!(parse(wrong), Err(NameServerError), "{wrong}");
        }
    }
}

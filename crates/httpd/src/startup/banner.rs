//! The text at the start: the served folder and its URLs.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use nix::ifaddrs::getifaddrs;

use crate::net::listener::{Bind, ListenAddress, Role};
use crate::startup::qr;

/// A URL or the address of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Url {
    pub(crate) text: String,
    pub(crate) reach: Reach,
}

/// From where a URL can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// From this machine.
    Local,
    /// From other machines as well.
    Network,
}

/// The URLs of bound addresses; an unspecified address gives localhost and all addresses of this host.
pub(crate) fn urls(bound: &[(Bind, Role)]) -> Vec<Url> {
    let mut urls = Vec::new();
    for (bind, role) in bound {
        let (scheme, default_port) = match role {
            Role::Plain => ("http", 80),
            Role::Tls => ("https", 443),
            // A redirect is no URL of the site.
            Role::Redirect(_) => continue,
        };
        let Bind::Tcp(address) = bind else {
            urls.push(Url { text: bind.to_string(), reach: Reach::Local });
            continue;
        };
        let port = if address.port() == default_port { String::new() } else { format!(":{}", address.port()) };
        let url = |host: &str| format!("{scheme}://{host}{port}/");
        let of_ip = |ip: SocketAddr| {
            let host = ip.to_string();
            let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _)| host);
            Url { text: url(host), reach: if ip.ip().is_loopback() { Reach::Local } else { Reach::Network } }
        };
        if !address.ip().is_unspecified() {
            urls.push(of_ip(*address));
            continue;
        }
        urls.push(Url { text: url("localhost"), reach: Reach::Local });
        let own = own_addresses().into_iter().filter(|own| own.is_ipv4() || address.is_ipv6());
        urls.extend(own.map(|own| of_ip(SocketAddr::new(own, address.port()))));
    }
    // 0.0.0.0 and :: both give the IPv4 addresses.
    let mut seen = std::collections::HashSet::new();
    urls.retain(|url| seen.insert(url.clone()));
    urls
}

/// Names and addresses of this host for a certificate, including the configured addresses.
pub(crate) fn own_names(wanted: &[ListenAddress]) -> (Vec<String>, Vec<IpAddr>) {
    let mut names = vec!["localhost".to_owned()];
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    names.extend(host.filter(|host| !host.is_empty() && host != "localhost"));
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    addresses.extend(own_addresses());
    addresses.extend(wanted.iter().filter_map(|bind| match bind {
        ListenAddress::Tcp(address) if !address.ip().is_unspecified() => Some(address.ip()),
        _ => None,
    }));
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    (names, addresses)
}

/// The QR code and text of the first URL that other machines can reach, or why there is none.
pub(crate) fn qr(urls: &[Url]) -> String {
    match urls.iter().find(|url| url.reach == Reach::Network) {
        Some(Url { text, .. }) => match qr::code(text) {
            Some(code) => format!("\n{code}    {text}\n"),
            None => format!("\n  No QR code: {text} is too long.\n"),
        },
        None => "\n  No QR code: only this machine can reach these addresses.\n".to_owned(),
    }
}

/// The banner for a terminal.
pub(crate) fn banner(
    root: &Path,
    urls: &[Url],
    fingerprint: Option<&str>,
    moved_from: Option<u16>,
    color: bool,
) -> String {
    let (bold, dim, off) = if color { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let mut text =
        format!("\n  {bold}httpd{off} serves {bold}{}{off}\n\n", common::SafeText(root.as_os_str().as_encoded_bytes()));
    for Url { text: url, reach } in urls {
        let label = if *reach == Reach::Local { "Local" } else { "Network" };
        let _ = writeln!(text, "    {label:<8} {url}");
    }
    if let Some(fingerprint) = fingerprint {
        // Two lines, because it is wider than a terminal.
        let (first, second) = fingerprint.split_at(fingerprint.len().min(48));
        let _ = writeln!(text, "\n  self-signed certificate; SHA-256:\n    {first}\n    {second}");
    }
    if let Some(port) = moved_from {
        let _ = writeln!(text, "\n  Port {port} is in use, so this is the next free one.");
    }
    let _ = writeln!(text, "\n  {dim}Press Ctrl-C to stop.{off}\n");
    text
}

/// The addresses of the interfaces except loopback and link-local IPv6, which needs a zone.
fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let ip = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    let is_useful = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_loopback(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    };
    interfaces.filter_map(ip).filter(is_useful).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(text: &str) -> (Bind, Role) {
        (Bind::Tcp(text.parse().unwrap()), Role::Plain)
    }

    fn texts(bound: &[(Bind, Role)]) -> Vec<String> {
        urls(bound).into_iter().map(|url| url.text).collect()
    }

    #[test]
    fn a_bound_address_is_its_own_url_without_the_default_port() {
        assert_eq!(texts(&[(Bind::Unix("/run/x".into()), Role::Plain)]), ["unix:/run/x"]);
        assert_eq!(texts(&[tcp("[::1]:80")]), ["http://[::1]/"]);
        assert_eq!(texts(&[tcp("127.0.0.1:6789")]), ["http://127.0.0.1:6789/"]);
        assert_eq!(texts(&[(tcp("192.0.2.1:443").0, Role::Tls)]), ["https://192.0.2.1/"]);
        assert_eq!(texts(&[(tcp("192.0.2.1:80").0, Role::Tls)]), ["https://192.0.2.1:80/"]);
        assert_eq!(texts(&[tcp("[fe80::1%3]:8080")]), ["http://[fe80::1%3]:8080/"]);
    }

    #[test]
    fn all_addresses_begin_with_localhost() {
        assert_eq!(texts(&[tcp("[::]:6789")])[0], "http://localhost:6789/");
        assert_eq!(texts(&[tcp("0.0.0.0:80")])[0], "http://localhost/");
    }

    #[test]
    fn the_banner_names_the_folder_and_says_who_can_reach_each_url() {
        let urls = urls(&[tcp("127.0.0.1:1"), tcp("192.0.2.1:80")]);
        let text = banner(Path::new("w\x1bww"), &urls, None, Some(6789), false);
        assert!(text.contains("serves w\\x1bww\n") && text.contains("    Local    http://127.0.0.1:1/\n"), "{text}");
        assert!(text.contains("    Network  http://192.0.2.1/\n") && text.contains("Port 6789 is in use"), "{text}");
        assert!(qr(&urls).ends_with("    http://192.0.2.1/\n"));
        assert!(qr(&urls[..1]).contains("only this machine"));
    }
}

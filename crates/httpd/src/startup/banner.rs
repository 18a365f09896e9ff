//! The text at the start: the served folder and its URLs.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use nix::ifaddrs::getifaddrs;

use crate::net::listener::{Bind, Role};
use crate::startup::qr;

/// The URLs of bound addresses; an unspecified address gives localhost and all addresses of this host.
pub(crate) fn urls(bound: &[(Bind, Role)]) -> Vec<String> {
    let mut urls = Vec::new();
    for (bind, role) in bound {
        let scheme = match role {
            Role::Plain => "http",
            Role::Tls => "https",
            // A redirect is no URL of the site.
            Role::Redirect(_) => continue,
        };
        let Bind::Tcp(address) = bind else {
            urls.push(bind.to_string());
            continue;
        };
        if !address.ip().is_unspecified() {
            urls.push(url(scheme, address.ip(), address.port()));
            continue;
        }
        urls.push(format!("{scheme}://localhost:{}/", address.port()));
        let own = own_addresses().into_iter().filter(|own| own.is_ipv4() || address.is_ipv6());
        urls.extend(own.map(|own| url(scheme, own, address.port())));
    }
    // 0.0.0.0 and :: both give the IPv4 addresses.
    let mut seen = std::collections::HashSet::new();
    urls.retain(|url| seen.insert(url.clone()));
    urls
}

/// Names and addresses of this host for a certificate, including the configured addresses.
pub(crate) fn own_names(wanted: &[Bind]) -> (Vec<String>, Vec<IpAddr>) {
    let mut names = vec!["localhost".to_owned()];
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    names.extend(host.filter(|host| !host.is_empty() && host != "localhost"));
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    addresses.extend(own_addresses());
    addresses.extend(wanted.iter().filter_map(|bind| match bind {
        Bind::Tcp(address) if !address.ip().is_unspecified() => Some(address.ip()),
        _ => None,
    }));
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    (names, addresses)
}

/// The QR code and text of the first URL that other machines can reach, or why there is none.
pub(crate) fn qr(urls: &[String]) -> String {
    let reachable = |url: &&String| {
        let host = url.split_once("://").map(|(_, host)| host).unwrap_or_default();
        let is_own = ["localhost:", "127.", "[::1]"].iter().any(|own| host.starts_with(own));
        url.starts_with("http") && !is_own
    };
    match urls.iter().find(reachable) {
        Some(url) => match qr::code(url) {
            Some(code) => format!("{code}    {url}\n\n"),
            None => format!("  No QR code: {url} is too long.\n\n"),
        },
        None => "  No QR code: only this machine can reach these addresses.\n\n".to_owned(),
    }
}

/// The banner for a terminal.
pub(crate) fn banner(root: &Path, urls: &[String], fingerprint: Option<&str>, color: bool) -> String {
    let (bold, dim, off) = if color { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let mut text =
        format!("\n  {bold}httpd{off} serves {bold}{}{off}\n\n", common::SafeText(root.as_os_str().as_encoded_bytes()));
    for url in urls {
        let _ = writeln!(text, "    {url}");
    }
    if let Some(fingerprint) = fingerprint {
        // Two lines, because it is wider than a terminal.
        let (first, second) = fingerprint.split_at(fingerprint.len().min(48));
        let _ = writeln!(text, "\n  self-signed certificate; SHA-256:\n    {first}\n    {second}");
    }
    let _ = writeln!(text, "\n  {dim}Press Ctrl-C to stop.{off}\n");
    text
}

fn url(scheme: &str, ip: IpAddr, port: u16) -> String {
    format!("{scheme}://{}/", SocketAddr::new(ip, port))
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

    #[test]
    fn a_bound_address_is_its_own_url() {
        assert_eq!(urls(&[(Bind::Unix("/run/x".into()), Role::Plain)]), ["unix:/run/x"]);
        assert_eq!(urls(&[tcp("[::1]:80")]), ["http://[::1]:80/"]);
        assert_eq!(urls(&[tcp("127.0.0.1:6789")]), ["http://127.0.0.1:6789/"]);
    }

    #[test]
    fn all_addresses_begin_with_localhost() {
        assert_eq!(urls(&[tcp("[::]:6789")])[0], "http://localhost:6789/");
    }

    #[test]
    fn the_banner_names_the_folder_and_the_urls() {
        let text = banner(Path::new("w\x1bww"), &["http://localhost:1/".to_owned()], None, false);
        assert!(text.contains("serves w\\x1bww\n") && text.contains("    http://localhost:1/\n"), "{text}");
    }
}

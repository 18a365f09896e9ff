//! Hosts, routers and loss in network namespaces. Each test makes its network, or is skipped.

use std::process::Command;

use testkit::netns::Network;
use testkit::process::{Finished, Running, finish};

use super::without_times;

fn network(hosts: &[&str]) -> Option<Network> {
    Network::new(hosts).inspect_err(testkit::skip).ok()
}

fn ping_in(network: &Network, host: &str, words: &str) -> Finished {
    finish(command_in(network, host, words).arg("-n"), b"")
}

fn command_in(network: &Network, host: &str, words: &str) -> Command {
    let mut command = network.command(host, env!("CARGO_BIN_EXE_ping"));
    command.args(words.split_whitespace());
    command
}

/// Two connected hosts whose address resolution gives up after 0.3 s.
fn pair() -> Option<Network> {
    let network = network(&["a", "b"])?;
    network.link(("a", "10.0.0.1/24"), ("b", "10.0.0.2/24"));
    network.set("a", "net/ipv4/neigh/to-b/retrans_time_ms", "100");
    Some(network)
}

/// Two hosts with a router between them; the router answers every expired packet.
fn routed() -> Option<Network> {
    let network = network(&["a", "r", "b"])?;
    network.link(("a", "10.0.1.2/24"), ("r", "10.0.1.1/24"));
    network.link(("r", "10.0.2.1/24"), ("b", "10.0.2.2/24"));
    network.ip("a", "-6 addr add fd00:1::2/64 dev to-r nodad");
    network.ip("r", "-6 addr add fd00:1::1/64 dev to-a nodad");
    network.ip("a", "route add default via 10.0.1.1");
    network.ip("a", "-6 route add default via fd00:1::1");
    network.ip("b", "route add default via 10.0.2.1");
    network.set("r", "net/ipv4/ip_forward", "1");
    network.set("r", "net/ipv6/conf/all/forwarding", "1");
    network.set("r", "net/ipv4/icmp_ratelimit", "0");
    network.set("r", "net/ipv6/icmp/ratelimit", "0");
    Some(network)
}

#[test]
fn a_router_reports_that_the_time_to_live_is_exceeded() {
    let Some(network) = routed() else { return };
    let finished = ping_in(&network, "a", "-t 1 -c 2 -i 0.01 10.0.2.2");
    let text = without_times(&finished.stdout);
    assert!(text.contains("\nFrom 10.0.1.1 icmp_seq=1 Time to live exceeded\n"), "{text}");
    assert!(text.contains("\nFrom 10.0.1.1 icmp_seq=2 Time to live exceeded\n"), "{text}");
    assert!(text.contains("\n2 packets transmitted, 0 received, +2 errors, 100% packet loss, time TIME\n"), "{text}");
    assert_eq!((finished.code(), finished.stderr.as_str()), (1, ""));
}

#[test]
fn the_time_to_live_shown_is_that_of_the_reply() {
    let Some(network) = routed() else { return };
    let finished = ping_in(&network, "a", "-c 1 10.0.2.2");
    assert!(finished.stdout.contains("64 bytes from 10.0.2.2: icmp_seq=1 ttl=63 time="), "{finished:?}");
}

#[test]
fn a_router_without_a_route_is_shown_with_its_reason() {
    let Some(network) = routed() else { return };
    let finished = ping_in(&network, "a", "-c 1 192.0.2.1");
    assert!(finished.stdout.contains("\nFrom 10.0.1.1 icmp_seq=1 Destination Net Unreachable\n"), "{finished:?}");
    let finished = ping_in(&network, "a", "-c 1 2001:db8::1");
    let line = "\nFrom fd00:1::1 icmp_seq=1 Destination unreachable: No route\n";
    assert!(finished.stdout.contains(line), "{finished:?}");
}

#[test]
fn an_absent_host_is_unreachable_and_the_next_probe_is_sent() {
    let Some(network) = pair() else { return };
    let finished = ping_in(&network, "a", "-c 3 -i 0.2 10.0.0.9");
    for sequence in 1..=3 {
        let line = format!("\nFrom 10.0.0.1 icmp_seq={sequence} Destination Host Unreachable\n");
        assert!(finished.stdout.contains(&line), "{finished:?}");
    }
    assert!(finished.stdout.contains("3 packets transmitted, 0 received, +3 errors, 100% packet loss"));
    assert!(finished.stdout.contains("\npipe "), "{finished:?}");
    assert_eq!((finished.code(), finished.stderr.as_str()), (1, ""));
}

#[test]
fn without_any_route_nothing_is_sent() {
    let Some(network) = network(&["a"]) else { return };
    let finished = ping_in(&network, "a", "-c 1 192.0.2.1");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""));
    assert_eq!(finished.stderr, "ping: connect: Network is unreachable\n");
}

#[test]
fn a_link_local_address_takes_its_interface_from_the_target_the_source_or_the_option() {
    let Some(network) = pair() else { return };
    for (host, address) in [("a", "fe80::a"), ("b", "fe80::b")] {
        let peer = if host == "a" { "b" } else { "a" };
        network.ip(host, &format!("-6 addr add {address}/64 dev to-{peer} nodad"));
    }
    for words in ["fe80::b%to-b", "-I to-b fe80::b", "-I fe80::a%to-b fe80::b", "-I fe80::a fe80::b%to-b"] {
        let finished = ping_in(&network, "a", &format!("-c 1 -w 2 {words}"));
        assert!(finished.stdout.contains("64 bytes from fe80::b%to-b: icmp_seq=1 "), "{words}: {finished:?}");
    }
    let finished = ping_in(&network, "a", "-c 1 -I fe80::a%to-b fe80::b");
    assert!(
        finished.stdout.starts_with("PING fe80::b(fe80::b) from fe80::a%to-b to-b: 56 data bytes\n"),
        "{finished:?}"
    );
    let finished = ping_in(&network, "a", "-c 1 fe80::b");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""));
    let line = "ping: fe80::b: a link-local address; add the interface: fe80::b%INTERFACE or -I INTERFACE\n";
    assert_eq!(finished.stderr, line);
}

#[test]
fn every_second_probe_lost_is_reported_at_once_and_counted() {
    let Some(network) = pair() else { return };
    let rules = "table ip t { chain c { type filter hook input priority 0; \
                 icmp type echo-request numgen inc mod 2 1 drop; }; }";
    let filter = finish(network.command("b", "nft").arg("-f").arg("-"), rules.as_bytes());
    if !filter.status.success() {
        return testkit::skip(&format!("no nft: {}", filter.stderr));
    }
    let finished = ping_in(&network, "a", "-c 4 -i 0.05 -W 0.3 10.0.0.2");
    assert_eq!(finished.stdout.matches("no answer yet for icmp_seq=").count(), 2, "{finished:?}");
    assert!(finished.stdout.contains("\n4 packets transmitted, 2 received, 50% packet loss, "), "{finished:?}");
    assert_eq!(finished.code(), 0);
}

#[test]
fn a_late_reply_is_shown_and_address_resolution_stays_out_of_its_time() {
    let Some(network) = pair() else { return };
    network.set("a", "net/ipv4/neigh/to-b/mcast_solicit", "50");
    network.ip("b", "addr del 10.0.0.2/24 dev to-a");
    let running = Running::start(command_in(&network, "a", "-n -c 2 -i 1 -W 0.3 10.0.0.2").arg("-v"));
    running.wait_for_stdout(|text| text.contains("no answer yet for icmp_seq=1\n").then_some(()));
    network.ip("b", "addr add 10.0.0.2/24 dev to-a");
    let finished = running.finish();
    let late = finished.stdout.lines().find(|line| line.contains("icmp_seq=1 ident=")).expect(&finished.stdout);
    let time: f64 = late.split_once("time=").unwrap().1.strip_suffix(" ms").unwrap().parse().unwrap();
    assert!(time < 100.0, "{late}");
    assert!(finished.stdout.contains("2 packets transmitted, 2 received, 0% packet loss"), "{finished:?}");
}

#[test]
fn a_link_that_goes_down_and_up_does_not_end_the_run() {
    let Some(network) = pair() else { return };
    let running = Running::start(&mut command_in(&network, "a", "-n -i 0.05 10.0.0.2"));
    running.wait_for_stdout(|text| text.contains("icmp_seq=2 ").then_some(()));
    network.ip("a", "link set to-b down");
    running.wait_for_stderr(|text| text.contains("ping: sendmsg: Network is unreachable\n").then_some(()));
    let seen = running.stdout().matches(" bytes from").count();
    network.ip("a", "link set to-b up");
    running.wait_for_stdout(|text| (text.matches(" bytes from").count() > seen + 1).then_some(()));
    running.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(running.finish().code(), 0);
}

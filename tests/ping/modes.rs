//! Ways of sending and of ending other than one probe a second: flood, adaptive, broadcast, options in the header, flow
//! labels, `--until-up`, `--until-down`, `--resolve-every`, `--graph` without a terminal, `--color`.

use std::fs;
use std::time::{Duration, Instant};

use testkit::netns::Network;
use testkit::process::{Finished, Running, finish};

use super::{can_reach, ping, run_ping, without_times};

/// Two hosts side by side.
fn pair() -> Option<Network> {
    let network = Network::new(&["a", "b"]).inspect_err(testkit::skip).ok()?;
    network.link(("a", "10.0.0.1/24"), ("b", "10.0.0.2/24"));
    Some(network)
}

fn ping_in(network: &Network, words: &str) -> Finished {
    finish(network.command("a", env!("CARGO_BIN_EXE_ping")).args(words.split_whitespace()), b"")
}

#[test]
fn a_flood_erases_each_dot_and_loses_nothing() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let finished = run_ping("-f -c 5000 127.0.0.1");
    let dots = finished.stdout.lines().nth(1).unwrap();
    assert_eq!((dots.matches('.').count(), dots.matches("\x08 \x08").count()), (5000, 5000));
    assert!(finished.stdout.contains("\n5000 packets transmitted, 5000 received, 0% packet loss"), "{finished:?}");
    let times = finished.stdout.lines().last().unwrap();
    assert!(times.starts_with("rtt min/avg/max/mdev = ") && times.contains(", ipg/ewma "), "{times}");
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
}

#[test]
fn a_flood_continues_after_65535_probes() {
    if !can_reach("::1") {
        return;
    }
    let finished = run_ping("-f -q --stats full -c 70000 ::1");
    assert!(finished.stdout.contains("\n70000 packets transmitted, 70000 received, 0% packet loss"), "{finished:?}");
    assert!(finished.stdout.contains("\nlost 0, in flight 0, late 0, duplicate 0, reordered 0, corrupt 0, foreign 0,"));
}

#[test]
fn a_flood_of_large_packets_loses_nothing() {
    if !can_reach("127.0.0.1") {
        return;
    }
    for words in ["", "-l 64"] {
        let finished = run_ping(&format!("-f -q {words} -s 60000 -c 200 127.0.0.1"));
        assert!(finished.stdout.contains("\n200 packets transmitted, 200 received, 0% packet loss"), "{finished:?}");
    }
}

#[test]
fn a_flood_without_replies_sends_100_probes_per_second() {
    let Some(network) = pair() else { return };
    network.ip("a", "neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev to-b");
    let finished = ping_in(&network, "-f -q -l 1 -w 0.5 10.0.0.9");
    let transmitted: u32 = finished.stdout.lines().nth(3).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((20..=51).contains(&transmitted), "{finished:?}");
    assert_eq!(finished.code(), 1);
}

#[test]
fn an_adaptive_run_is_as_fast_as_the_path() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let start = Instant::now();
    let finished = run_ping("-A -q -c 100 127.0.0.1");
    assert!(finished.stdout.contains("100 packets transmitted, 100 received, 0% packet loss"), "{finished:?}");
    assert!(finished.stdout.contains(", ipg/ewma "), "{finished:?}");
    // The first second passes before a round-trip time is known.
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_preloaded_run_sends_at_once() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let start = Instant::now();
    let finished = run_ping("-l 5 -c 5 127.0.0.1");
    assert!(finished.stdout.contains("5 packets transmitted, 5 received, 0% packet loss"), "{finished:?}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_broadcast_address_requires_b_and_prints_a_warning() {
    let Some(network) = pair() else { return };
    network.set("b", "net/ipv4/icmp_echo_ignore_broadcasts", "0");
    let finished = ping_in(&network, "-n -c 1 10.0.0.255");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""));
    assert!(finished.stderr.contains("Do you want to ping broadcast? Then -b."), "{finished:?}");
    let finished = ping_in(&network, "-n -b -c 1 10.0.0.255");
    assert_eq!(finished.stderr, "WARNING: pinging broadcast address\n");
    assert!(finished.stdout.contains("64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time="), "{finished:?}");
    // The option alone makes no address a broadcast address.
    assert_eq!(ping_in(&network, "-n -b -c 1 10.0.0.2").stderr, "");
}

#[test]
fn the_route_is_recorded_in_the_header() {
    let Some(network) = pair() else { return };
    let finished = ping_in(&network, "-n -R -c 2 -i 0.02 10.0.0.2");
    assert!(finished.stdout.starts_with("PING 10.0.0.2 (10.0.0.2) 56(124) bytes of data.\n"), "{finished:?}");
    let route = " ms\nRR: \t10.0.0.1\n\t10.0.0.2\n\t10.0.0.2\n\t10.0.0.1\n\n";
    assert!(finished.stdout.contains(route), "{finished:?}");
    assert!(finished.stdout.contains(" ms\t(same route)\n"), "{finished:?}");
}

#[test]
fn hosts_add_their_time_to_the_header() {
    let Some(network) = pair() else { return };
    let finished = ping_in(&network, "-n -T tsandaddr -c 1 10.0.0.2");
    let lines: Vec<&str> = finished.stdout.lines().skip(2).take(3).collect();
    assert!(lines[0].starts_with("TS: \t10.0.0.1\t") && lines[0].ends_with(" absolute"), "{finished:?}");
    assert!(lines[1].starts_with("\t10.0.0.2\t"), "{finished:?}");
}

#[test]
fn header_options_require_a_raw_socket() {
    let Some(network) = pair() else { return };
    network.set("a", "net/ipv4/ping_group_range", "0 2147483647");
    let mut command = network.command("a", "setpriv");
    command.args(["--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]);
    let finished = finish(command.args([env!("CARGO_BIN_EXE_ping"), "-R", "-c", "1", "127.0.0.1"]), b"");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""));
    let line = "ping: open a raw socket: Operation not permitted \
                (-R and -T need 'setcap cap_net_raw+ep' on this program)\n";
    assert_eq!(finished.stderr, line);
}

#[test]
fn the_flow_label_is_shown_and_sent() {
    let Some(network) = pair() else { return };
    network.ip("a", "-6 addr add fd00::1/64 dev to-b nodad");
    network.ip("b", "-6 addr add fd00::2/64 dev to-a nodad");
    let rules = "table ip6 t { chain c { type filter hook input priority 0; \
                 icmpv6 type echo-request ip6 flowlabel != 0x12345 drop; }; }";
    let filter = finish(network.command("b", "nft").arg("-f").arg("-"), rules.as_bytes());
    if !filter.status.success() {
        return testkit::skip(&format!("no nft: {}", filter.stderr));
    }
    let finished = ping_in(&network, "-F 12345 -c 1 -w 2 fd00::2");
    assert!(
        finished.stdout.starts_with("PING fd00::2(fd00::2) , flow 0x12345, 56 data bytes\n64 bytes"),
        "{finished:?}"
    );
    assert_eq!(ping_in(&network, "-F 12346 -c 1 -W 0.1 fd00::2").code(), 1);
    assert_eq!(ping_in(&network, "-c 1 -W 0.1 fd00::2").code(), 1);
}

#[test]
fn a_packet_that_must_not_be_fragmented_is_refused_with_the_mtu() {
    let Some(network) = pair() else { return };
    let finished = ping_in(&network, "-n -M do -s 3000 -c 1 -W 0.1 10.0.0.2");
    assert_eq!(finished.stderr, "ping: local error: message too long, mtu=1500\n");
    assert!(finished.stdout.contains("1 packets transmitted, 0 received, +1 errors, 100% packet loss"), "{finished:?}");
    let finished = ping_in(&network, "-n -M dont -s 3000 -c 1 10.0.0.2");
    assert!(finished.stdout.contains("3008 bytes from 10.0.0.2: icmp_seq=1 "), "{finished:?}");
}

#[test]
fn a_target_beyond_a_router_cannot_be_reached_without_routing() {
    let Some(network) = pair() else { return };
    network.ip("a", "route add default via 10.0.0.2");
    let finished = ping_in(&network, "-n -r -c 1 192.0.2.1");
    assert_eq!(finished.stderr, "ping: sendmsg: Network is unreachable\n");
    assert_eq!(ping_in(&network, "-n -r -c 1 10.0.0.2").code(), 0);
}

#[test]
fn a_run_until_up_ends_with_the_first_reply() {
    let Some(network) = pair() else { return };
    network.ip("b", "addr del 10.0.0.2/24 dev to-a");
    network.ip("a", "neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev to-b");
    network.ip("b", "link set to-a address 02:00:00:00:00:02");
    let mut command = network.command("a", env!("CARGO_BIN_EXE_ping"));
    let running = Running::start(command.args("-n --until-up -i 0.05 -W 0.05 10.0.0.2".split_whitespace()));
    running.wait_for_stdout(|text| text.contains("no answer yet for icmp_seq=2\n").then_some(()));
    network.ip("b", "addr add 10.0.0.2/24 dev to-a");
    let finished = running.finish();
    assert_eq!(finished.stdout.matches(" bytes from ").count(), 1, "{finished:?}");
    assert_eq!(finished.code(), 0);
    network.ip("b", "addr del 10.0.0.2/24 dev to-a");
    assert_eq!(ping_in(&network, "-n --until-up -w 0.2 -i 0.05 10.0.0.2").code(), 1);
}

#[test]
fn a_run_until_down_ends_after_consecutive_losses() {
    let Some(network) = pair() else { return };
    network.ip("a", "neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev to-b");
    network.ip("b", "link set to-a address 02:00:00:00:00:02");
    let mut command = network.command("a", env!("CARGO_BIN_EXE_ping"));
    let running = Running::start(command.args("-n --until-down=2 -i 0.05 -W 0.05 10.0.0.2".split_whitespace()));
    running.wait_for_stdout(|text| text.contains("icmp_seq=2 ").then_some(()));
    network.ip("b", "addr del 10.0.0.2/24 dev to-a");
    let finished = running.finish();
    assert_eq!(finished.stdout.matches("no answer yet").count(), 2, "{finished:?}");
    assert_eq!(finished.code(), 0);
    network.ip("b", "addr add 10.0.0.2/24 dev to-a");
    assert_eq!(ping_in(&network, "-n --until-down -w 0.2 -i 0.05 10.0.0.2").code(), 1);
}

#[test]
fn a_name_is_followed_to_another_address() {
    let Ok(network) = Network::new(&["a"]) else { return testkit::skip("no network namespaces") };
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "127.0.0.7 moving.example.com\n").unwrap();
    // Only this process sees the other /etc/hosts.
    let shell = "mount --bind \"$1\" /etc/hosts && exec \"$2\" -i 0.1 --resolve-every 1 --json moving.example.com";
    let mut command = network.command("a", "unshare");
    command.args(["--mount", "sh", "-c", shell, "sh"]).arg(&hosts).arg(env!("CARGO_BIN_EXE_ping"));
    let running = Running::start(&mut command);
    running.wait_for_stdout(|text| text.contains("\"address\":\"127.0.0.7\",\"seq\":2").then_some(()));
    fs::write(&hosts, "127.0.0.8 moving.example.com\n").unwrap();
    running.wait_for_stdout(|text| text.contains("\"resolved\"").then_some(()));
    running.wait_for_stdout(|text| text.contains("\"from\":\"127.0.0.8\",\"bytes\"").then_some(()));
    running.signal(nix::sys::signal::Signal::SIGINT);
    let finished = running.finish();
    assert!(!finished.stdout.contains("\"foreign\":1"), "{finished:?}");
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
}

#[test]
fn an_internationalized_name_is_resolved_in_its_ascii_form_and_shown_as_typed() {
    let Ok(network) = Network::new(&["a"]) else { return testkit::skip("no network namespaces") };
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "127.0.0.7 xn--bcher-kva.test\n").unwrap();
    let shell = "mount --bind \"$1\" /etc/hosts && exec \"$2\" -c 1 b\u{fc}cher.test";
    let mut command = network.command("a", "unshare");
    command.args(["--mount", "sh", "-c", shell, "sh"]).arg(&hosts).arg(env!("CARGO_BIN_EXE_ping"));
    let finished = finish(&mut command, b"");
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    assert!(finished.stdout.starts_with("PING b\u{fc}cher.test (127.0.0.7) "), "{finished:?}");
    assert!(finished.stdout.contains("64 bytes from b\u{fc}cher.test (127.0.0.7): icmp_seq=1 "), "{finished:?}");
}

#[test]
fn names_are_resolved_after_all_rights_are_dropped() {
    if can_reach("127.0.0.1") {
        // The look-up runs in the confined process; -H asks for it outside a terminal.
        let finished = run_ping("-H -c 5 -i 0.1 127.0.0.1");
        assert!(finished.stdout.contains("64 bytes from localhost (127.0.0.1): icmp_seq=5 "), "{finished:?}");
    }
}

#[test]
fn the_name_that_was_typed_is_in_every_reply_line_and_an_address_has_no_name_in_a_pipe() {
    if can_reach("127.0.0.1") {
        let finished = run_ping("-4 -c 2 -i 0.01 localhost");
        for sequence in [1, 2] {
            let line = format!("\n64 bytes from localhost (127.0.0.1): icmp_seq={sequence} ttl=64 time=");
            assert!(finished.stdout.contains(&line), "{finished:?}");
        }
        let finished = run_ping("-n -4 -c 1 localhost");
        assert!(finished.stdout.contains("\n64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time="), "{finished:?}");
        let finished = run_ping("-c 1 127.0.0.1");
        assert!(finished.stdout.contains("\n64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time="), "{finished:?}");
    }
}

#[test]
fn a_graph_without_a_terminal_is_plain_text() {
    if can_reach("127.0.0.1") {
        let [graph, text] = ["--graph", ""].map(|word| run_ping(&format!("{word} -c 2 -i 0.01 127.0.0.1")).stdout);
        assert_eq!(without_times(&graph), without_times(&text));
    }
}

#[test]
fn errors_and_losses_are_coloured() {
    let Some(network) = pair() else { return };
    network.ip("a", "neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev to-b");
    let finished = ping_in(&network, "--color always -n -c 1 -W 0.05 10.0.0.9");
    assert!(finished.stdout.contains("\x1b[31mno answer yet for icmp_seq=1\x1b[0m\n"), "{finished:?}");
    for words in ["--color never", "--color auto", ""] {
        let finished = ping_in(&network, &format!("{words} -n -c 1 -W 0.05 10.0.0.9"));
        assert!(finished.stdout.contains("\nno answer yet for icmp_seq=1\n"), "{finished:?}");
    }
}

#[test]
fn the_first_reply_is_printed_at_once() {
    if !can_reach("127.0.0.1") {
        return;
    }
    // A generous limit for a debug build on a busy machine; the benchmark has the real figure.
    let start = Instant::now();
    let running = Running::start(ping().arg("127.0.0.1"));
    running.wait_for_stdout(|text| text.contains("icmp_seq=1 ").then_some(()));
    assert!(start.elapsed() < Duration::from_millis(500));
}

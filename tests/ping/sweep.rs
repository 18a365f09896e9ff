//! Runs over many targets: how they end, what they print, what they cost, and with which socket.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use testkit::netns::Network;
use testkit::process::{Finished, Running, finish};

use super::{can_reach, permission, ping, run_ping};

/// Two connected hosts: 10.0.0.1 pings, 10.0.0.2 replies, no other address of 10.0.0.0/24 exists.
fn pair() -> Option<Network> {
    let network = Network::new(&["a", "b"]).inspect_err(testkit::skip).ok()?;
    for host in ["a", "b"] {
        // Addresses are usable at once, without duplicate address detection.
        network.set(host, "net/ipv6/conf/default/accept_dad", "0");
    }
    network.link(("a", "10.0.0.1/24"), ("b", "10.0.0.2/24"));
    network.ip("a", "-6 addr add fd00:1::1/64 dev to-b nodad");
    network.ip("b", "-6 addr add fd00:1::2/64 dev to-a nodad");
    network.set("a", "net/ipv4/neigh/to-b/retrans_time_ms", "100");
    Some(network)
}

fn ping_in(network: &Network, words: &str) -> Finished {
    finish(network.command("a", env!("CARGO_BIN_EXE_ping")).args(words.split_whitespace()), b"")
}

#[test]
fn all_65534_hosts_of_a_block_are_alive_in_one_run() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let finished = run_ping("-c 1 127.0.0.0/16");
    let last = finished.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("65534 targets, 65534 alive, 65534 probes, 65534 replies"), "{last}\n{}", finished.stderr);
    assert_eq!((finished.code(), finished.stdout.lines().count()), (0, 65_536));
}

/// Memory of a run over these targets in bytes, after all of them have replied.
fn memory(targets: &str, count: usize) -> u64 {
    // No packet can be sent to the last target, so the run waits for its second round.
    let running = Running::start(ping().args(["--alive", "-c", "2", "-i", "60", "-W", "5", targets, "240.0.0.1"]));
    running.wait_for_stdout(|text| (text.lines().count() == count).then_some(()));
    let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code(), 1);
    kib * 1024
}

#[test]
fn a_target_takes_at_most_64_bytes() {
    if can_reach("127.0.0.1") {
        let few = memory("127.0.0.2", 1);
        let many = memory("127.0.0.0/16", 65_534);
        let each = many.saturating_sub(few) / 65_534;
        // Less than 16 bytes would be an error of the measurement.
        assert!((16..=64).contains(&each), "{each} bytes a target: {few} and {many}");
    }
}

#[test]
fn hosts_that_answer_and_hosts_that_do_not_are_distinguished() {
    let Some(network) = pair() else { return };
    let living = ping_in(&network, "--alive -c 4 -i 0.3 -W 0.6 10.0.0.0/29 fd00:1::2-fd00:1::3");
    let mut lines: Vec<_> = living.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["10.0.0.1", "10.0.0.2", "fd00:1::2"], "{living:?}");
    assert_eq!((living.code(), living.stderr.as_str()), (1, ""));
    let dead = ping_in(&network, "--unreachable -c 4 -i 0.3 -W 0.6 10.0.0.1-4 fd00:1::2-fd00:1::3");
    assert_eq!(dead.stdout, "10.0.0.3\n10.0.0.4\nfd00:1::3\n", "{dead:?}");
    assert_eq!(dead.code(), 1);
}

#[test]
fn three_probes_find_a_host_behind_a_path_that_loses_every_second_packet() {
    let Some(network) = pair() else { return };
    let rules = "table ip t { chain c { type filter hook input priority 0; \
                 icmp type echo-request numgen inc mod 2 0 drop; }; }";
    let filter = finish(network.command("b", "nft").arg("-f").arg("-"), rules.as_bytes());
    if !filter.status.success() {
        return testkit::skip(&format!("no nft: {}", filter.stderr));
    }
    let finished = ping_in(&network, "--alive -i 0.1 -W 0.2 10.0.0.2");
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, "10.0.0.2\n"), "{finished:?}");
    let finished = ping_in(&network, "-c 4 -i 0.1 -W 0.2 10.0.0.2 10.0.0.1");
    let row = finished.stdout.lines().find(|line| line.starts_with("10.0.0.2 ")).unwrap_or_default();
    assert!(row.split_whitespace().take(4).eq(["10.0.0.2", "4", "2", "50%"]), "{finished:?}");
}

#[test]
fn an_absent_neighbour_is_in_the_table_with_the_reason() {
    let Some(network) = pair() else { return };
    let finished = ping_in(&network, "-c 1 -W 1 10.0.0.2 10.0.0.9");
    let row = finished.stdout.lines().find(|line| line.starts_with("10.0.0.9 ")).unwrap_or_default();
    assert!(row.ends_with("Destination Host Unreachable") && row.contains(" 100% "), "{finished:?}");
    assert_eq!((finished.code(), finished.stderr.as_str()), (1, ""));
}

#[test]
fn a_target_without_a_route_does_not_stop_the_others() {
    let Some(network) = pair() else { return };
    let finished = ping_in(&network, "-c 1 192.0.2.1 192.0.2.2 10.0.0.2");
    assert_eq!(finished.stderr, "ping: 192.0.2.1: Network is unreachable\n");
    assert!(finished.stdout.contains("3 targets, 1 alive, 3 probes, 1 reply, 2 not sent"), "{finished:?}");
    assert_eq!(finished.code(), 1);
}

#[test]
fn a_broadcast_address_among_many_targets_is_an_error() {
    let Some(network) = pair() else { return };
    let finished = ping_in(&network, "-c 1 10.0.0.255 10.0.0.2");
    assert_eq!(
        finished.stderr,
        "ping: 10.0.0.255: a broadcast address (ping it alone with -b), or prohibited by a route or firewall of this host\n"
    );
    assert_eq!(finished.code(), 1);
}

#[test]
fn a_sweep_under_sudo_is_as_fast_as_one_by_root() {
    let Some((network, folder)) = permission::place("1 0") else { return };
    let mut command = network.command("a", "env");
    command.args(["SUDO_UID=65534", "SUDO_GID=65534"]).arg(folder.path().join("ping"));
    let start = Instant::now();
    assert_eq!(finish(command.args(["-q", "-c", "1", "127.0.0.0/19"]), b"").code(), 0);
    // At the rate of an ordinary user it would take eight seconds.
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn a_run_does_not_end_before_its_last_probes_are_sent() {
    if can_reach("127.0.0.1") {
        for _ in 0..10 {
            let finished = run_ping("-q --rate 0 -c 2 -i 0.02 127.0.0.1-3");
            assert!(finished.stdout.starts_with("3 targets, 3 alive, 6 probes, 6 replies, "), "{finished:?}");
        }
    }
}

#[test]
fn packets_are_sent_at_the_rate_given() {
    if can_reach("127.0.0.1") {
        let start = Instant::now();
        assert_eq!(run_ping("-q -c 1 --rate 100 127.0.0.1-31").code(), 0);
        assert!(
            (Duration::from_millis(300)..Duration::from_secs(3)).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn an_interrupt_ends_an_endless_run_with_its_table() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let running = Running::start(ping().args(["-i", "0.05", "--json", "127.0.0.1", "127.0.0.2"]));
    running.wait_for_stdout(|text| text.contains("\"seq\":3").then_some(()));
    running.signal(Signal::SIGINT);
    let finished = running.finish();
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    assert_eq!(finished.stdout.matches("\"event\":\"summary\"").count(), 2);
    assert!(finished.stdout.lines().last().unwrap().contains("\"event\":\"totals\""), "{finished:?}");
}

#[test]
fn a_deadline_ends_an_endless_run() {
    if can_reach("127.0.0.1") {
        let finished = run_ping("-q -w 0.3 -i 0.05 127.0.0.1 127.0.0.2");
        assert!(finished.stdout.starts_with("2 targets, 2 alive, "), "{finished:?}");
    }
}

#[test]
fn metrics_for_prometheus_are_complete_and_no_temporary_file_is_left() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ping.prom");
    let words = format!("-q -c 2 -i 0.05 --prometheus {} localhost 127.0.0.2", path.display());
    assert_eq!(run_ping(&words).code(), 0);
    let text = fs::read_to_string(&path).unwrap();
    for line in [
        "# TYPE ping_up gauge",
        "ping_up{target=\"127.0.0.2\",address=\"127.0.0.2\"} 1",
        "ping_probes_total{target=\"127.0.0.2\",address=\"127.0.0.2\"} 2",
        "ping_replies_total{target=\"127.0.0.2\",address=\"127.0.0.2\"} 2",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(text.contains("ping_rtt_avg_seconds{target=\"localhost\",address=\""), "{text}");
    assert!(text.ends_with('\n'));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_unwritable_file_for_prometheus_is_reported_before_the_first_probe() {
    let finished = run_ping("--prometheus /nosuch/ping.prom 127.0.0.1");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""));
    assert_eq!(finished.stderr, "ping: write /nosuch/ping.prom: No such file or directory\n");
}

#[test]
fn an_ordinary_user_pings_many_through_datagram_sockets_but_cannot_flood() {
    let Some(place) = permission::place("0 2147483647") else { return };
    let finished = finish(&mut permission::as_unprivileged_user(&place, "-q -c 2 -i 0.1 127.0.0.0/24 ::1"), b"");
    assert!(finished.stdout.starts_with("255 targets, 255 alive, 510 probes, 510 replies, time "), "{finished:?}");
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    let finished = finish(&mut permission::as_unprivileged_user(&place, "--rate 0 127.0.0.0/24"), b"");
    let line = "ping: cannot flood: an ordinary user may send 1000 packets a second\n";
    assert_eq!((finished.code(), finished.stderr.as_str()), (2, line));
}

#[test]
fn a_user_without_rights_reads_both_remedies_in_one_line() {
    let Some(place) = permission::place("1 0") else { return };
    let finished = finish(&mut permission::as_unprivileged_user(&place, "127.0.0.1 127.0.0.2"), b"");
    assert_eq!((finished.code(), finished.stdout.as_str(), finished.stderr.lines().count()), (2, "", 1));
    for cure in ["setcap cap_net_raw+ep", "net.ipv4.ping_group_range"] {
        assert!(finished.stderr.contains(cure), "{}", finished.stderr);
    }
}

#[test]
fn a_running_sweep_of_root_has_no_capability_left() {
    let Some((network, folder)) = permission::place("1 0") else { return };
    let mut command = network.command("a", "env");
    command.args(["SUDO_UID=65534", "SUDO_GID=65534"]);
    let ping = command.arg(folder.path().join("ping"));
    let running = Running::start(ping.args(["--json", "-i", "0.05", "127.0.0.1", "127.0.0.2"]));
    running.wait_for_stdout(|text| text.contains("\"seq\":1").then_some(()));
    // All threads, including the sender.
    for thread in fs::read_dir(format!("/proc/{}/task", running.id())).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        for line in
            ["CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"]
        {
            assert!(status.contains(line), "{line}\n{status}");
        }
        assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    }
}

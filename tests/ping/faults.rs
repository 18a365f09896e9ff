//! Faults around a run: a silent resolver, a link that goes down, outputs that accept nothing.
//!
//! Networks are made by the tests (root only).

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use testkit::netns::Network;
use testkit::process::{Running, WAIT_TIMEOUT, finish};
use testkit::wait_until;

use super::{can_reach, exit_after, ping, start_with_full_output};

/// A host with a resolver that never answers; each query times out after the given seconds.
struct SilentResolver {
    network: Network,
    settings: tempfile::NamedTempFile,
}

impl SilentResolver {
    fn new(seconds: u32) -> Option<Self> {
        let network = Network::new(&["a", "b"]).inspect_err(testkit::skip).ok()?;
        network.link(("a", "10.0.0.1/24"), ("b", "10.0.0.2/24"));
        // Queries to this address are never answered.
        network.ip("a", "route add 192.0.2.53/32 dev lo");
        let settings = tempfile::NamedTempFile::new().unwrap();
        let text = format!("nameserver 192.0.2.53\noptions attempts:1 timeout:{seconds}\n");
        fs::write(&settings, text).unwrap();
        Some(Self { network, settings })
    }

    fn ping(&self, words: &str) -> Command {
        // Each command in a namespace has its own mounts.
        let script = "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
        let mut command = self.network.command("a", "sh");
        command.args(["-c", script, "sh"]).arg(self.settings.path()).arg(env!("CARGO_BIN_EXE_ping"));
        command.args(words.split(' '));
        command
    }
}

/// Whether the process has an open socket to the name server 192.0.2.53.
fn queries_name_server(process: u32) -> bool {
    let sockets = fs::read_to_string(format!("/proc/{process}/net/udp")).unwrap_or_default();
    sockets.contains(" 350200C0:0035 ")
}

#[test]
fn a_silent_resolver_is_a_temporary_failure() {
    let Some(silent) = SilentResolver::new(1) else { return };
    let started = Instant::now();
    for (words, code) in [("-c 1 host.example.com", 2), ("-c 1 host.example.com 10.0.0.2", 2)] {
        let finished = finish(&mut silent.ping(words), b"");
        let line = "ping: host.example.com: Temporary failure in name resolution\n";
        assert_eq!((finished.code(), finished.stderr.as_str()), (code, line), "{finished:?}");
        // Other targets are still probed.
        assert_eq!(
            finished.stdout.contains("2 targets") || finished.stdout.contains("1 alive"),
            words.ends_with("0.2"),
            "{finished:?}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[test]
fn an_interrupt_ends_a_run_that_waits_for_the_resolver() {
    let Some(silent) = SilentResolver::new(15) else { return };
    for words in ["host.example.com", "host.example.com other.example.com"] {
        let running = Running::start(&mut silent.ping(words));
        wait_until(WAIT_TIMEOUT, || queries_name_server(running.id()));
        let started = Instant::now();
        running.signal(Signal::SIGINT);
        running.finish();
        assert!(started.elapsed() < Duration::from_secs(3), "{words}: {:?}", started.elapsed());
    }
}

#[test]
fn no_rights_are_left_while_a_name_is_resolved() {
    let Some(silent) = SilentResolver::new(15) else { return };
    for words in ["host.example.com", "host.example.com other.example.com"] {
        let running = Running::start(&mut silent.ping(words));
        let has_dropped_all = |status: &str| {
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
            ["CapEff:", "CapPrm:", "CapBnd:"].iter().all(|name| field(name) == "0000000000000000")
                && field("NoNewPrivs:") == "1"
        };
        let status = || fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap_or_default();
        wait_until(Duration::from_secs(3), || has_dropped_all(&status()));
        running.signal(Signal::SIGINT);
        running.finish();
    }
}

#[test]
fn a_silent_resolver_delays_no_reply() {
    let Some(silent) = SilentResolver::new(15) else { return };
    let started = Instant::now();
    let finished = finish(&mut silent.ping("-H -c 5 -i 0.1 10.0.0.2"), b"");
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stdout.contains("64 bytes from 10.0.0.2: icmp_seq=5 "), "{finished:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn a_link_that_goes_down_does_not_end_a_run_with_many_targets() {
    let Ok(network) = Network::new(&["a", "b", "c"]).inspect_err(testkit::skip) else { return };
    network.link(("a", "10.0.0.1/24"), ("b", "10.0.0.2/24"));
    network.link(("a", "10.0.1.1/24"), ("c", "10.0.1.2/24"));
    let mut command = network.command("a", env!("CARGO_BIN_EXE_ping"));
    let running = Running::start(command.args("--json -i 0.1 -W 0.2 -c 30 10.0.0.2 10.0.1.2".split(' ')));
    let replies =
        |from: &str| running.stdout().lines().filter(|line| line.contains("\"reply\"") && line.contains(from)).count();
    let wait_for_replies = |from: &str, count: usize| wait_until(WAIT_TIMEOUT, || replies(from) >= count);
    wait_for_replies("10.0.0.2", 3);
    network.ip("a", "link set to-b down");
    let other = replies("10.0.1.2");
    wait_for_replies("10.0.1.2", other + 5);
    let before = replies("10.0.0.2");
    network.ip("a", "link set to-b up");
    wait_for_replies("10.0.0.2", before + 3);
    let finished = running.finish();
    // Both targets have replied, so both are alive in spite of the losses.
    assert_eq!(finished.code(), 0, "{finished:?}");
}

#[test]
fn an_output_on_a_full_disk_is_reported() {
    if !can_reach("127.0.0.1") {
        return;
    }
    for words in ["-c 2 -i 0.05 127.0.0.1", "-c 2 127.0.0.1 127.0.0.2", "--json -c 2 127.0.0.1"] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = ping().args(words.split(' ')).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}: {stderr}");
        assert!(stderr.starts_with("ping: ") && stderr.contains("No space left on device"), "{words}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{words}: {stderr}");
    }
}

#[test]
fn a_stalled_reader_does_not_delay_sigterm_with_many_targets() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let (mut child, mut reader) =
        start_with_full_output(ping().args(["--json", "-i", "0.1", "-c", "100", "127.0.0.0/24"]));
    let ended = exit_after(&mut child, Signal::SIGTERM, Duration::from_secs(5));
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
    assert!(ended.is_some(), "still running");
    assert!(text.len() > 3_000, "the pipe was full: {}", text.len());
}

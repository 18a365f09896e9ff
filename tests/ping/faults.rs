//! What goes wrong around a run: a resolver that is silent, a link that goes down, outputs that take nothing.
//!
//! Networks and file systems are made for the purpose (root only) and gone with their test.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use testkit::netns::Network;
use testkit::process::{Running, finish};

use super::{can_reach, ping};

/// A host whose resolver never answers. It would be asked for so many seconds.
struct Deaf {
    network: Network,
    settings: tempfile::NamedTempFile,
}

impl Deaf {
    fn new(seconds: u32) -> Option<Self> {
        let network = Network::new(&["a", "b"]).inspect_err(testkit::skip).ok()?;
        network.link(("a", "10.0.0.1/24"), ("b", "10.0.0.2/24"));
        // Questions to this address go out and nothing comes back.
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

#[test]
fn a_resolver_that_never_replies_is_reported_as_a_failure_for_now() {
    let Some(deaf) = Deaf::new(1) else { return };
    let started = Instant::now();
    for (words, code) in [("-c 1 host.example.com", 2), ("-c 1 host.example.com 10.0.0.2", 2)] {
        let finished = finish(&mut deaf.ping(words), b"");
        let line = "ping: host.example.com: Temporary failure in name resolution\n";
        assert_eq!((finished.code(), finished.stderr.as_str()), (code, line), "{finished:?}");
        // The others are pinged all the same.
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
    let Some(deaf) = Deaf::new(15) else { return };
    for words in ["host.example.com", "host.example.com other.example.com"] {
        let running = Running::start(&mut deaf.ping(words));
        sleep(Duration::from_millis(300));
        let started = Instant::now();
        running.signal(Signal::SIGINT);
        running.finish();
        assert!(started.elapsed() < Duration::from_secs(3), "{words}: {:?}", started.elapsed());
    }
}

#[test]
fn no_rights_are_left_while_a_name_server_is_awaited() {
    let Some(deaf) = Deaf::new(15) else { return };
    for words in ["host.example.com", "host.example.com other.example.com"] {
        let running = Running::start(&mut deaf.ping(words));
        let has_dropped_all = |status: &str| {
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
            ["CapEff:", "CapPrm:", "CapBnd:"].iter().all(|name| field(name) == "0000000000000000")
                && field("NoNewPrivs:") == "1"
        };
        let status = || fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap_or_default();
        testkit::wait_until(Duration::from_secs(3), || has_dropped_all(&status()));
        running.signal(Signal::SIGINT);
        running.finish();
    }
}

#[test]
fn an_interrupt_ends_a_run_that_waits_for_its_targets() {
    let mut command = ping();
    command.args(["--targets", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    sleep(Duration::from_millis(300));
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, Signal::SIGINT).unwrap();
    let started = Instant::now();
    let ended = loop {
        match child.try_wait().unwrap() {
            None if started.elapsed() < Duration::from_secs(3) => sleep(Duration::from_millis(5)),
            ended => break ended,
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    assert!(ended.is_some(), "it reads on");
}

#[test]
fn names_that_never_come_hold_up_no_reply() {
    let Some(deaf) = Deaf::new(15) else { return };
    let started = Instant::now();
    let finished = finish(&mut deaf.ping("-H -c 5 -i 0.1 10.0.0.2"), b"");
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stdout.contains("64 bytes from 10.0.0.2: icmp_seq=5 "), "{finished:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn a_link_that_goes_down_under_many_targets_does_not_end_their_run() {
    let Ok(network) = Network::new(&["a", "b", "c"]).inspect_err(testkit::skip) else { return };
    network.link(("a", "10.0.0.1/24"), ("b", "10.0.0.2/24"));
    network.link(("a", "10.0.1.1/24"), ("c", "10.0.1.2/24"));
    let mut command = network.command("a", env!("CARGO_BIN_EXE_ping"));
    let running = Running::start(command.args("--json -i 0.1 -W 0.2 -c 30 10.0.0.2 10.0.1.2".split(' ')));
    let replies =
        |from: &str| running.stdout().lines().filter(|line| line.contains("\"reply\"") && line.contains(from)).count();
    let wait_for = |from: &str, count: usize| {
        let deadline = Instant::now() + testkit::process::WAIT_TIMEOUT;
        while replies(from) < count {
            assert!(Instant::now() < deadline, "{from}: {}", running.stdout());
            sleep(Duration::from_millis(10));
        }
    };
    wait_for("10.0.0.2", 3);
    network.ip("a", "link set to-b down");
    let other = replies("10.0.1.2");
    wait_for("10.0.1.2", other + 5);
    let silent = replies("10.0.0.2");
    network.ip("a", "link set to-b up");
    wait_for("10.0.0.2", silent + 3);
    let finished = running.finish();
    // Both have answered, so both are alive; what was lost is in the figures.
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
fn a_reader_that_reads_no_more_cannot_keep_a_run_of_many_from_ending() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let mut command = ping();
    command.args(["--json", "-i", "0.1", "-c", "100", "127.0.0.0/24"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Some hundred KiB of lines: more than a pipe holds.
    sleep(Duration::from_millis(800));
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let ended = loop {
        match child.try_wait().unwrap() {
            None if Instant::now() < deadline => sleep(Duration::from_millis(5)),
            ended => break ended,
        }
    };
    let _ = child.kill();
    let mut text = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut text).unwrap();
    let _ = child.wait();
    assert!(ended.is_some(), "it is still there");
    assert!(text.len() > 30_000, "the pipe was full: {}", text.len());
}

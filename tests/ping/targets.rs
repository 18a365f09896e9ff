//! Targets of a run with many targets: how they are named, and what is refused.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use testkit::process::finish;

use super::{can_reach, exit_after, ping, run_ping, start_waiting_for_input};

fn refused(words: &str, line: &str) {
    let finished = run_ping(words);
    assert_eq!(finished.stderr, format!("ping: {line}\n"), "ping {words}");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""), "ping {words}");
}

/// The targets that reply, sorted by name.
fn alive(words: &str, input: &[u8]) -> Vec<String> {
    let finished = finish(ping().args(["--alive", "-W", "0.5"]).args(words.split_whitespace()), input);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{words}: {finished:?}");
    let mut lines: Vec<_> = finished.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn names_addresses_blocks_and_ranges_of_both_families_make_one_run() {
    if can_reach("127.0.0.1") && can_reach("::1") {
        let words = "localhost 127.0.0.9 127.0.1.0/30 127.0.2.1-127.0.2.2 127.0.3.5-6 ::1 ::1/128";
        let expected = [
            "127.0.0.9",
            "127.0.1.1",
            "127.0.1.2",
            "127.0.2.1",
            "127.0.2.2",
            "127.0.3.5",
            "127.0.3.6",
            "::1",
            "localhost",
        ];
        assert_eq!(alive(words, b""), expected);
    }
}

#[test]
fn targets_are_read_from_a_file_and_from_standard_input() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let text = "# servers\n\n127.0.0.2 127.0.0.3 # two in a line\n   \t\n127.0.1.0/31\r\nlocalhost";
    let expected = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.1.0", "127.0.1.1", "localhost"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets");
    fs::write(&path, text).unwrap();
    assert_eq!(alive(&format!("127.0.0.4 --targets {}", path.display()), b""), expected);
    assert_eq!(alive("127.0.0.4 --targets -", text.as_bytes()), expected);
}

#[test]
fn an_interrupt_ends_the_wait_for_standard_input() {
    if !can_reach("127.0.0.1") {
        return;
    }
    for words in ["--targets -", "--alive --targets -"] {
        let (mut child, _writer) = start_waiting_for_input(ping().args(words.split(' ')));
        let status = exit_after(&mut child, Signal::SIGINT, Duration::from_secs(3));
        assert_eq!(status.and_then(|status| status.signal()), Some(Signal::SIGINT as i32), "{words}");
    }
}

#[test]
fn a_target_named_twice_is_probed_once_and_reported() {
    if can_reach("127.0.0.1") {
        let finished = run_ping("-q -c 1 127.0.0.2 127.0.0.0/30 127.0.0.2 127.0.0.1-3 localhost localhost");
        let expected = "4 targets, 4 alive, 4 probes, 4 replies, 5 repeated, time ";
        assert!(finished.stdout.starts_with(expected), "{finished:?}");
    }
}

#[test]
fn an_unknown_name_is_reported_and_the_others_are_probed() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let finished = run_ping("--alive nosuch.invalid 127.0.0.1");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, "127.0.0.1\n"));
    assert!(finished.stderr.starts_with("ping: nosuch.invalid: ") && finished.stderr.lines().count() == 1);
}

#[test]
fn an_empty_list_of_targets_is_an_error() {
    refused("--targets /dev/null", "targets: none were named");
    let finished = run_ping("--alive");
    assert_eq!((finished.code(), finished.stderr.as_str()), (1, "ping: usage error: Destination address required\n"));
    let finished = run_ping("--alive nosuch.invalid nosuch2.invalid");
    assert_eq!((finished.code(), finished.stdout.as_str(), finished.stderr.lines().count()), (2, "", 2));
}

#[test]
fn too_many_addresses_are_refused_with_their_number() {
    let most = "more than the 16777216 that one run takes";
    refused("2001:db8::/64", &format!("2001:db8::/64: 18446744073709551616 addresses, {most}"));
    refused("0.0.0.0/0", &format!("0.0.0.0/0: 4294967296 addresses, {most}"));
    refused("10.0.0.0/8 11.0.0.0/8", "targets: more than the 16777216 addresses that one run takes");
}

#[test]
fn a_target_that_is_no_host_is_refused_for_what_it_is() {
    for (target, reason) in [
        ("127.0.0.9-127.0.0.1", "the range ends before it begins"),
        ("127.0.0.1-300", "the last byte of the range is not a number from 0 to 255"),
        ("localhost:80", "a host with a port; ICMP has no ports"),
        ("http://localhost/", "a URL; ping its host name"),
    ] {
        refused(&format!("--alive {target}"), &format!("{target}: {reason}"));
    }
}

#[test]
fn a_byte_order_mark_at_the_start_of_a_file_is_not_part_of_the_target() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets");
    fs::write(&path, "\u{feff}127.0.0.1\r\n127.0.0.2\r\n").unwrap();
    let finished = run_ping(&format!("--alive --targets {}", path.display()));
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    assert_eq!(finished.stdout.lines().count(), 2, "{finished:?}");
}

#[test]
fn a_malformed_target_in_a_file_is_reported_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets");
    fs::write(&path, "127.0.0.1\n# fine\n10.0.0.0/33\n").unwrap();
    let shown = path.display();
    let line = format!("{shown}:3: 10.0.0.0/33: no prefix length from 0 to 32 behind the slash");
    refused(&format!("--targets {shown}"), &line);
    fs::write(&path, b"127.0.0.1\n\xff\n").unwrap();
    refused(&format!("--targets {shown}"), &format!("{shown}:2: not UTF-8 text"));
    refused("--targets /nosuch", "read /nosuch: No such file or directory");
    refused(
        &format!("--targets {}", folder.path().display()),
        &format!("read {}: Is a directory", folder.path().display()),
    );
}

#[test]
fn options_for_one_target_are_refused_with_many() {
    for option in ["-f", "-A", "-R", "-D", "--graph", "--csv", "--until-up"] {
        refused(&format!("{option} 127.0.0.1 127.0.0.2"), &format!("{option}: only for a single target"));
    }
    refused("-i 0 127.0.0.1 127.0.0.2", "-i 0: only for a single target; --rate 0 knows no limit");
    refused("--rate x 127.0.0.1", "invalid argument: --rate 'x': not a number from 0 to 1000000000");
    refused("224.0.0.1 127.0.0.1", "224.0.0.1: a multicast address; ping it alone");
    refused("-4 127.0.0.1 ::1", "::1: Address family for hostname not supported");
    refused("--alive --unreachable 127.0.0.1", "'--alive' cannot be combined with '--unreachable': see --help");
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let finished = finish(ping().args(["--alive", "\u{1b}[31m.invalid", "127.0.0.1"]), b"");
    assert!(finished.stderr.starts_with("ping: \\x1b[31m.invalid: "), "{finished:?}");
}

#[test]
fn one_target_prints_the_text_of_iputils() {
    if can_reach("127.0.0.1") {
        assert!(
            run_ping("--count 1 127.0.0.1").stdout.starts_with("PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.\n")
        );
    }
}

//! Intervals, end and exit code of a run; signals.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use testkit::process::{Running, WAIT_TIMEOUT, finish};
use testkit::wait_for;

use super::{can_reach, exit_after, ping, run_ping, start_with_full_output};

#[test]
fn an_interrupt_ends_the_run_with_its_summary() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let running = Running::start(ping().arg("127.0.0.1"));
    running.wait_for_stdout(|text| text.contains("icmp_seq=1 ").then_some(()));
    running.signal(Signal::SIGINT);
    let finished = running.finish();
    assert!(finished.stdout.contains("\n1 packets transmitted, 1 received, 0% packet loss, time 0ms\n"));
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
}

#[test]
fn a_quit_signal_prints_a_status_line_and_the_run_continues() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let running = Running::start(ping().args(["-i", "0.05", "127.0.0.1"]));
    running.wait_for_stdout(|text| text.contains("icmp_seq=1 ").then_some(()));
    running.signal(Signal::SIGQUIT);
    running.wait_for_stderr(|text| text.contains(" packets, 0% loss, min/avg/ewma/max = 0.").then_some(()));
    let seen = running.stdout().lines().count();
    running.wait_for_stdout(|text| (text.lines().count() > seen).then_some(()));
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code(), 0);
}

#[test]
fn sends_do_not_drift() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let finished = run_ping("-q -c 21 -i 0.02 127.0.0.1");
    let (_, tail) = finished.stdout.split_once("packet loss, time ").unwrap();
    let milliseconds: u64 = tail.split_once("ms").unwrap().0.parse().unwrap();
    // Twenty intervals; a busy machine may delay the last one, but delays do not add up.
    assert!((400..470).contains(&milliseconds), "{milliseconds}");
}

#[test]
fn a_deadline_ends_the_run_and_too_few_replies_are_a_failure() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let start = Instant::now();
    assert_eq!(run_ping("-w 0.2 -i 0.05 127.0.0.1").code(), 0);
    assert_eq!(run_ping("-w 0.2 -i 0.05 -c 100 127.0.0.1").code(), 1);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_name_of_the_program_chooses_the_family() {
    let finished = finish(ping().arg0("ping6").args(["-c", "1", "127.0.0.1"]), b"");
    assert_eq!(finished.stderr, "ping: 127.0.0.1: Address family for hostname not supported\n");
}

#[test]
fn a_closed_output_ends_the_run_without_an_error() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let mut child =
        ping().args(["-i", "0.01", "127.0.0.1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = wait_for(WAIT_TIMEOUT, || child.try_wait().unwrap());
    child.kill().unwrap();
    let mut reported = String::new();
    child.stderr.take().unwrap().read_to_string(&mut reported).unwrap();
    assert_eq!((status.and_then(|status| status.code()), reported.as_str()), (Some(0), ""));
}

#[test]
fn a_stalled_reader_does_not_delay_sigterm() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let (mut child, _reader) = start_with_full_output(ping().args(["-D", "-v", "-n", "-i", "0.002", "127.0.0.1"]));
    let ended = exit_after(&mut child, Signal::SIGTERM, Duration::from_secs(5));
    assert!(ended.is_some_and(|status| status.code() == Some(0)), "{ended:?}");
}

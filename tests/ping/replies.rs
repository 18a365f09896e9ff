//! Results of probes, one scenario each: late, duplicate, corrupt, forged and missing replies.
//!
//! Scenarios are in tests/fixtures/ping. Each test makes a namespace with a TUN device, or is skipped.

use testkit::netns::Network;
use testkit::process::{Finished, finish};
use testkit::tun::{Responder, Scenario};

use super::without_times;

const GOOD: &str = "0% packet loss";

/// Three probes to a host that answers as the scenario says; `None` where there is no TUN device.
fn against(scenario: &str, words: &str) -> Option<Finished> {
    against_address(scenario, "10.99.0.2", words)
}

fn against_address(scenario: &str, address: &str, words: &str) -> Option<Finished> {
    let network = Network::new(&["a"]).inspect_err(testkit::skip).ok()?;
    let responder = Responder::start(&network, "a", Scenario::load(scenario));
    let _responder = responder.inspect_err(testkit::skip).ok()?;
    let mut command = network.command("a", env!("CARGO_BIN_EXE_ping"));
    let rhythm = if words.is_empty() { "-i 0.02" } else { words };
    command.args(["-n", "-c", "3", "-W", "0.2"]).args(rhythm.split_whitespace()).arg(address);
    Some(finish(&mut command, b""))
}

/// The line about probe `sequence`, and the summary line.
fn lines(finished: &Finished, sequence: u32) -> (String, String) {
    let text = &finished.stdout;
    let about = format!("icmp_seq={sequence} ");
    let ends = format!("icmp_seq={sequence}");
    let line = text.lines().find(|line| line.contains(&about) || line.ends_with(&ends)).unwrap_or_default();
    let summary = text.lines().find(|line| line.contains("packets transmitted")).unwrap_or_default();
    (line.to_owned(), summary.split(", time").next().unwrap_or_default().to_owned())
}

/// Checks that probe 2 is reported as missing and the others are answered.
fn second_is_not_answered(scenario: &str) {
    let Some(finished) = against(scenario, "") else { return };
    let (line, summary) = lines(&finished, 2);
    assert_eq!(line, "no answer yet for icmp_seq=2", "{finished:?}");
    assert_eq!(summary, "3 packets transmitted, 2 received, 33.3333% packet loss", "{finished:?}");
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
}

/// Checks that probe 2 is answered by this error of the router.
fn second_is_an_error(scenario: &str, words: &str) {
    let Some(finished) = against(scenario, "") else { return };
    let (line, summary) = lines(&finished, 2);
    assert_eq!(line, format!("From 10.99.0.254 icmp_seq=2 {words}"), "{finished:?}");
    assert_eq!(summary, "3 packets transmitted, 2 received, +1 errors, 33.3333% packet loss", "{finished:?}");
}

#[test]
fn a_good_host_answers_in_both_families() {
    for address in ["10.99.0.2", "fd00:99::2"] {
        let Some(finished) = against_address("good", address, "") else { return };
        assert!(lines(&finished, 3).1.ends_with(GOOD), "{finished:?}");
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    }
}

#[test]
fn a_host_without_a_reply_is_reported_for_each_probe() {
    let Some(finished) = against("silent", "") else { return };
    assert_eq!(
        lines(&finished, 3),
        ("no answer yet for icmp_seq=3".to_owned(), "3 packets transmitted, 0 received, 100% packet loss".to_owned())
    );
    assert_eq!((finished.code(), finished.stderr.as_str()), (1, ""));
}

#[test]
fn a_lost_probe_is_reported_and_counted() {
    second_is_not_answered("lost");
}

#[test]
fn a_late_reply_is_shown_after_the_timeout_and_counts_as_received() {
    let Some(finished) = against("late", "-i 0.4") else { return };
    let text = without_times(&finished.stdout);
    let (given_up, rest) = text.split_once("no answer yet for icmp_seq=1\n").unwrap_or_else(|| panic!("{finished:?}"));
    assert!(!given_up.contains("icmp_seq=1 ") && rest.contains("icmp_seq=1 ttl=64"), "{finished:?}");
    assert!(lines(&finished, 1).1.ends_with(GOOD), "{finished:?}");
}

#[test]
fn further_replies_are_duplicates_and_stay_out_of_the_statistics() {
    let Some(finished) = against("duplicate", "") else { return };
    assert_eq!(finished.stdout.matches(" (DUP!)").count(), 2, "{finished:?}");
    assert_eq!(lines(&finished, 1).1, "3 packets transmitted, 3 received, +2 duplicates, 0% packet loss");
}

#[test]
fn a_reordered_reply_belongs_to_its_own_probe() {
    let Some(finished) = against("reordered", "") else { return };
    let places = [3, 2].map(|sequence| finished.stdout.find(&format!("icmp_seq={sequence} ")));
    assert!(places[0] < places[1] && places[0].is_some(), "{finished:?}");
    assert!(lines(&finished, 2).1.ends_with(GOOD), "{finished:?}");
}

#[test]
fn a_reply_with_a_wrong_checksum_is_shown_and_not_counted() {
    let Some(finished) = against("corrupt-checksum", "") else { return };
    let (line, summary) = lines(&finished, 2);
    assert!(line.contains("(BAD CHECKSUM!)"), "{finished:?}");
    assert!(summary.contains("2 received, +1 corrupted"), "{finished:?}");
}

#[test]
fn a_changed_byte_with_a_correct_checksum_is_shown() {
    let Some(finished) = against("corrupt-payload", "") else { return };
    assert!(finished.stdout.contains("wrong data byte #40 should be 0x28 but was 0xd7"), "{finished:?}");
}

#[test]
fn a_reply_with_half_of_the_payload_is_called_truncated() {
    let Some(finished) = against("truncated", "") else { return };
    assert_eq!(lines(&finished, 2).0, "36 bytes from 10.99.0.2: icmp_seq=2 ttl=64 (truncated)", "{finished:?}");
}

#[test]
fn a_packet_cut_on_the_path_is_lost() {
    second_is_not_answered("cut");
}

#[test]
fn a_reply_from_another_host_is_not_counted() {
    let Some(finished) = against("forged-source", "") else { return };
    assert!(lines(&finished, 2).1.starts_with("3 packets transmitted, 2 received"), "{finished:?}");
    let line = "64 bytes from 10.99.0.77: icmp_seq=2 ttl=64 (DIFFERENT ADDRESS!)\n";
    assert!(finished.stdout.contains(line), "{finished:?}");
    assert!(finished.stdout.contains("\nno answer yet for icmp_seq=2\n"), "{finished:?}");
}

#[test]
fn a_reply_with_another_identifier_is_ignored() {
    second_is_not_answered("forged-identifier");
}

#[test]
fn a_reply_to_a_probe_that_was_not_sent_is_not_counted() {
    let Some(finished) = against("forged-sequence", "") else { return };
    assert!(lines(&finished, 2).1.starts_with("3 packets transmitted, 2 received"), "{finished:?}");
}

#[test]
fn a_changed_time_in_the_payload_does_not_change_the_round_trip_time() {
    let Some(finished) = against("forged-time", "") else { return };
    let times =
        finished.stdout.lines().filter_map(|line| line.split_once("time=")?.1.split_once(" ms")?.0.parse().ok());
    let times: Vec<f64> = times.collect();
    assert!(times.iter().all(|time| *time < 1000.0), "{finished:?}");
}

#[test]
fn ip_options_before_a_reply_are_skipped() {
    let Some(finished) = against("options", "") else { return };
    assert!(lines(&finished, 2).0.starts_with("64 bytes from 10.99.0.2: icmp_seq=2 ttl=64"), "{finished:?}");
    assert!(lines(&finished, 2).1.ends_with(GOOD), "{finished:?}");
}

#[test]
fn errors_are_reported_with_their_origin_and_reason() {
    second_is_an_error("error-host-unreachable", "Destination Host Unreachable");
    second_is_an_error("error-too-long", "Frag needed and DF set (mtu = 1400)");
    second_is_an_error("error-prohibited", "Destination Host Prohibited");
    second_is_an_error("error-time-exceeded", "Time to live exceeded");
}

#[test]
fn an_error_with_odd_quoted_headers_is_parsed() {
    second_is_an_error("error-short-quote", "Time to live exceeded");
    second_is_an_error("error-nops", "Destination Host Unreachable");
    second_is_an_error("error-mpls", "Time to live exceeded");
}

#[test]
fn an_error_with_an_unknown_code_is_dropped_by_the_kernel() {
    second_is_not_answered("error-unknown-code");
}

#[test]
fn an_error_that_quotes_another_packet_is_ignored() {
    // In parallel, because each mostly waits.
    std::thread::scope(|scope| {
        for scenario in [
            "error-cut-quote",
            "error-beyond-quote",
            "error-tiny-quote",
            "error-no-quote",
            "error-other-identifier",
            "error-other-destination",
        ] {
            scope.spawn(move || second_is_not_answered(scenario));
        }
    });
}

//! The events of probes to two targets, in the scenarios of the responder, read from the JSON output.

use std::thread;

use testkit::netns::Network;
use testkit::process::finish;
use testkit::tun::{Responder, Scenario};

/// Three probes each to two hosts that answer as the scenario says, as the events about the first of them.
fn events(scenario: &str, first: &str, second: &str) -> Option<Vec<String>> {
    let network = Network::new(&["a"]).inspect_err(testkit::skip).ok()?;
    let responder = Responder::start(&network, "a", Scenario::load(scenario));
    let _responder = responder.inspect_err(testkit::skip).ok()?;
    let mut command = network.command("a", env!("CARGO_BIN_EXE_ping"));
    command.args(["--json", "-c", "3", "-i", "0.35", "-W", "0.15", first, second]);
    let finished = finish(&mut command, b"");
    assert_eq!(finished.stderr, "", "{finished:?}");
    let about = format!("\"target\":\"{first}\"");
    Some(finished.stdout.lines().filter(|line| line.contains(&about)).map(str::to_owned).collect())
}

/// The events about probe 2 to the first host, each as `event` or `event: reason`.
fn second_probe(scenario: &str) -> Option<Vec<String>> {
    let events = events(scenario, "10.99.0.2", "10.99.0.3")?;
    Some(
        events
            .iter()
            .filter(|line| line.contains("\"seq\":2,") || line.ends_with("\"seq\":2}"))
            .map(|line| shown(line))
            .collect(),
    )
}

fn shown(line: &str) -> String {
    let field = |name: &str| Some(line.split_once(&format!("\"{name}\":\""))?.1.split_once('"')?.0);
    let event = field("event").unwrap_or_default();
    field("reason").map_or(event.to_owned(), |reason| format!("{event}: {reason}"))
}

/// Checks the events about probe 2 in each scenario; in parallel, because each mostly waits.
fn second_is(cases: &[(&str, &[&str])]) {
    thread::scope(|scope| {
        for (scenario, expected) in cases {
            scope.spawn(move || {
                if let Some(found) = second_probe(scenario) {
                    assert_eq!(found, *expected, "{scenario}");
                }
            });
        }
    });
}

#[test]
fn hosts_of_both_families_reply_to_every_probe() {
    for (first, second) in [("10.99.0.2", "fd00:99::2"), ("fd00:99::2", "10.99.0.2")] {
        let Some(events) = events("good", first, second) else { return };
        let shown: Vec<_> = events.iter().map(|line| shown(line)).collect();
        assert_eq!(shown, ["start", "reply", "reply", "reply", "summary"], "{events:?}");
        // The kernel enables time stamps with a delay.
        let last = &events[3];
        assert!(last.contains("\"rtt_source\":\"kernel\""), "{events:?}");
    }
}

#[test]
fn lost_late_and_duplicate_replies_are_reported() {
    second_is(&[("lost", &["lost"])]);
    let Some(events) = events("late", "10.99.0.2", "10.99.0.3") else { return };
    let first: Vec<_> = events.iter().filter(|line| line.contains("\"seq\":1")).map(|line| shown(line)).collect();
    assert_eq!(first, ["lost", "late"]);
    assert!(events.last().unwrap().contains("\"transmitted\":3,\"received\":3,\"late\":1"), "{events:?}");
    let Some(events) = self::events("duplicate", "10.99.0.2", "10.99.0.3") else { return };
    let first: Vec<_> = events.iter().filter(|line| line.contains("\"seq\":1")).map(|line| shown(line)).collect();
    assert_eq!(first, ["reply", "duplicate", "duplicate"]);
}

#[test]
fn a_wrong_checksum_is_no_reply_and_a_changed_payload_is_a_corrupt_one() {
    second_is(&[
        ("corrupt-checksum", &["corrupt: checksum", "lost"]),
        ("corrupt-payload", &["corrupt: payload byte 40"]),
        ("cut", &["lost"]),
        ("truncated", &["reply"]),
    ]);
}

#[test]
fn forged_replies_are_foreign_and_counted_for_no_probe() {
    second_is(&[
        ("forged-source", &["foreign: another address than the target", "lost"]),
        ("forged-identifier", &["lost"]),
        ("forged-sequence", &["lost"]),
        ("forged-time", &["reply"]),
    ]);
}

#[test]
fn errors_are_reported_with_their_reason() {
    second_is(&[
        ("error-host-unreachable", &["error: Destination Host Unreachable"]),
        ("error-prohibited", &["error: Destination Host Prohibited"]),
        ("error-time-exceeded", &["error: Time to live exceeded"]),
        ("error-nops", &["error: Destination Host Unreachable"]),
        ("error-mpls", &["error: Time to live exceeded"]),
        // A raw socket receives codes that the kernel does not know.
        ("error-unknown-code", &["error: Dest Unreachable, Bad Code: 77"]),
    ]);
}

#[test]
fn an_error_that_quotes_another_packet_is_ignored() {
    let lost: &[&str] = &["lost"];
    second_is(&[
        ("error-cut-quote", lost),
        ("error-beyond-quote", lost),
        ("error-tiny-quote", lost),
        ("error-no-quote", lost),
        ("error-other-identifier", lost),
        ("error-other-destination", lost),
    ]);
}

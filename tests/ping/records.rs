//! Results of probes for programs: `--json`, `--csv`, `--stats full`, `--timestamp`.
//!
//! Replies come from the responder on a TUN device (tests/fixtures/ping); without one the tests are skipped.

use serde_json::Value;
use testkit::netns::Network;
use testkit::process::{Finished, Running, finish};
use testkit::tun::{Responder, Scenario};

use super::{can_reach, run_ping};

/// Three probes, 20 ms apart unless the words say otherwise, to a host that answers as the scenario says.
fn against(scenario: &str, words: &str) -> Option<Finished> {
    let network = Network::new(&["a"]).inspect_err(testkit::skip).ok()?;
    let responder = Responder::start(&network, "a", Scenario::load(scenario));
    let _responder = responder.inspect_err(testkit::skip).ok()?;
    let mut command = network.command("a", env!("CARGO_BIN_EXE_ping"));
    command
        .args(["-n", "-c", "3", "-W", "0.2"])
        .args((!words.contains("-i ")).then_some("-i0.02"))
        .args(words.split_whitespace())
        .arg("10.99.0.2");
    Some(finish(&mut command, b""))
}

/// The lines of standard output, each an object.
fn objects(finished: &Finished) -> Vec<Value> {
    let objects: Vec<Value> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(objects.iter().all(Value::is_object), "{finished:?}");
    assert_eq!(finished.stderr, "");
    objects
}

/// The events of a run, and its summary.
fn events(scenario: &str) -> Option<(Vec<Value>, Value)> {
    // The run lasts longer than the reply that is 300 ms late.
    let finished = against(scenario, if scenario == "late" { "--json -i 0.2" } else { "--json" })?;
    let mut objects = objects(&finished);
    let summary = objects.pop().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(objects.remove(0)["event"], "start");
    Some((objects, summary))
}

/// The events about this probe, by name.
fn about(events: &[Value], sequence: u64) -> Vec<&str> {
    events.iter().filter(|event| event["seq"] == sequence).map(|event| event["event"].as_str().unwrap()).collect()
}

/// Checks what is reported about probe 2 and that the summary has these counts.
fn second_is(scenario: &str, reported: &[&str], counts: &[(&str, u64)]) -> Option<Vec<Value>> {
    probe_is(2, scenario, reported, counts)
}

/// The same for probe 1.
fn first_is(scenario: &str, reported: &[&str], counts: &[(&str, u64)]) -> Option<Vec<Value>> {
    probe_is(1, scenario, reported, counts)
}

fn probe_is(sequence: u64, scenario: &str, reported: &[&str], counts: &[(&str, u64)]) -> Option<Vec<Value>> {
    let (events, summary) = events(scenario)?;
    assert_eq!(about(&events, sequence), reported, "{scenario}: {events:?}");
    for (name, count) in counts {
        assert_eq!(summary[*name], *count, "{scenario}: {name} in {summary}");
    }
    Some(events)
}

#[test]
fn a_reply_event_has_its_fields_as_numbers() {
    let Some((events, summary)) = events("good") else { return };
    let reply = &events[0];
    assert_eq!(reply["event"], "reply");
    assert_eq!(
        (&reply["target"], &reply["address"], &reply["from"]),
        (&"10.99.0.2".into(), &"10.99.0.2".into(), &"10.99.0.2".into())
    );
    assert_eq!((&reply["seq"], &reply["bytes"], &reply["ttl"]), (&1.into(), &64.into(), &64.into()));
    assert!(reply["time"].as_f64().unwrap() > 1.7e9);
    assert!((0.0..200.0).contains(&reply["rtt_ms"].as_f64().unwrap()));
    assert!(["kernel", "kernel-receive", "user"].contains(&reply["rtt_source"].as_str().unwrap()));
    for name in
        ["min_ms", "avg_ms", "max_ms", "mdev_ms", "p50_ms", "p90_ms", "p99_ms", "jitter_ms", "longest_outage_ms"]
    {
        assert!(summary[name].is_number(), "{name} in {summary}");
    }
    assert_eq!((&summary["transmitted"], &summary["received"]), (&3.into(), &3.into()));
    assert_eq!(summary["loss_percent"], 0.0);
}

#[test]
fn the_summary_has_all_fields_when_everything_is_lost() {
    let Some((events, summary)) = events("silent") else { return };
    assert_eq!(about(&events, 2), ["lost"]);
    assert_eq!((&summary["transmitted"], &summary["lost"], &summary["received"]), (&3.into(), &3.into(), &0.into()));
    assert_eq!(summary["loss_percent"], 100.0);
    for name in ["min_ms", "avg_ms", "max_ms", "mdev_ms", "p50_ms", "p90_ms", "p99_ms", "jitter_ms"] {
        assert!(summary.as_object().unwrap()[name].is_null(), "{name} in {summary}");
    }
    assert!(summary["longest_outage_ms"].as_f64().unwrap() >= 200.0);
}

#[test]
fn each_result_of_a_probe_has_its_event_and_its_counter() {
    let whole = [("transmitted", 3), ("received", 3), ("lost", 0)];
    second_is("lost", &["lost"], &[("received", 2), ("lost", 1)]);
    second_is("reordered", &["reply"], &[("received", 3), ("reordered", 1)]);
    second_is("corrupt-checksum", &["corrupt", "lost"], &[("received", 2), ("corrupt", 1), ("lost", 1)]);
    second_is("corrupt-payload", &["corrupt"], &[("received", 3), ("corrupt", 1)]);
    second_is("truncated", &["reply"], &whole);
    second_is("error-host-unreachable", &["error"], &[("received", 2), ("errors", 1), ("lost", 0)]);
    first_is("late", &["lost", "late"], &[("received", 3), ("lost", 0), ("late", 1), ("reordered", 1)]);
    first_is("duplicate", &["reply", "duplicate", "duplicate"], &[("received", 3), ("duplicates", 2)]);
}

#[test]
fn an_error_names_its_origin_type_and_code() {
    let Some(events) = second_is("error-host-unreachable", &["error"], &[]) else { return };
    let error = events.iter().find(|event| event["event"] == "error").unwrap();
    assert_eq!(error["reason"], "Destination Host Unreachable");
    assert_eq!(
        (&error["from"], &error["icmp_type"], &error["icmp_code"]),
        (&"10.99.0.254".into(), &3.into(), &1.into())
    );
}

#[test]
fn foreign_packets_are_distinguished_and_not_counted_as_replies() {
    let Some(events) = second_is("forged-source", &["foreign", "lost"], &[("received", 2), ("foreign", 1)]) else {
        return;
    };
    let foreign = events.iter().find(|event| event["event"] == "foreign").unwrap();
    assert_eq!(
        (&foreign["from"], &foreign["reason"]),
        (&"10.99.0.77".into(), &"another address than the target".into())
    );
    let (events, summary) = self::events("forged-earlier-sequence").unwrap();
    assert_eq!((&summary["received"], &summary["foreign"], &summary["duplicates"]), (&1.into(), &1.into(), &0.into()));
    let foreign = events.iter().find(|event| event["event"] == "foreign").unwrap();
    assert_eq!(foreign["reason"], "without the code of the probe");
    second_is("forged-identifier", &["lost"], &[("received", 2), ("foreign", 0)]);
}

#[test]
fn a_reply_with_a_wrong_code_is_shown_and_not_counted() {
    let Some(finished) = against("forged-earlier-sequence", "") else { return };
    let line = "64 bytes from 10.99.0.2: icmp_seq=2 ttl=64 (NOT A REPLY TO US!)\n";
    assert!(finished.stdout.contains(line), "{finished:?}");
    assert!(finished.stdout.contains("3 packets transmitted, 1 received, 66.6667% packet loss"), "{finished:?}");
}

#[test]
fn a_changed_payload_is_shown_byte_by_byte_and_counted() {
    let Some(finished) = against("corrupt-payload", "") else { return };
    assert!(finished.stdout.contains("\nwrong data byte #40 should be 0x28 but was 0xd7\n#24\t18 19 "), "{finished:?}");
    assert!(
        finished.stdout.contains("3 packets transmitted, 3 received, +1 corrupted, 0% packet loss"),
        "{finished:?}"
    );
}

#[test]
fn mpls_labels_are_shown_with_verbose() {
    let Some(finished) = against("error-mpls", "-v") else { return };
    let lines = "From 10.99.0.254 icmp_seq=2 Time to live exceeded\n   MPLS: label=24001 tc=0 s=1 ttl=1\n";
    assert!(finished.stdout.contains(lines), "{finished:?}");
    assert!(!against("error-mpls", "").unwrap().stdout.contains("MPLS"));
}

#[test]
fn a_probe_dropped_locally_is_not_lost() {
    let Ok(network) = Network::new(&["a", "b"]) else { return testkit::skip("no network namespaces") };
    network.link(("a", "10.0.0.1/24"), ("b", "10.0.0.2/24"));
    network.ip("b", "neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev to-a");
    network.ip("a", "link set to-b address 02:00:00:00:00:01");
    let mut command = network.command("a", env!("CARGO_BIN_EXE_ping"));
    command.args("-n --json -c 4 -i 0.4 -W 0.3 10.0.0.2".split_whitespace());
    let running = Running::start(&mut command);
    running.wait_for_stdout(|text| text.contains("\"reply\"").then_some(()));
    // A token bucket with room for one packet, which takes minutes to fill again.
    let limit = "qdisc add dev to-b root tbf rate 8bit burst 120 limit 1500";
    let tc = finish(network.command("a", "tc").args(limit.split_whitespace()), b"");
    if !tc.status.success() {
        return testkit::skip_for_kernel(&format!("no token bucket: {}", tc.stderr));
    }
    let summary = objects(&running.finish()).pop().unwrap();
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!((count("lost"), count("received") + count("dropped_locally")), (0, 4), "{summary}");
    assert!(count("dropped_locally") >= 2, "{summary}");
}

#[test]
fn stats_full_prints_all_counters() {
    let Some(finished) = against("lost", "--stats full") else { return };
    let (_, tail) = finished.stdout.split_once("rtt min/avg/max/mdev = ").unwrap();
    let lines: Vec<&str> = tail.lines().skip(1).collect();
    assert!(lines[0].starts_with("rtt p50/p90/p99 = ") && lines[1].starts_with("jitter = "), "{finished:?}");
    let outage: f64 = lines[2].strip_prefix("longest outage = ").unwrap().strip_suffix(" ms").unwrap().parse().unwrap();
    assert!((10.0..200.0).contains(&outage), "{finished:?}");
    let counts = "lost 1, in flight 0, late 0, duplicate 0, reordered 0, corrupt 0, foreign 0, errors 0, not sent 0, \
                  dropped locally 0";
    assert_eq!(lines[3], counts);
}

#[test]
fn an_unfinished_probe_at_the_end_is_in_flight_and_not_lost() {
    let Some(finished) = against("silent", "--json -w 0.05") else { return };
    let summary = objects(&finished).pop().unwrap();
    assert_eq!((&summary["lost"], &summary["in_flight"]), (&0.into(), &summary["transmitted"]), "{summary}");
}

#[test]
fn csv_has_a_header_and_a_record_for_each_event() {
    let Some(finished) = against("lost", "--csv") else { return };
    let records: Vec<&str> = finished.stdout.split_terminator("\r\n").collect();
    assert_eq!(records[0], "time,event,target,address,seq,from,bytes,ttl,rtt_ms,rtt_source,reordered,reason");
    let column = |record: &str, index| record.split(',').nth(index).unwrap_or_default().to_owned();
    let events: Vec<String> = records[1..].iter().map(|record| column(record, 1)).collect();
    assert_eq!(events, ["reply", "reply", "lost"]);
    assert!(records.iter().all(|record| record.matches(',').count() == 11), "{finished:?}");
    assert!(column(records[1], 0).parse::<f64>().unwrap() > 1.7e9);
    assert_eq!(column(records[3], 4), "2");
}

#[test]
fn timestamps_are_iso_text_or_unix_seconds() {
    if !can_reach("127.0.0.1") {
        return;
    }
    let line = |words: &str| {
        let finished = run_ping(&format!("{words} -c 1 127.0.0.1"));
        finished.stdout.lines().nth(1).unwrap().to_owned()
    };
    let iso = line("--timestamp iso");
    let is_digits = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text.chars().zip(pattern.chars()).all(|(a, b)| if b == '0' { a.is_ascii_digit() } else { a == b })
    };
    assert!(is_digits(iso.split("] ").next().unwrap(), "[0000-00-00T00:00:00.000000Z"), "{iso}");
    assert!(is_digits(line("--timestamp unix").split("] ").next().unwrap(), "[0000000000.000000"));
    let record: Value = serde_json::from_str(&line("--json --timestamp iso")).unwrap();
    assert!(is_digits(record["time"].as_str().unwrap(), "0000-00-00T00:00:00.000000Z"), "{record}");
}

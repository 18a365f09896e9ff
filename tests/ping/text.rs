//! The text on standard output, compared with golden files once the times are taken out.

use super::{can_reach, run_ping, without_times};
use testkit::golden;

fn prints(name: &str, words: &str) {
    let finished = run_ping(words);
    golden::compare(&format!("ping/{name}.txt"), &without_times(&finished.stdout));
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
}

#[test]
fn three_replies_over_ipv4() {
    if can_reach("127.0.0.1") {
        prints("three-replies", "-c 3 -i 0.01 127.0.0.1");
    }
}

#[test]
fn three_replies_over_ipv6() {
    if can_reach("::1") {
        prints("three-replies-ipv6", "-c 3 -i 0.01 ::1");
    }
}

#[test]
fn quiet_leaves_the_first_line_and_the_summary() {
    if can_reach("127.0.0.1") {
        prints("quiet", "-q -c 2 -i 0.01 127.0.0.1");
    }
}

#[test]
fn timestamps_pattern_and_interface_are_shown() {
    if can_reach("127.0.0.1") {
        prints("stamps-pattern-interface", "-D -p ff00 -I lo -c 1 127.0.0.1");
    }
}

#[test]
fn a_payload_without_room_for_the_time_shows_no_times() {
    if can_reach("127.0.0.1") {
        prints("no-times", "-s 15 -c 1 127.0.0.1");
    }
}

#[test]
fn numeric_output_has_no_names() {
    if can_reach("localhost") {
        let finished = run_ping("-4 -n -c 1 localhost");
        assert!(finished.stdout.contains("64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time="), "{finished:?}");
    }
}

#[test]
fn the_largest_payload_is_sent_and_received() {
    if can_reach("127.0.0.1") {
        let finished = run_ping("-s 65507 -c 1 127.0.0.1");
        assert!(finished.stdout.contains("\n65515 bytes from 127.0.0.1: icmp_seq=1 "), "{finished:?}");
    }
}

//! The books of a run of three targets, with times that the tests make up.

use std::net::IpAddr;

use super::*;
use crate::many::hosts::Builder;
use crate::many::target;

const TIMEOUT: u64 = 1_000;
const PATTERN: [u8; 32] = [0xaa; 32];
const SEAL: [u8; 16] = [7; 16];

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// Three targets from 192.0.2.1 on, whose probes 0, 1 and 2 were sent at 100, 200 and 300.
struct Run {
    hosts: Hosts,
    slots: Slots,
    answered: Answered,
}

impl Run {
    fn new() -> Self {
        let mut builder = Builder::default();
        builder.add_block(target::number(address(1)), 3).unwrap();
        let hosts = builder.finish();
        let slots = Slots::new(500, 1);
        for number in 0u32..3 {
            slots.fill(number.into(), Probe { target: number, round: 0, tries: 0 }, u64::from(number + 1) * 100);
        }
        Self { hosts, slots, answered: Answered::new(3) }
    }

    fn ledger(&self) -> Ledger<'_> {
        Ledger::new(&self.hosts, &self.slots, &self.answered, Seal::new(SEAL), &PATTERN, TIMEOUT)
    }
}

/// The payload that comes back from probe `number`.
fn payload(number: u64, target: IpAddr) -> Vec<u8> {
    let mut payload = PATTERN.to_vec();
    payload::fill(&mut payload, 0, Seal::new(SEAL).code(target, 500, number));
    payload
}

fn reply(sequence: u16, payload: &[u8], from: IpAddr, now: u64) -> Arrived<'_> {
    let heard = Heard::Reply { identifier: 500, sequence, payload, hops: Some(64), is_intact: true };
    Arrived { heard, from, hops: None, stamp: None, now }
}

fn verdict(told: Option<Told>) -> Option<Verdict> {
    match told?.what {
        What::Answer { verdict, .. } => Some(verdict),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reply_a_duplicate_and_a_late_reply_are_told_apart() {
    let run = Run::new();
    let mut ledger = run.ledger();
    let (first, second) = (payload(0, address(1)), payload(1, address(2)));
    assert_eq!(verdict(ledger.arrived(&reply(0, &first, address(1), 150))), Some(Verdict::Reply));
    assert_eq!(verdict(ledger.arrived(&reply(0, &first, address(1), 160))), Some(Verdict::Duplicate));
    assert_eq!(ledger.expire(1_199), None);
    assert_eq!(ledger.expire(1_200).map(|(told, again)| (told.what, again)), Some((What::Lost, None)));
    assert_eq!(verdict(ledger.arrived(&reply(1, &second, address(2), 1_500))), Some(Verdict::Late));
    let (one, two) = (ledger.outcome(0), ledger.outcome(1));
    assert_eq!((one.sent, one.received, one.duplicates), (1, 1, 1));
    assert_eq!((two.sent, two.received, two.late), (1, 1, 1));
    assert_eq!((ledger.counts.lost, run.answered.count()), (0, 2));
}

#[test]
fn what_was_not_asked_from_there_is_foreign_and_answers_nothing() {
    let run = Run::new();
    let mut ledger = run.ledger();
    let (right, other) = (payload(0, address(1)), payload(1, address(2)));
    for (payload, from) in [(&right, address(2)), (&other, address(1)), (&PATTERN.to_vec(), address(1))] {
        let told = ledger.arrived(&reply(0, payload, from, 150)).unwrap();
        assert!(matches!(told.what, What::Foreign { .. }), "{told:?}");
    }
    assert_eq!(ledger.arrived(&reply(3, &right, address(1), 150)), None);
    assert_eq!((ledger.counts.foreign, ledger.outcome(0).received), (3, 0));
}

#[test]
fn a_kernel_stamp_counts_within_what_the_steady_clock_saw_and_not_beyond() {
    let run = Run::new();
    let mut ledger = run.ledger();
    let payloads = [0, 1, 2].map(|number| payload(number, address(u8::try_from(number).unwrap() + 1)));
    ledger.stamped(0, 120, 130);
    // From before the send, and from the future.
    ledger.stamped(1, 199, 400);
    ledger.stamped(1, 401, 400);
    let mut time = |sequence: u16, stamp, now| {
        let from = address(u8::try_from(sequence).unwrap() + 1);
        let arrived = Arrived { stamp, ..reply(sequence, &payloads[usize::from(sequence)], from, now) };
        match ledger.arrived(&arrived).unwrap().what {
            What::Answer { time, source, .. } => (time, source),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(time(0, Some(140), 180), (20, Source::Kernel));
    assert_eq!(time(1, Some(230), 280), (30, Source::KernelReceive));
    assert_eq!(time(2, Some(999), 350), (50, Source::User));
}

#[test]
fn a_probe_whose_answer_this_host_may_have_thrown_away_is_sent_again_three_times_at_most() {
    let run = Run::new();
    let mut ledger = run.ledger();
    ledger.dropped(250);
    let (told, again) = ledger.expire(1_250).unwrap();
    assert_eq!((told.target, told.what), (0, What::Dropped));
    assert_eq!(again, Some(Probe { target: 0, round: 0, tries: 1 }));
    ledger.expire(1_250);
    // The third was sent after the drop, so its answer was lost elsewhere.
    assert_eq!(ledger.expire(1_300).map(|(told, _)| told.what), Some(What::Lost));
    run.slots.fill(3, Probe { target: 0, round: 0, tries: 3 }, 2_000);
    ledger.dropped(2_100);
    assert_eq!(ledger.expire(3_000).map(|(told, again)| (told.what, again)), Some((What::Lost, None)));
    assert_eq!((ledger.counts.dropped_locally, ledger.outcome(0).sent), (2, 1));
    assert!(ledger.is_settled());
}

#[test]
fn without_its_send_stamp_a_probe_never_left_once_stamps_have_been_seen() {
    let run = Run::new();
    let mut ledger = run.ledger();
    ledger.stamped(0, 110, 500);
    let told: Vec<_> = std::iter::from_fn(|| ledger.expire(5_000)).map(|(told, _)| told.what).collect();
    let vanished = What::NotSent(NotSent::Vanished);
    assert_eq!(told, [What::Lost, vanished, vanished]);
    assert_eq!((ledger.counts.lost, ledger.counts.not_sent), (1, 2));
}

#[test]
fn an_error_settles_its_probe_and_only_that_to_the_quoted_target() {
    let run = Run::new();
    let mut ledger = run.ledger();
    let error = |target| Heard::Error { kind: 3, code: 1, info: 0, target, identifier: 500, sequence: 1 };
    let arrived = |heard| Arrived { heard, from: address(99), hops: None, stamp: None, now: 400 };
    assert_eq!(ledger.arrived(&arrived(error(address(3)))), None);
    assert!(ledger.arrived(&arrived(error(address(2)))).is_some());
    let outcome = ledger.outcome(1);
    assert_eq!((outcome.sent, outcome.received, outcome.error), (1, 0, (3, 1)));
    let told: Vec<_> = std::iter::from_fn(|| ledger.expire(5_000)).map(|(told, _)| told.target).collect();
    assert_eq!(told, [0, 2]);
}

#[test]
fn what_is_on_its_way_at_the_end_stays_unknown() {
    let run = Run::new();
    let mut ledger = run.ledger();
    ledger.refused(1, 101);
    ledger.close();
    assert_eq!((ledger.counts.in_flight, ledger.counts.not_sent, ledger.counts.lost), (2, 1, 0));
    assert_eq!((0..3).map(|index| ledger.outcome(index).sent).sum::<u32>(), 3);
}

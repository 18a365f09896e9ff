//! The books of a run of three targets, with times that the tests make up.

use std::net::IpAddr;

use super::*;
use crate::multi::target_set::Builder;
use crate::multi::target_spec;

const TIMEOUT: u64 = 1_000;
const PATTERN: [u8; 32] = [0xaa; 32];
const SEAL: [u8; 16] = [7; 16];

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// Three targets from 192.0.2.1 on, whose probes 0, 1 and 2 were sent at 100, 200 and 300.
struct Run {
    targets: TargetSet,
    ring: ProbeRing,
    alive: AliveSet,
}

impl Run {
    fn new() -> Self {
        let mut builder = Builder::default();
        builder.add_block(target_spec::number(address(1)), 3).unwrap();
        let targets = builder.finish();
        let ring = ProbeRing::new(500, 1);
        for number in 0u32..3 {
            ring.fill(number.into(), Probe { target: number, round: 0, tries: 0 }, u64::from(number + 1) * 100);
        }
        Self { targets, ring, alive: AliveSet::new(3) }
    }

    fn tracker(&self) -> ProbeTracker<'_> {
        ProbeTracker::new(&self.targets, &self.ring, &self.alive, PayloadMac::new(SEAL), &PATTERN, TIMEOUT)
    }
}

/// The payload that comes back from probe `number`.
fn payload(number: u64, target: IpAddr) -> Vec<u8> {
    let mut payload = PATTERN.to_vec();
    payload::fill(&mut payload, 0, PayloadMac::new(SEAL).mac(target, 500, number));
    payload
}

fn reply(sequence: u16, payload: &[u8], from: IpAddr, now: u64) -> Arrival<'_> {
    let message = IcmpMessage::Reply { identifier: 500, sequence, payload, hops: Some(64), is_intact: true };
    Arrival { message, from, hops: None, stamp: None, now }
}

fn class(event: Option<ProbeEvent>) -> Option<ReplyClass> {
    match event?.kind {
        EventKind::Answer(reply) => Some(reply.class),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reply_a_duplicate_and_a_late_reply_are_distinguished() {
    let run = Run::new();
    let mut tracker = run.tracker();
    let (first, second) = (payload(0, address(1)), payload(1, address(2)));
    assert_eq!(class(tracker.arrived(&reply(0, &first, address(1), 150))), Some(ReplyClass::Reply));
    assert_eq!(class(tracker.arrived(&reply(0, &first, address(1), 160))), Some(ReplyClass::Duplicate));
    assert_eq!(tracker.expire(1_199), None);
    assert_eq!(tracker.expire(1_200).map(|(event, again)| (event.kind, again)), Some((EventKind::Lost, None)));
    assert_eq!(class(tracker.arrived(&reply(1, &second, address(2), 1_500))), Some(ReplyClass::Late));
    let (one, two) = (tracker.stats(0), tracker.stats(1));
    assert_eq!((one.sent, one.received, one.duplicates), (1, 1, 1));
    assert_eq!((two.sent, two.received, two.late), (1, 1, 1));
    assert_eq!((tracker.counts.lost, run.alive.count()), (0, 2));
}

#[test]
fn what_was_not_asked_from_there_is_foreign_and_answers_nothing() {
    let run = Run::new();
    let mut tracker = run.tracker();
    let (right, other) = (payload(0, address(1)), payload(1, address(2)));
    for (payload, from) in [(&right, address(2)), (&other, address(1)), (&PATTERN.to_vec(), address(1))] {
        let event = tracker.arrived(&reply(0, payload, from, 150)).unwrap();
        assert!(matches!(event.kind, EventKind::Foreign { .. }), "{event:?}");
    }
    assert_eq!(tracker.arrived(&reply(3, &right, address(1), 150)), None);
    assert_eq!((tracker.counts.foreign, tracker.stats(0).received), (3, 0));
}

#[test]
fn a_kernel_stamp_counts_within_what_the_steady_clock_saw_and_not_beyond() {
    let run = Run::new();
    let mut tracker = run.tracker();
    let payloads = [0, 1, 2].map(|number| payload(number, address(u8::try_from(number).unwrap() + 1)));
    tracker.stamped(0, 120, 130);
    // From before the send, and from the future.
    tracker.stamped(1, 199, 400);
    tracker.stamped(1, 401, 400);
    let mut time = |sequence: u16, stamp, now| {
        let from = address(u8::try_from(sequence).unwrap() + 1);
        let arrived = Arrival { stamp, ..reply(sequence, &payloads[usize::from(sequence)], from, now) };
        match tracker.arrived(&arrived).unwrap().kind {
            EventKind::Answer(reply) => (reply.time, reply.source),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(time(0, Some(140), 180), (20, StampSource::Kernel));
    assert_eq!(time(1, Some(230), 280), (30, StampSource::KernelReceive));
    assert_eq!(time(2, Some(999), 350), (50, StampSource::User));
}

#[test]
fn a_probe_whose_answer_this_host_may_have_thrown_away_is_sent_again_three_times_at_most() {
    let run = Run::new();
    let mut tracker = run.tracker();
    tracker.dropped(250);
    let (event, again) = tracker.expire(1_250).unwrap();
    assert_eq!((event.target, event.kind), (0, EventKind::Dropped));
    assert_eq!(again, Some(Probe { target: 0, round: 0, tries: 1 }));
    tracker.expire(1_250);
    // The third was sent after the drop, so its answer was lost elsewhere.
    assert_eq!(tracker.expire(1_300).map(|(event, _)| event.kind), Some(EventKind::Lost));
    run.ring.fill(3, Probe { target: 0, round: 0, tries: 3 }, 2_000);
    tracker.dropped(2_100);
    assert_eq!(tracker.expire(3_000).map(|(event, again)| (event.kind, again)), Some((EventKind::Lost, None)));
    assert_eq!((tracker.counts.dropped_locally, tracker.stats(0).sent), (2, 1));
    assert!(tracker.is_settled());
}

#[test]
fn a_probe_without_a_send_stamp_was_sent_and_is_lost() {
    let run = Run::new();
    let mut tracker = run.tracker();
    tracker.stamped(0, 110, 500);
    let events: Vec<_> = std::iter::from_fn(|| tracker.expire(5_000)).map(|(event, _)| event.kind).collect();
    assert_eq!(events, [EventKind::Lost, EventKind::Lost, EventKind::Lost]);
    assert_eq!((tracker.counts.lost, tracker.counts.not_sent), (3, 0));
}

#[test]
fn an_error_settles_its_probe_and_only_that_to_the_quoted_target() {
    let run = Run::new();
    let mut tracker = run.tracker();
    let error = |target| IcmpMessage::Error { kind: 3, code: 1, info: 0, target, identifier: 500, sequence: 1 };
    let arrived = |message| Arrival { message, from: address(99), hops: None, stamp: None, now: 400 };
    assert_eq!(tracker.arrived(&arrived(error(address(3)))), None);
    assert!(tracker.arrived(&arrived(error(address(2)))).is_some());
    let stats = tracker.stats(1);
    assert_eq!((stats.sent, stats.received, stats.error), (1, 0, (3, 1)));
    let event: Vec<_> = std::iter::from_fn(|| tracker.expire(5_000)).map(|(event, _)| event.target).collect();
    assert_eq!(event, [0, 2]);
}

#[test]
fn what_is_on_its_way_at_the_end_stays_unknown() {
    let run = Run::new();
    let mut tracker = run.tracker();
    tracker.refused(1, 101);
    tracker.close();
    assert_eq!((tracker.counts.in_flight, tracker.counts.not_sent, tracker.counts.lost), (2, 1, 0));
    assert_eq!((0..3).map(|index| tracker.stats(index).sent).sum::<u32>(), 3);
}

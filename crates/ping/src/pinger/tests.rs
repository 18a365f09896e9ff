//! The scheduler told what happened, and asked what to do.

use super::*;

const MS: Duration = Duration::from_millis(1);

struct Bench {
    start: Instant,
    pinger: Pinger,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Plan)) -> Self {
        let start = Instant::now();
        let mut plan =
            Plan { interval: 100 * MS, preload: 1, count: None, timeout: 250 * MS, deadline: None, user_times: false };
        change(&mut plan);
        Self { start, pinger: Pinger::new(plan, start) }
    }

    fn at(&self, ms: u32) -> Moment {
        Moment { steady: self.start + ms * MS, wall: 1_000_000_000_000 + u64::from(ms) * 1_000_000 }
    }

    fn step(&mut self, ms: u32) -> Action {
        self.pinger.step(self.start + ms * MS)
    }

    fn send(&mut self, ms: u32) {
        let next = self.pinger.counts.transmitted + 1;
        assert_eq!(self.step(ms), Action::Send(next));
        let now = self.at(ms);
        self.pinger.sent(now);
    }

    fn reply(&mut self, wire: u16, ms: u32) -> Option<Answer> {
        let now = self.at(ms);
        self.pinger.reply(wire, now, None, true)
    }
}

#[test]
fn sends_are_at_multiples_of_the_interval_however_late_each_was() {
    let mut bench = Bench::new(|plan| plan.timeout = 10_000 * MS);
    bench.send(0);
    assert_eq!(bench.step(1), Action::Wait(bench.start + 100 * MS));
    bench.send(117);
    assert_eq!(bench.step(118), Action::Wait(bench.start + 200 * MS));
    bench.send(230);
    assert_eq!(bench.step(231), Action::Wait(bench.start + 300 * MS));
}

#[test]
fn a_machine_that_slept_does_not_send_what_it_missed() {
    let mut bench = Bench::new(|plan| plan.timeout = 10_000 * MS);
    bench.send(0);
    bench.send(5_000);
    assert_eq!(bench.step(5_001), Action::Wait(bench.start + 5_100 * MS));
}

#[test]
fn preloaded_probes_leave_together_and_the_next_one_an_interval_later() {
    let mut bench = Bench::new(|plan| plan.preload = 3);
    (0..3).for_each(|_| bench.send(0));
    assert_eq!(bench.step(0), Action::Wait(bench.start + 100 * MS));
}

#[test]
fn an_unanswered_probe_is_told_once_and_its_late_reply_still_counts() {
    let mut bench = Bench::new(|_| ());
    bench.send(0);
    bench.send(100);
    bench.send(200);
    assert_eq!(bench.step(250), Action::NoAnswer(1));
    assert_eq!(bench.step(250), Action::Wait(bench.start + 300 * MS));
    let answer = bench.reply(1, 260).unwrap();
    assert_eq!((answer.verdict, answer.time), (Verdict::Late, 260 * MS));
    let counts = bench.pinger.counts();
    assert_eq!((counts.received, counts.late, counts.pipe), (1, 1, 3));
}

#[test]
fn a_second_reply_is_a_duplicate_and_stays_out_of_the_times() {
    let mut bench = Bench::new(|_| ());
    bench.send(0);
    assert_eq!(bench.reply(1, 10).unwrap().verdict, Verdict::Reply);
    assert_eq!(bench.reply(1, 90).unwrap().verdict, Verdict::Duplicate);
    assert_eq!(bench.pinger.counts().duplicates, 1);
    assert_eq!(bench.pinger.stats().figures().unwrap().maximum, 10 * MS);
}

#[test]
fn a_reply_to_what_was_never_sent_is_nothing() {
    let mut bench = Bench::new(|_| ());
    assert_eq!(bench.reply(0, 1), None);
    bench.send(0);
    for wire in [0, 2, 40_000, 65_535] {
        assert_eq!(bench.reply(wire, 1), None);
        assert_eq!(bench.pinger.error(wire), None);
    }
    assert_eq!(bench.pinger.counts().errors, 0);
}

#[test]
fn a_corrupt_reply_is_counted_but_answers_nothing() {
    let mut bench = Bench::new(|plan| plan.count = Some(1));
    bench.send(0);
    let now = bench.at(5);
    assert!(bench.pinger.reply(1, now, None, false).is_some());
    assert_eq!((bench.pinger.counts().corrupt, bench.pinger.counts().received), (1, 0));
    assert_eq!(bench.step(6), Action::Wait(bench.start + 250 * MS));
}

#[test]
fn a_run_ends_when_each_of_its_probes_has_its_fate() {
    let mut bench = Bench::new(|plan| plan.count = Some(3));
    bench.send(0);
    bench.reply(1, 1);
    bench.send(100);
    assert_eq!(bench.pinger.error(2), Some(2));
    bench.send(200);
    assert_eq!(bench.step(201), Action::Wait(bench.start + 450 * MS));
    assert_eq!(bench.step(450), Action::NoAnswer(3));
    assert_eq!(bench.step(450), Action::Finish);
    assert!(bench.pinger.is_success());
    assert_eq!(bench.pinger.elapsed(), 200 * MS);
}

#[test]
fn a_probe_that_could_not_leave_is_not_waited_for() {
    let mut bench = Bench::new(|plan| plan.count = Some(1));
    bench.send(0);
    bench.pinger.not_sent();
    assert_eq!(bench.step(1), Action::Finish);
    assert!(!bench.pinger.is_success());
}

#[test]
fn a_deadline_ends_the_run_and_asks_for_the_whole_count() {
    let mut bench = Bench::new(|plan| (plan.count, plan.deadline) = (Some(2), Some(150 * MS)));
    bench.send(0);
    bench.reply(1, 1);
    bench.send(100);
    assert_eq!(bench.step(101), Action::Wait(bench.start + 150 * MS));
    assert_eq!(bench.step(150), Action::Finish);
    assert!(!bench.pinger.is_success());
    bench.reply(2, 150);
    assert!(bench.pinger.is_success());
}

#[test]
fn an_error_ends_a_run_with_a_deadline() {
    let mut bench = Bench::new(|plan| plan.deadline = Some(1_000 * MS));
    bench.send(0);
    bench.pinger.error(1);
    assert_eq!(bench.step(2), Action::Finish);
}

#[test]
fn kernel_stamps_count_only_within_what_the_steady_clock_saw() {
    let mut bench = Bench::new(|_| ());
    let ns = |ms: u64| 1_000_000_000_000 + ms * 1_000_000;
    for (kernel_sent, kernel_received, time, source) in [
        (Some(ns(4)), Some(ns(9)), 5, Source::Kernel),
        (None, Some(ns(9)), 9, Source::KernelReceive),
        (Some(ns(12)), Some(ns(9)), 9, Source::KernelReceive),
        (Some(ns(4)), Some(ns(90_000)), 10, Source::User),
        (Some(ns(4)), None, 10, Source::User),
    ] {
        let slot = Slot { sent: bench.at(0), kernel: kernel_sent, fate: Fate::InFlight };
        assert_eq!(round_trip(&slot, bench.at(10), kernel_received), (time * MS, source));
    }
    bench.pinger.plan.user_times = true;
    bench.send(0);
    let now = bench.at(10);
    assert_eq!(bench.pinger.reply(1, now, Some(ns(2)), true).unwrap().source, Source::User);
}

#[test]
fn sequences_go_on_beyond_sixteen_bits_and_old_probes_are_forgotten() {
    let mut bench = Bench::new(|plan| (plan.interval, plan.timeout) = (Duration::ZERO, 1_000_000 * MS));
    for _ in 0..65_540 {
        let now = bench.at(1);
        bench.pinger.sent(now);
    }
    assert_eq!(bench.pinger.slots.len(), REMEMBERED);
    assert_eq!(bench.reply(4, 2).unwrap().sequence, 65_540);
    assert_eq!(bench.reply(5, 2).unwrap().sequence, 5);
    assert_eq!(bench.reply(0, 2).unwrap().sequence, 65_536);
}

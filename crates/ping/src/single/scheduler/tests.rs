//! Tests of the scheduler: events in, actions out.

use super::*;

const MS: Duration = Duration::from_millis(1);

struct Bench {
    start: Instant,
    scheduler: Scheduler,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Plan)) -> Self {
        let start = Instant::now();
        let mut plan = Plan {
            pace: Pace::Every(100 * MS),
            preload: 1,
            count: None,
            timeout: Some(250 * MS),
            deadline: None,
            until: None,
            user_times: false,
        };
        change(&mut plan);
        Self { start, scheduler: Scheduler::new(plan, start) }
    }

    fn at(&self, ms: u32) -> Timestamp {
        Timestamp { monotonic: self.start + ms * MS, wall: 1_000_000_000_000 + u64::from(ms) * 1_000_000 }
    }

    fn step(&mut self, ms: u32) -> Action {
        self.scheduler.step(self.start + ms * MS)
    }

    fn send(&mut self, ms: u32) {
        let next = self.scheduler.counts.transmitted + 1;
        assert_eq!(self.step(ms), Action::Send(next));
        let now = self.at(ms);
        self.scheduler.sent(now);
    }

    fn reply(&mut self, wire: u16, ms: u32) -> Option<Answer> {
        let now = self.at(ms);
        let sequence = self.scheduler.probe(wire)?;
        self.scheduler.reply(sequence, now, None, Integrity::Whole)
    }
}

#[test]
fn sends_are_at_multiples_of_the_interval_however_late_each_was() {
    let mut bench = Bench::new(|plan| plan.timeout = Some(10_000 * MS));
    bench.send(0);
    assert_eq!(bench.step(1), Action::Wait(bench.start + 100 * MS));
    bench.send(117);
    assert_eq!(bench.step(118), Action::Wait(bench.start + 200 * MS));
    bench.send(230);
    assert_eq!(bench.step(231), Action::Wait(bench.start + 300 * MS));
}

#[test]
fn a_machine_that_slept_does_not_send_what_it_missed() {
    let mut bench = Bench::new(|plan| plan.timeout = Some(10_000 * MS));
    bench.send(0);
    bench.send(5_000);
    assert_eq!(bench.step(5_001), Action::Wait(bench.start + 5_100 * MS));
}

#[test]
fn a_busy_machine_catches_up_with_a_fast_schedule() {
    let mut bench = Bench::new(|plan| (plan.pace, plan.timeout) = (Pace::Every(2 * MS), Some(10_000 * MS)));
    bench.send(0);
    bench.send(9);
    bench.send(9);
    bench.send(9);
    bench.send(9);
    assert_eq!(bench.step(9), Action::Wait(bench.start + 10 * MS));
}

#[test]
fn preloaded_probes_leave_together_and_the_next_one_an_interval_later() {
    let mut bench = Bench::new(|plan| plan.preload = 3);
    (0..3).for_each(|_| bench.send(0));
    assert_eq!(bench.step(0), Action::Wait(bench.start + 100 * MS));
}

#[test]
fn an_unanswered_probe_is_reported_once_and_its_late_reply_still_counts() {
    let mut bench = Bench::new(|_| ());
    bench.send(0);
    bench.send(100);
    bench.send(200);
    assert_eq!(bench.step(250), Action::NoAnswer(1));
    assert_eq!(bench.step(250), Action::Wait(bench.start + 300 * MS));
    let answer = bench.reply(1, 260).unwrap();
    assert_eq!((answer.class, answer.time), (ReplyClass::Late, 260 * MS));
    let counts = bench.scheduler.counts();
    assert_eq!((counts.received, counts.late, counts.pipe), (1, 1, 3));
}

#[test]
fn a_second_reply_is_a_duplicate_and_stays_out_of_the_times() {
    let mut bench = Bench::new(|_| ());
    bench.send(0);
    assert_eq!(bench.reply(1, 10).unwrap().class, ReplyClass::Reply);
    assert_eq!(bench.reply(1, 90).unwrap().class, ReplyClass::Duplicate);
    assert_eq!(bench.scheduler.counts().duplicates, 1);
    assert_eq!(bench.scheduler.stats().figures().unwrap().maximum, 10 * MS);
}

#[test]
fn a_reply_to_what_was_never_sent_is_nothing() {
    let mut bench = Bench::new(|_| ());
    assert_eq!(bench.reply(0, 1), None);
    bench.send(0);
    for wire in [0, 2, 40_000, 65_535] {
        assert_eq!(bench.reply(wire, 1), None);
        assert_eq!(bench.scheduler.error(wire), None);
    }
    assert_eq!(bench.scheduler.counts().errors, 0);
}

#[test]
fn a_corrupt_reply_is_counted_but_answers_nothing() {
    let mut bench = Bench::new(|plan| plan.count = Some(1));
    bench.send(0);
    let now = bench.at(5);
    assert!(bench.scheduler.reply(1, now, None, Integrity::Checksum).is_some());
    assert_eq!((bench.scheduler.counts().corrupt, bench.scheduler.counts().received), (1, 0));
    assert_eq!(bench.step(6), Action::Wait(bench.start + 250 * MS));
    // A changed payload comes from a host that is there.
    bench.scheduler.reply(1, now, None, Integrity::Changed(30));
    assert_eq!((bench.scheduler.counts().corrupt, bench.scheduler.counts().received), (2, 1));
}

#[test]
fn a_run_ends_when_each_of_its_probes_has_its_fate() {
    let mut bench = Bench::new(|plan| plan.count = Some(3));
    bench.send(0);
    bench.reply(1, 1);
    bench.send(100);
    assert_eq!(bench.scheduler.error(2), Some(2));
    bench.send(200);
    assert_eq!(bench.step(201), Action::Wait(bench.start + 450 * MS));
    assert_eq!(bench.step(450), Action::NoAnswer(3));
    assert_eq!(bench.step(450), Action::Finish);
    assert!(bench.scheduler.is_success());
    assert_eq!(bench.scheduler.elapsed(), 200 * MS);
}

#[test]
fn a_probe_that_could_not_leave_is_not_waited_for() {
    let mut bench = Bench::new(|plan| plan.count = Some(1));
    bench.send(0);
    bench.scheduler.not_sent(1);
    assert_eq!(bench.step(1), Action::Finish);
    assert!(!bench.scheduler.is_success());
}

#[test]
fn a_deadline_ends_the_run_and_asks_for_the_whole_count() {
    let mut bench = Bench::new(|plan| (plan.count, plan.deadline) = (Some(2), Some(150 * MS)));
    bench.send(0);
    bench.reply(1, 1);
    bench.send(100);
    assert_eq!(bench.step(101), Action::Wait(bench.start + 150 * MS));
    assert_eq!(bench.step(150), Action::Finish);
    assert!(!bench.scheduler.is_success());
    bench.reply(2, 150);
    assert!(bench.scheduler.is_success());
}

#[test]
fn an_error_ends_a_run_with_a_deadline() {
    let mut bench = Bench::new(|plan| plan.deadline = Some(1_000 * MS));
    bench.send(0);
    bench.scheduler.error(1);
    assert_eq!(bench.step(2), Action::Finish);
}

#[test]
fn user_times_leave_the_stamps_of_the_kernel_out() {
    let mut bench = Bench::new(|plan| plan.user_times = true);
    bench.send(0);
    let now = bench.at(10);
    let stamp = Some(1_000_000_000_000 + 2_000_000);
    assert_eq!(bench.scheduler.reply(1, now, stamp, Integrity::Whole).unwrap().source, StampSource::User);
}

#[test]
fn a_reply_behind_that_of_a_later_probe_is_reordered() {
    let mut bench = Bench::new(|_| ());
    bench.send(0);
    bench.send(100);
    bench.send(200);
    let order = [2, 3, 1].map(|wire| bench.reply(wire, 210).unwrap().is_reordered);
    assert_eq!((order, bench.scheduler.counts().reordered), ([false, false, true], 1));
}

#[test]
fn a_flood_is_driven_by_replies_and_without_them_sends_a_hundred_a_second() {
    let mut bench = Bench::new(|plan| (plan.pace, plan.preload) = (Pace::Flood, 2));
    bench.send(0);
    bench.send(0);
    assert_eq!(bench.step(0), Action::Wait(bench.start + 10 * MS));
    bench.reply(1, 1);
    bench.send(1);
    assert_eq!(bench.step(1), Action::Wait(bench.start + 11 * MS));
    bench.send(11);
}

#[test]
fn a_flood_that_this_host_refuses_does_not_run_hot() {
    let mut bench = Bench::new(|plan| (plan.pace, plan.preload) = (Pace::Flood, 16));
    bench.send(0);
    bench.scheduler.not_sent(1);
    assert_eq!(bench.step(0), Action::Wait(bench.start + 10 * MS));
    bench.send(10);
    assert_eq!(bench.step(10), Action::Wait(bench.start + 20 * MS));
    bench.reply(2, 11);
    bench.send(11);
    bench.send(11);
}

#[test]
fn an_adaptive_run_sends_once_a_round_trip() {
    let mut bench = Bench::new(|plan| plan.pace = Pace::Adaptive(2 * MS));
    bench.send(0);
    assert_eq!(bench.step(1), Action::Wait(bench.start + 250 * MS));
    bench.reply(1, 40);
    bench.send(41);
    bench.reply(2, 81);
    assert_eq!(bench.step(80), Action::Wait(bench.start + 81 * MS));
    bench.send(81);
}

#[test]
fn a_run_until_up_ends_with_the_first_reply_whatever_errors_came_before() {
    let mut bench = Bench::new(|plan| (plan.until, plan.deadline) = (Some(Until::Up), Some(1_000 * MS)));
    bench.send(0);
    bench.scheduler.error(1);
    bench.send(100);
    assert!(!bench.scheduler.is_success());
    bench.reply(2, 101);
    assert_eq!(bench.step(102), Action::Finish);
    assert!(bench.scheduler.is_success());
}

#[test]
fn a_run_until_down_ends_with_a_row_of_silence() {
    let mut bench = Bench::new(|plan| (plan.until, plan.timeout) = (Some(Until::Down(2)), Some(10 * MS)));
    bench.send(0);
    assert_eq!(bench.step(10), Action::NoAnswer(1));
    bench.send(100);
    bench.reply(2, 101);
    bench.send(200);
    assert_eq!(bench.step(210), Action::NoAnswer(3));
    bench.send(300);
    assert!(!bench.scheduler.is_success());
    bench.scheduler.error(4);
    assert_eq!(bench.step(310), Action::Finish);
    assert!(bench.scheduler.is_success());
}

#[test]
fn the_tally_holds_probes_that_are_remembered_and_those_that_are_not() {
    let mut bench = Bench::new(|plan| (plan.pace, plan.timeout) = (Pace::Flood, Some(1_000_000 * MS)));
    for _ in 0..65_538 {
        let now = bench.at(1);
        bench.scheduler.sent(now);
    }
    let sequence_stats = bench.scheduler.sequence_stats(bench.start + 2 * MS);
    assert_eq!((sequence_stats.lost(), sequence_stats.in_flight()), (2, 65_536));
}

#[test]
fn sequences_go_on_beyond_sixteen_bits_and_old_probes_are_forgotten() {
    let mut bench = Bench::new(|plan| (plan.pace, plan.timeout) = (Pace::Flood, Some(1_000_000 * MS)));
    for _ in 0..65_540 {
        let now = bench.at(1);
        bench.scheduler.sent(now);
    }
    assert_eq!(bench.scheduler.probes.len(), REMEMBERED);
    assert_eq!(bench.reply(4, 2).unwrap().sequence, 65_540);
    assert_eq!(bench.reply(5, 2).unwrap().sequence, 5);
    assert_eq!(bench.reply(0, 2).unwrap().sequence, 65_536);
}

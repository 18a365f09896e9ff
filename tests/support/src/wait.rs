//! Waiting for a condition, in place of a fixed sleep.

use std::thread;
use std::time::{Duration, Instant};

/// Pause between two checks of a condition.
const CHECK_INTERVAL: Duration = Duration::from_millis(2);

/// Waits until `condition` is true; checks at least once.
///
/// # Panics
/// When the condition is still false after `timeout`.
#[track_caller]
pub fn wait_until(timeout: Duration, mut condition: impl FnMut() -> bool) {
    let found = wait_for(timeout, || condition().then_some(()));
    assert!(found.is_some(), "the condition is still false after {timeout:?}");
}

/// Waits until `found` returns a value; `None` after `timeout`. Checks at least once.
pub fn wait_for<T>(timeout: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let value = found();
        if value.is_some() || Instant::now() >= deadline {
            return value;
        }
        thread::sleep(CHECK_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_returned_as_soon_as_there_is_one() {
        let mut count = 0;
        let found = wait_for(Duration::from_secs(10), || {
            count += 1;
            (count == 3).then_some(count)
        });
        assert_eq!(found, Some(3));
    }

    #[test]
    fn without_time_a_condition_is_checked_once() {
        wait_until(Duration::ZERO, || true);
        assert_eq!(wait_for(Duration::ZERO, || None::<()>), None);
    }

    #[test]
    #[should_panic(expected = "the condition is still false after 5ms")]
    fn a_condition_that_stays_false_fails_the_test() {
        wait_until(Duration::from_millis(5), || false);
    }
}

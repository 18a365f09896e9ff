//! Early end of a test that lacks a program, a right or a kernel feature; a failure in the gate.

use std::fmt::Display;

/// Set to 1 by `.ci/run`, which installs everything that a package can provide.
const STRICT: &str = "TESTKIT_STRICT";

/// Reports that a test stops here because a program, a right or a device is missing.
///
/// # Panics
/// With `TESTKIT_STRICT=1`, where everything that a package can provide is installed and the tests run as root.
#[track_caller]
pub fn skip(reason: &(impl Display + ?Sized)) {
    assert!(std::env::var_os(STRICT).is_none_or(|value| value != "1"), "skipped, although {STRICT}=1: {reason}");
    eprintln!("skipped: {reason}");
}

/// Reports that a test stops here because the kernel lacks what it needs (IPv6, Landlock, enough descriptors).
///
/// No package can provide that, so the gate passes.
pub fn skip_for_kernel(reason: &(impl Display + ?Sized)) {
    eprintln!("skipped: {reason}");
}

//! The target [`fuzz::local::rate`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::local::rate(data));

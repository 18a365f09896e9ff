//! The target [`fuzz::secure::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::secure::session(data));

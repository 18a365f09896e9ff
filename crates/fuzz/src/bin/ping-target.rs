//! The target [`fuzz::local::target`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::local::target(data));

//! The target [`fuzz::ping::target`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ping::target(data));

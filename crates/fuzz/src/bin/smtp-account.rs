//! The target [`fuzz::local::account`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::local::account(data));

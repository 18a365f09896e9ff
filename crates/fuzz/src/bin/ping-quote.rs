//! The target [`fuzz::ping::quote`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ping::quote(data));

//! The target [`fuzz::local::safe_text`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::local::safe_text(data));

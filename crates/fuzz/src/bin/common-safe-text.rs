//! The target [`fuzz::common::safe_text`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::common::safe_text(data));

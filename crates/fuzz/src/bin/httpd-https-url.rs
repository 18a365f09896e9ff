//! The target [`fuzz::secure::url`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::secure::url(data));

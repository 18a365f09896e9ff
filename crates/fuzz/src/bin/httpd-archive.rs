//! The target [`fuzz::local::archive`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::local::archive(data));

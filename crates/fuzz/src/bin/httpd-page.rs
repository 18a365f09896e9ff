//! The target [`fuzz::local::page`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::local::page(data));

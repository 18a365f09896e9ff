//! The target [`fuzz::local::server`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::local::server(data));

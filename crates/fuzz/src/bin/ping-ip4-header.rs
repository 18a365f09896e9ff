//! The target [`fuzz::ping::ip4_header`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ping::ip4_header(data));

//! The target [`fuzz::proxies::header`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::proxies::header(data));

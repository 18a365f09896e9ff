//! The target [`fuzz::proxies::forwarded`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::proxies::forwarded(data));

//! The target [`fuzz::httpd::proxy::forwarded`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::proxy::forwarded(data));

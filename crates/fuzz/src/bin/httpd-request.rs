//! The target [`fuzz::httpd::request`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::request(data));

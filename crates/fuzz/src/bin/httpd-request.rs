//! The target [`fuzz::httpd::http::request`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::http::request(data));

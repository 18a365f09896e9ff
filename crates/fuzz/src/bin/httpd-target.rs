//! The target [`fuzz::httpd::http::target`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::http::target(data));

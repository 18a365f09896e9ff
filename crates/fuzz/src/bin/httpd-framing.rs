//! The target [`fuzz::httpd::http::framing`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::http::framing(data));

//! The target [`fuzz::httpd::http::range`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::http::range(data));

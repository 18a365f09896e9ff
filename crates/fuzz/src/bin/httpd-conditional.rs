//! The target [`fuzz::httpd::http::conditional`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::http::conditional(data));

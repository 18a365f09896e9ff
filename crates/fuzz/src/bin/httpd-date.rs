//! The target [`fuzz::httpd::http::date`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::http::date(data));

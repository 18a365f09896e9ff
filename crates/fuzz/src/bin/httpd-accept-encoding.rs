//! The target [`fuzz::httpd::http::accept_encoding`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::http::accept_encoding(data));

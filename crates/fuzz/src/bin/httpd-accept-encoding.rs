//! The target [`fuzz::httpd::accept_encoding`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::accept_encoding(data));

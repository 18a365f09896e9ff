//! The target [`fuzz::httpd::tls::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::tls::session(data));

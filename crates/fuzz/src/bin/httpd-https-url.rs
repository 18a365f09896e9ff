//! The target [`fuzz::httpd::tls::https_url`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::tls::https_url(data));

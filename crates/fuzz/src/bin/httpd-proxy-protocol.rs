//! The target [`fuzz::httpd::proxy::proxy_protocol`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::proxy::proxy_protocol(data));

//! The target [`fuzz::httpd::conditional`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::conditional(data));

//! The target [`fuzz::httpd::target`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::target(data));

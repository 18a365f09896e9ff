//! The target [`fuzz::httpd::range`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::range(data));

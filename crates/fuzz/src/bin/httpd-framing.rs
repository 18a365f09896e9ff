//! The target [`fuzz::httpd::framing`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::framing(data));

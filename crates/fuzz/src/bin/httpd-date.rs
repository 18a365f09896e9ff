//! The target [`fuzz::httpd::date`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::date(data));

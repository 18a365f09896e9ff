//! The target [`fuzz::httpd::authentication::credentials`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::authentication::credentials(data));

//! The target [`fuzz::httpd::content::archive`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::content::archive(data));

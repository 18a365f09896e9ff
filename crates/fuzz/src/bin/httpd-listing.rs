//! The target [`fuzz::httpd::content::listing`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::content::listing(data));

//! The target [`fuzz::httpd::content::live_reload_page`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::content::live_reload_page(data));

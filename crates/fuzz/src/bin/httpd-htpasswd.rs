//! The target [`fuzz::httpd::authentication::htpasswd`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::httpd::authentication::htpasswd(data));

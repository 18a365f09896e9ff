//! The target [`fuzz::login::htpasswd`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::login::htpasswd(data));

//! The target [`fuzz::ping::extension`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ping::extension(data));

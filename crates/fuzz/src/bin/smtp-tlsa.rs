//! The target [`fuzz::direct::tlsa`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::direct::tlsa(data));

//! The target [`fuzz::direct::dkim`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::direct::dkim(data));

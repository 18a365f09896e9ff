//! The target [`fuzz::direct::mta_sts`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::direct::mta_sts(data));

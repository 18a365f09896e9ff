//! The target [`fuzz::direct::dns_answer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::direct::dns_answer(data));

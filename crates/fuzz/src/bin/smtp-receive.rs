//! The target [`fuzz::wire::receive`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::wire::receive(data));

//! The target [`fuzz::wire::pin`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::wire::pin(data));

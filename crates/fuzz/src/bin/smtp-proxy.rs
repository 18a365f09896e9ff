//! The target [`fuzz::wire::proxy`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::wire::proxy(data));

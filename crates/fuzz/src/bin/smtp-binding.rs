//! The target [`fuzz::wire::binding`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::wire::binding(data));

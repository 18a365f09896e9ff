//! The target [`fuzz::common::values_of_options`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::common::values_of_options(data));

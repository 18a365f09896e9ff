//! The target [`fuzz::local::file_names`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::local::file_names(data));

//! The target [`fuzz::bulk::table`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bulk::table(data));

//! The target [`fuzz::bulk::journal`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bulk::journal(data));

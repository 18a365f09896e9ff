//! The target [`fuzz::bulk::ticket`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bulk::ticket(data));

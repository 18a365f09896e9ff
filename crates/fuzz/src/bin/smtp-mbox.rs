//! The target [`fuzz::bulk::mbox`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bulk::mbox(data));

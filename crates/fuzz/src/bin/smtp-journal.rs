//! The target [`fuzz::smtp_send::bulk::journal`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::bulk::journal(data));

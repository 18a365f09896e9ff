//! The target [`fuzz::smtp_send::bulk::mbox`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::bulk::mbox(data));

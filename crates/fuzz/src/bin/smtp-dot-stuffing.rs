//! The target [`fuzz::smtp_send::protocol::dot_stuffing`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::protocol::dot_stuffing(data));

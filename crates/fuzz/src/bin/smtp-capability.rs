//! The target [`fuzz::smtp_send::protocol::capability`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::protocol::capability(data));

//! The target [`fuzz::smtp_send::connection::pin`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::connection::pin(data));

//! The target [`fuzz::smtp_send::account::server_address`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::account::server_address(data));

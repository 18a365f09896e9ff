//! The target [`fuzz::smtp_send::bulk::control_file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::bulk::control_file(data));

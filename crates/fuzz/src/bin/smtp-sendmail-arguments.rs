//! The target [`fuzz::sendmail::arguments`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sendmail::arguments(data));

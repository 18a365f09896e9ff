//! The target [`fuzz::sendmail::header`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sendmail::header(data));

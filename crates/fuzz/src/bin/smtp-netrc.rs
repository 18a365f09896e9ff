//! The target [`fuzz::sendmail::netrc`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sendmail::netrc(data));

//! The target [`fuzz::smtp_send::mx::mta_sts`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::mx::mta_sts(data));

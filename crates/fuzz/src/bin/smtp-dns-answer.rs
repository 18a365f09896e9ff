//! The target [`fuzz::smtp_send::mx::dns_answer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::mx::dns_answer(data));

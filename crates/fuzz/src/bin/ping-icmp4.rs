//! The target [`fuzz::ping::icmp4`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ping::icmp4(data));

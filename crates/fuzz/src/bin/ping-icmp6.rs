//! The target [`fuzz::ping::icmp6`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ping::icmp6(data));

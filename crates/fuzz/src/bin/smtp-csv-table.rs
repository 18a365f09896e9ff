//! The target [`fuzz::smtp_send::bulk::csv_table`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::smtp_send::bulk::csv_table(data));

//! Fuzz targets for every parser of untrusted input: one function per parser, one file in `src/bin` per target.
//!
//! A target takes arbitrary bytes. It panics when the parser panics, breaks a stated property, or differs from a second
//! implementation. libFuzzer guides it by coverage, with a stable compiler (options in `.cargo/config.toml`).
//!
//! `./run [SECONDS] [TARGET...]` runs the targets, three at a time, and prints a table. One target for longer:
//!
//! ```text
//! cargo run --release --bin httpd-range -- -max_total_time=300 corpus/httpd-range seeds/httpd-range
//! ```
//!
//! libFuzzer adds inputs to the first folder, which must exist, and only reads the second; `-runs=0` replays both. It saves
//! an input that panics as `crash-*` and replays it when given its name; the fix adds that input as a test of the parser.
#![forbid(unsafe_code)]

pub mod common;
pub mod httpd;
pub mod ping;
pub mod smtp_send;

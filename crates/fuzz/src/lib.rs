//! Fuzz targets for every parser that strangers can reach; one module per program, one function per parser.
//!
//! `./run [SECONDS] [TARGET...]` runs all of them, three at a time, and prints a table; the gate gives each 20 seconds.
//!
//! Coverage-guided by libFuzzer, on a stable compiler (`.cargo/config.toml` holds the options). In this folder:
//!
//! ```text
//! cargo run --release --bin httpd-range -- -max_total_time=300 corpus/httpd-range seeds/httpd-range
//! ```
//!
//! The first folder (make it before) receives what was found worth keeping, the second is only read; `-runs=0` reads both
//! and stops. An input that panics is saved as `crash-*` and run again by giving its name; it then becomes a test beside the
//! parser. `cargo fuzz run --fuzz-dir . --sanitizer none httpd-range` does the same for those who have cargo-fuzz. A target
//! compares with a second opinion: another parser, or a slow reference.
#![forbid(unsafe_code)]

pub mod bulk;
pub mod direct;
pub mod httpd;
pub mod local;
pub mod login;
pub mod ping;
pub mod proxies;
pub mod secure;
pub mod sendmail;
pub mod session;
pub mod smtp_send;
pub mod wire;

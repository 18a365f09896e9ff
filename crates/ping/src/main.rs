//! The `ping` program: hands its arguments to the library and its result to the system.
//!
//! Everything it does is in `lib.rs` and below; the one line for an error is printed by `common::exit::run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::exit::run("ping", ping::exit_code, || ping::run_from(std::env::args_os()))
}

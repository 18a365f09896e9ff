//! The `ping` program; everything it does is in the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::exit::run("ping", ping::exit_code, || ping::run_from(std::env::args_os()))
}

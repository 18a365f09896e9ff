//! The `ping` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ping::run(std::env::args_os())
}

//! The program `smtp-send`; everything is in the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    smtp_send::run(std::env::args_os())
}

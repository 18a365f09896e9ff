//! The program `smtp-send`. Everything is in the library beside it; here is only how it ends.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::exit::run("smtp-send", smtp_send::code_of, || smtp_send::run_from(std::env::args_os()))
}

//! The program `httpd`; the code is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    httpd::run(std::env::args_os())
}

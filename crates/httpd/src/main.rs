//! The program `httpd`; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::exit::run("httpd", httpd::exit_code, || httpd::serve(std::env::args_os()))
}

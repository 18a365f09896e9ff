//! What is installed beside the program: the man page and the completions say what `--help` says.

use clap::CommandFactory;
use httpd::cli::Cli;
use testkit::dist;

#[test]
fn the_man_page_holds_every_option() {
    dist::compare_man_page(&Cli::command(), 8, &[]);
}

#[test]
fn completions_know_every_option() {
    dist::compare_completions(&Cli::command());
}

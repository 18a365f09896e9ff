//! What is installed beside the program: the man page and the completions say what `--help` says.

use std::process::Command;

use clap::CommandFactory;
use smtp_send::cli::{AccountCli, Cli, QueueCli};
use testkit::dist::{self, HelpText};
use testkit::process::finish;

/// What the program itself says about the command line of sendmail.
fn sendmail() -> HelpText {
    let help = finish(Command::new(env!("CARGO_BIN_EXE_smtp-send")).args(["sendmail", "--help"]), b"");
    assert_eq!(help.code(), 0, "{}", help.stderr);
    HelpText::parse(&help.stdout)
}

#[test]
fn the_man_page_holds_every_option_also_those_of_sendmail() {
    dist::compare_man_page(&Cli::command(), 1, &[("@SENDMAIL@", sendmail().page())]);
}

#[test]
fn completions_know_every_option_also_those_of_sendmail() {
    let sendmail = clap::Command::new("sendmail")
        .about("Read a message as sendmail does")
        .disable_help_flag(true)
        .args(sendmail().arguments());
    dist::compare_completions(
        &Cli::command()
            .disable_help_subcommand(true)
            .subcommand(sendmail)
            .subcommand(QueueCli::definition())
            .subcommand(AccountCli::definition()),
    );
}

#[test]
fn the_man_page_names_every_option_of_the_queue_and_of_accounts() {
    let page = include_str!("../../crates/smtp-send/dist/smtp-send.1.in").replace('\\', "");
    let (queue, account, mut wanted) = (QueueCli::definition(), AccountCli::definition(), Vec::new());
    for (of, action) in [&queue, &account].into_iter().flat_map(|of| of.get_subcommands().map(move |one| (of, one))) {
        wanted.push(format!("{} {}", of.get_name(), action.get_name()));
        wanted.extend(action.get_arguments().filter_map(|one| one.get_long()).map(|long| format!("--{long}")));
    }
    let missing: Vec<_> = wanted.iter().filter(|word| !page.contains(word.as_str())).collect();
    assert!(missing.is_empty() && wanted.len() > 5, "{missing:?}");
}

#[test]
fn the_man_page_explains_every_exit_code() {
    let page = include_str!("../../crates/smtp-send/dist/smtp-send.1.in");
    let exit_status = page.split(".SH ").find(|section| section.starts_with("\"EXIT STATUS\"")).unwrap();
    let codes = [64, 65, 66, 67, 68, 69, 71, 75, 76, 77, 78];
    let missing: Vec<_> = codes.iter().filter(|code| !exit_status.contains(&format!("\n.B {code}\n"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

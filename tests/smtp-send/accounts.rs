//! Accounts in config.toml: what they set, what takes precedence, and errors in the file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::unistd::geteuid;
use tempfile::TempDir;
use testkit::process::finish;
use testkit::smtp::{Authority, Script, Server};

use crate::home::{Home, inherit};
use crate::support::{assert_fails, assert_sent};

fn account(name: &str, server: &Server, more: &str) -> String {
    format!("[account.{name}]\nserver = '{}'\nfrom = '{name}@example.org'\n{more}\n", server.address())
}

#[test]
fn the_default_account_is_used_without_a_word() {
    let server = Server::start(Script::default());
    let home = Home::new(&account("default", &server, "helo = 'client.example.org'"));
    assert_sent(&home.send(&[]));
    assert!(server.mail().from.starts_with("<default@example.org>"));
    assert_eq!(server.lines()[0], "EHLO client.example.org");
}

#[test]
fn an_account_is_named_by_option_or_environment_and_the_option_counts_more() {
    let (one, two) = (Server::start(Script::default()), Server::start(Script::default()));
    let home = Home::new(&(account("one", &one, "") + &account("two", &two, "")));
    assert_sent(&home.send(&["--account", "one"]));
    assert_sent(&home.send_with(&[("SMTP_SEND_ACCOUNT", "two")], &[]));
    assert_sent(&home.send_with(&[("SMTP_SEND_ACCOUNT", "one")], &["--account", "two"]));
    assert_eq!((one.mails().len(), two.mails().len()), (1, 2));
}

#[test]
fn xdg_config_home_moves_the_file() {
    let server = Server::start(Script::default());
    let home = Home::new(&account("default", &server, ""));
    let moved = TempDir::new().unwrap();
    fs::create_dir(moved.path().join("smtp-send")).unwrap();
    fs::rename(home.file(), moved.path().join("smtp-send/config.toml")).unwrap();
    assert_fails(&home.send(&["--dns-server", "127.0.0.1:1"]), 75, &["example.com", "--server"]);
    assert_sent(&home.send_with(&[("XDG_CONFIG_HOME", moved.path().to_str().unwrap())], &[]));
}

#[test]
fn what_is_typed_takes_precedence_over_the_account() {
    let server = Server::start_tls(Script::default(), &Authority::new(), "127.0.0.1");
    let home = Home::new(&account("default", &server, "helo = 'a.example'\ntls = 'off'\nipv6 = true\nport = 1"));
    let port = server.address().port().to_string();
    let config = fs::read_to_string(home.file()).unwrap().replace(&format!(":{port}"), "");
    fs::write(home.file(), config).unwrap();
    let args = ["--from", "typed@example.org", "--helo", "b.example", "-4", "--port", &port, "--insecure"];
    assert_sent(&home.send(&args));
    assert!(server.mail().from.starts_with("<typed@example.org>"));
    assert_eq!(server.lines()[0], "EHLO b.example");
}

#[test]
fn a_typed_port_replaces_the_one_behind_the_server_of_the_account() {
    let server = Server::start(Script::default());
    let home = Home::new("[account.default]\nserver = '127.0.0.1:1'\n");
    assert_sent(&home.send(&["--port", &server.address().port().to_string()]));
}

#[test]
fn another_server_gets_nothing_of_the_default_account() {
    let (ours, theirs) = (Server::start(Script::default()), Server::start(Script::default()));
    let home = Home::new(&account("default", &ours, "helo = 'a.example'\ntls = 'starttls'"));
    let address = theirs.address().to_string().replace("127.0.0.1", "localhost");
    assert_sent(&home.send(&["--server", &address, "--from", "me@example.org"]));
    assert_ne!(theirs.lines()[0], "EHLO a.example");
    // The same host by another port is the same account; so is any host when the account is named.
    for args in [&["--server", "127.0.0.1:1"][..], &["--server", &address, "--account", "default"]] {
        assert_ne!(home.send(args).code(), 0);
    }
    assert_eq!(theirs.lines().iter().filter(|line| *line == "EHLO a.example").count(), 1);
}

#[test]
fn mistakes_name_file_line_and_key() {
    let cases = [
        ("[account.default]\n\nsever = 'x'\n", "line 3: sever: no option has this name: did you mean 'server'?"),
        ("[account.default]\ntls = 'on'\n", "line 2: tls: 'on' is not one of auto, starttls, implicit, off"),
        ("[account.default]\nport = 'x'\n", "line 2: port: 'x': "),
        ("[account.default]\ninsecure = 1\n", "line 2: insecure: write true or false"),
        ("[account.default]\nsubject = 'x'\n", "line 2: subject: this option belongs to one message"),
        ("[account.default]\njson = true\n", "line 2: json: this option belongs to one run"),
        ("[account.default]\nserver = mail\n", "line 2: "),
        ("[acount.default]\nserver = 'mail'\n", "line 1: acount: unknown table"),
    ];
    for (config, words) in cases {
        let home = Home::new(config);
        let place = home.file().display().to_string();
        assert_fails(&home.send(&[]), 78, &[&place, words]);
    }
}

#[test]
fn a_value_that_turns_out_wrong_later_names_its_line_too() {
    for (config, code, words) in [
        ("[account.default]\nserver = 'a b'\n", 64, "line 2: --server a b: not a host name"),
        ("[account.default]\nserver = 'x'\ntimeout = 0\n", 64, "line 3: --timeout: "),
        ("[account.default]\nfrom = 'invalid'\nserver = 'x'\n", 65, "line 2: --from invalid: "),
    ] {
        assert_fails(&Home::new(config).send(&[]), code, &["config.toml", words]);
    }
}

#[test]
fn a_password_in_the_file_is_refused_and_not_shown() {
    let home = Home::new("[account.default]\nserver = 'x'\npassword = 'hunter2'\n");
    let finished = home.send(&[]);
    assert_fails(&finished, 78, &["line 3: password: ", "password-command", "password-file"]);
    assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
}

#[test]
fn an_account_that_is_not_there_is_answered_with_those_that_are() {
    let home = Home::new("[account.home]\nserver = 'x'\n[account.work]\nserver = 'y'\n");
    assert_fails(&home.send(&["--account", "wrok"]), 78, &["account wrok", "home, work"]);
    assert_fails(&home.send_with(&[("SMTP_SEND_ACCOUNT", "x")], &[]), 78, &["account x", "home, work"]);
    fs::remove_file(home.file()).unwrap();
    let place = home.file().display().to_string();
    assert_fails(&home.send(&["--account", "work"]), 78, &["account work", "[account.work]", &place]);
}

#[test]
fn a_file_that_others_can_change_is_not_obeyed() {
    let server = Server::start(Script::default());
    let home = Home::new(&account("default", &server, ""));
    fs::set_permissions(home.file(), Permissions::from_mode(0o666)).unwrap();
    assert_fails(&home.send(&[]), 78, &["config.toml", "chmod go-w"]);
    fs::set_permissions(home.file(), Permissions::from_mode(0o644)).unwrap();
    assert_sent(&home.send(&[]));
}

#[test]
fn a_file_that_cannot_be_read_is_reported() {
    let home = Home::new("");
    fs::remove_file(home.file()).unwrap();
    fs::create_dir(home.file()).unwrap();
    assert_fails(&home.send(&[]), 66, &["config.toml", "directory"]);
    fs::remove_dir(home.file()).unwrap();
    fs::write(home.file(), b"[account.default]\nserver = '\xff'\n").unwrap();
    assert_fails(&home.send(&[]), 78, &["config.toml", "not UTF-8"]);
}

#[test]
fn a_file_that_is_closed_to_this_user_is_reported_when_no_other_has_an_account() {
    if !geteuid().is_root() {
        testkit::skip("only root can become another user");
        return;
    }
    let home = Home::new("[account.default]\nserver = 'x'\n");
    let plain = home.command(&["--to", "bob@example.com", "--body", "x"]);
    let as_another = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--clear-groups"]);
        command
    };
    if !as_another().args(["test", "-x"]).arg(plain.get_program()).status().is_ok_and(|status| status.success()) {
        testkit::skip_for_kernel("another user cannot reach the program");
        return;
    }
    let mut command = as_another();
    command.arg(plain.get_program()).args(plain.get_args());
    inherit(&mut command, &plain);
    assert_fails(&finish(&mut command, b""), 66, &["config.toml", "Permission denied"]);
}

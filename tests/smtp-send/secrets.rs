//! Where passwords come from, which source counts more, and that they are never seen.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use testkit::process::{Finished, finish};
use testkit::smtp::{Script, Server};

use crate::home::{Home, inherit};
use crate::support::{assert_fails, assert_sent};

const LOGIN: [&str; 4] = ["--user", "me", "--allow-cleartext-login", "--from=me@example.org"];

/// A server that accepts any login.
fn server() -> Server {
    Server::start(Script::default().extensions(&["AUTH PLAIN", "8BITMIME"]).auth(&["235 2.7.0 Ok"]))
}

/// The passwords that were used.
fn used(server: &Server) -> Vec<String> {
    let lines = server.lines();
    let logins = lines.iter().filter_map(|line| line.strip_prefix("AUTH PLAIN "));
    let words = logins.map(|word| String::from_utf8(BASE64_STANDARD.decode(word).unwrap()).unwrap());
    words.map(|word| word.strip_prefix("\0me\0").unwrap().to_owned()).collect()
}

fn log_in(home: &Home, server: &Server, environment: &[(&str, &str)], args: &[&str]) -> Finished {
    let address = server.address().to_string();
    home.send_with(environment, &[&["--server", &address], &LOGIN[..], args].concat())
}

/// The same without a terminal, whatever the tests were started from.
fn log_in_without_terminal(home: &Home, server: &Server, args: &[&str]) -> Finished {
    let address = server.address().to_string();
    let args = [&["--to", "bob@example.com", "--body", "x", "--server", &address], &LOGIN[..], args].concat();
    finish(&mut behind("setsid", &["--wait"], &home.command(&args)), b"")
}

/// `command` as the last arguments of another program.
fn behind(program: &str, args: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(program);
    outer.args(args).arg(command.get_program()).args(command.get_args());
    inherit(&mut outer, command);
    outer
}

#[test]
fn the_first_line_of_a_file_is_the_password() {
    let (home, server) = (Home::new(""), server());
    for text in ["sesame", "sesame\n", "sesame\r\nsecond line\n"] {
        let file = home.write("password", text);
        assert_sent(&log_in(&home, &server, &[], &["--password-file", &file]));
    }
    assert_eq!(used(&server), ["sesame"; 3]);
}

#[test]
fn a_password_file_that_others_can_read_is_refused() {
    let (home, server) = (Home::new(""), server());
    let file = home.write("password", "sesame");
    for mode in [0o640, 0o604, 0o644] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        assert_fails(&log_in(&home, &server, &[], &["--password-file", &file]), 78, &["--password-file", "chmod 600"]);
    }
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_password_file_of_another_user_is_refused() {
    if !geteuid().is_root() {
        testkit::skip("only root can give a file away");
        return;
    }
    let (home, server) = (Home::new(""), server());
    let file = home.write("password", "sesame");
    chown(&file, Some(65534), None).unwrap();
    assert_fails(&log_in(&home, &server, &[], &["--password-file", &file]), 78, &["another user"]);
}

#[test]
fn a_password_file_that_holds_none_is_reported() {
    let (home, server) = (Home::new(""), server());
    let file = home.write("password", "\nsesame");
    assert_fails(&log_in(&home, &server, &[], &["--password-file", &file]), 78, &[&file, "empty"]);
    fs::write(&file, "x".repeat(100_000)).unwrap();
    assert_fails(&log_in(&home, &server, &[], &["--password-file", &file]), 78, &[&file, "65536 bytes"]);
    fs::write(&file, b"caf\xe9").unwrap();
    assert_fails(&log_in(&home, &server, &[], &["--password-file", &file]), 78, &[&file, "UTF-8"]);
    assert_fails(&log_in(&home, &server, &[], &["--password-file", "/nonexistent"]), 66, &["No such file"]);
    let fifo = home.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    assert_fails(&log_in(&home, &server, &[], &["--password-file", fifo.to_str().unwrap()]), 78, &["empty"]);
}

#[test]
fn a_descriptor_gives_the_password() {
    let (home, server) = (Home::new(""), server());
    home.write("password", "sesame\n");
    let address = server.address().to_string();
    let args = ["--to", "b@example.com", "--body", "x", "--server", &address, "--password-fd", "7"];
    let command = home.command(&[&args[..], &LOGIN].concat());
    for open in ["exec 7<\"$HOME/password\"", "exec 7<<'E'\nsesame\nE\n"] {
        let script = format!("{open}\nexec \"$0\" \"$@\"");
        assert_sent(&finish(&mut behind("sh", &["-c", &script], &command), b""));
    }
    assert_eq!(used(&server), ["sesame"; 2]);
    assert_fails(&log_in(&home, &server, &[], &["--password-fd", "9"]), 66, &["--password-fd 9", "not open"]);
}

#[test]
fn standard_input_is_the_text_and_no_password() {
    let (home, server) = (Home::new(""), server());
    for option in [["--password-fd", "0"], ["--password-file", "/dev/stdin"]] {
        let finished = log_in(&home, &server, &[], &option);
        assert_eq!(finished.code(), 78, "{finished:?}");
        assert!(finished.stderr.contains("standard input"), "{finished:?}");
    }
}

#[test]
fn a_command_prints_the_password_and_its_words_pass_through() {
    let (home, server) = (Home::new(""), server());
    let finished = log_in(&home, &server, &[], &["--password-command", "echo sesame; echo unlocked >&2"]);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, "unlocked\n"));
    assert_eq!(used(&server), ["sesame"]);
}

#[test]
fn a_command_that_fails_is_reported_by_its_exit_code_and_not_by_its_text() {
    let (home, server) = (Home::new(""), server());
    let finished = log_in(&home, &server, &[], &["--password-command", "echo sesame; exit 3"]);
    assert_fails(&finished, 78, &["--password-command: exit code 3"]);
    assert!(!finished.stderr.contains("sesame"), "{finished:?}");
    assert_fails(&log_in(&home, &server, &[], &["--password-command", "yes | tr -d '\\n'"]), 78, &["65536 bytes"]);
    assert_fails(&log_in(&home, &server, &[], &["--password-command", "kill -9 $$"]), 78, &["signal 9"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn what_is_typed_takes_precedence_over_the_environment_and_that_the_account() {
    let server = server();
    let home = Home::with_account(&server, "user = 'me'\nallow-cleartext-login = true\npassword-command = 'echo file'");
    let environment = [("SMTP_PASSWORD", "environment")];
    assert_sent(&home.send(&[]));
    assert_sent(&home.send_with(&environment, &[]));
    assert_sent(&home.send_with(&environment, &["--password-command", "echo typed"]));
    assert_sent(&home.send_with(&[("SMTP_PASSWORD", "")], &[]));
    assert_eq!(used(&server), ["file", "environment", "typed", "file"]);
}

#[test]
fn a_failing_command_of_an_account_is_reported_with_its_line() {
    let server = server();
    let home = Home::with_account(&server, "user = 'me'\npassword-command = 'exit 4'");
    assert_fails(&home.send(&[]), 78, &["config.toml line 5: --password-command: exit code 4"]);
}

#[test]
fn netrc_is_asked_when_nothing_else_is_given() {
    let (home, server) = (Home::new(""), server());
    home.write(".netrc", "machine other login me password no\nmachine 127.0.0.1 login me password \"se same\"\n");
    assert_sent(&log_in(&home, &server, &[], &[]));
    assert_sent(&log_in(&home, &server, &[("SMTP_PASSWORD", "environment")], &[]));
    assert_eq!(used(&server), ["se same", "environment"]);
}

#[test]
fn a_netrc_that_others_can_read_or_that_is_broken_is_refused_without_its_words() {
    let (home, server) = (Home::new(""), server());
    let file = home.write(".netrc", "machine 127.0.0.1 login me password sesame\n");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert_fails(&log_in(&home, &server, &[], &[]), 78, &[&file, "chmod 600"]);
    home.write(".netrc", "machine 127.0.0.1\nlogin me password open sesame\n");
    let finished = log_in(&home, &server, &[], &[]);
    assert_fails(&finished, 78, &[&file, "line 2", "quote"]);
    assert!(!finished.stderr.contains("sesame"), "{finished:?}");
}

#[test]
fn without_a_password_and_without_a_terminal_the_ways_are_named() {
    let (home, server) = (Home::new(""), server());
    let ways = ["password of me at 127.0.0.1", "SMTP_PASSWORD", "--password-file", "--password-command", ".netrc"];
    assert_fails(&log_in_without_terminal(&home, &server, &[]), 78, &ways);
    home.write(".netrc", "machine elsewhere login me password no\n");
    assert_fails(&log_in_without_terminal(&home, &server, &[]), 78, &ways);
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_password_is_not_in_the_transcript_the_report_or_an_error() {
    let refusing = Script::default().extensions(&["AUTH PLAIN"]).auth(&["535 5.7.8 No"]);
    for server in [server(), Server::start(refusing)] {
        let home = Home::new("");
        let finished = log_in(&home, &server, &[("SMTP_PASSWORD", "sesame")], &["-v", "--json"]);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!said.contains("sesame") && !said.contains(&BASE64_STANDARD.encode("\0me\0sesame")), "{said}");
        assert!(said.contains("AUTH PLAIN"), "{said}");
        assert_eq!(used(&server), ["sesame"]);
    }
}

/// A terminal made by script(1), in which `command` runs.
struct Terminal(std::process::Child);

impl Terminal {
    fn start(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let quoted = |word: &OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''"));
        let line = words.map(quoted).collect::<Vec<_>>().join(" ");
        let mut outer = Command::new("script");
        outer.args(["-qec", &format!("trap : INT; {line}; echo code $?; stty -a"), "/dev/null"]);
        inherit(&mut outer, command);
        let child = outer.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Self(child)
    }

    /// Waits for `question`, types `answer`, and gives all that was seen.
    fn answer(mut self, question: &str, answer: &[u8]) -> String {
        let (mut seen, mut block) = (Vec::new(), [0; 1024]);
        let mut out = self.0.stdout.take().unwrap();
        let mut typed = false;
        let start = Instant::now();
        loop {
            let length = out.read(&mut block).unwrap_or(0);
            seen.extend_from_slice(&block[..length]);
            let text = String::from_utf8_lossy(&seen).into_owned();
            if !typed && text.contains(question) {
                self.0.stdin.as_mut().unwrap().write_all(answer).unwrap();
                typed = true;
            }
            if length == 0 || start.elapsed() > Duration::from_secs(20) {
                return text;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn on_a_terminal_the_password_is_asked_for_and_not_shown() {
    let (home, server) = (Home::new(""), server());
    let address = server.address().to_string();
    let args = ["--to", "b@example.com", "--body", "x", "--server", &address];
    let command = home.command(&[&args[..], &LOGIN].concat());
    let seen = Terminal::start(&command).answer("Password of me at 127.0.0.1: ", b"sesame\n");
    assert!(seen.contains("code 0") && !seen.contains("sesame"), "{seen}");
    assert_eq!(used(&server), ["sesame"]);
}

#[test]
fn an_interrupt_at_the_prompt_ends_the_program_and_leaves_the_echo_on() {
    let (home, server) = (Home::new(""), server());
    let address = server.address().to_string();
    let args = ["--to", "b@example.com", "--body", "x", "--server", &address];
    let command = home.command(&[&args[..], &LOGIN].concat());
    let seen = Terminal::start(&command).answer("Password of me at 127.0.0.1: ", b"ses\x03");
    assert!(seen.contains(" echo ") && !seen.contains("code 0"), "{seen}");
    assert_eq!(server.lines(), Vec::<String>::new());
}

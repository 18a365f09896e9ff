//! Wrong options, addresses and files: one line, the right code, and nothing is sent.

use std::fs;
use std::net::TcpListener;

use tempfile::TempDir;
use testkit::process::free_port;
use testkit::smtp::{Script, Server};

use crate::support::{assert_fails, run, send, send_to, smtp_send};

#[test]
fn without_a_recipient_nothing_is_sent() {
    let server = Server::start(Script::default());
    assert_fails(&send_to(&server, &[], b"x\n"), 64, &["no recipient", "--to"]);
    assert_fails(&send_to(&server, &["--to", " , "], b"x\n"), 64, &["no recipient"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn without_a_server_and_without_dns_it_says_which_option_helps() {
    assert_fails(&run(&["--to", "a@example.com", "--dns-server", "127.0.0.1:1"], b"x\n"), 75, &["MX", "--server"]);
}

#[test]
fn unknown_options_and_values_are_one_line() {
    assert_fails(&run(&["--sever", "x"], b""), 64, &["--sever", "--server"]);
    assert_fails(&run(&["--tls", "maybe"], b""), 64, &["maybe", "starttls"]);
    assert_fails(&run(&["--port", "0", "--server", "x"], b""), 64, &["--port"]);
    assert_fails(&run(&["surplus"], b""), 64, &["surplus"]);
    assert_fails(&run(&["--server"], b""), 64, &["--server"]);
    assert_fails(&run(&["--server", "x", "--to", "a@b", "--timeout=-1"], b""), 64, &["--timeout"]);
}

#[test]
fn a_server_that_cannot_be_one_is_refused() {
    for server in ["", ":25", "a b", "mail:smtp", "mail:70000", "[::1", "http://mail"] {
        assert_fails(&run(&["--server", server, "--to", "a@example.com"], b"x\n"), 64, &["--server"]);
    }
    assert_fails(&run(&["--server", "x:25", "--port", "26", "--to", "a@b"], b"x\n"), 64, &["--port"]);
}

#[test]
fn an_unknown_host_is_named() {
    let finished = run(&["--server", "no..such.host", "--to", "a@example.com"], b"x\n");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    assert!(finished.stderr.starts_with("smtp-send: no..such.host: "), "{finished:?}");
    // Without any name server the C library cannot tell "unknown" from "not now".
    assert!([68, 75].contains(&finished.code()), "{finished:?}");
}

#[test]
fn a_refused_connection_may_work_later() {
    let address = format!("127.0.0.1:{}", free_port());
    let finished = run(&["--server", &address, "--to", "a@example.com"], b"x\n");
    assert_fails(&finished, 75, &["connect to", &address, "refused"]);
    let json = run(&["--server", &address, "--to", "a@example.com", "--json"], b"x\n");
    assert!(json.stdout.contains(r#""status":"unsent""#) && json.stdout.contains(r#""exit_code":75"#), "{json:?}");
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let finished = run(&["--server", &address, "--to", "a@example.com", "--timeout", "0.2"], b"x\n");
    assert_fails(&finished, 75, &["no complete greeting within"]);
}

#[test]
fn a_malformed_address_is_named_before_anything_is_sent() {
    let server = Server::start(Script::default());
    for wrong in ["root", "a@", "a b@example.com", "<a@example.com", "a(b)c@example.com", "a@ä\u{2028}.example"] {
        assert_fails(&send_to(&server, &["--to", wrong], b"x\n"), 65, &["--to"]);
        let address = server.address().to_string();
        let args = ["--server", &address, "--to", "bob@example.com", "--from", wrong];
        assert_fails(&run(&args, b"x\n"), 65, &["--from"]);
        assert_fails(&send(&server, &["--envelope-from", wrong], b"x\n"), 65, &["--envelope-from"]);
    }
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_line_break_gets_into_no_field() {
    let server = Server::start(Script::default());
    let evil = "x@example.com\r\nRCPT TO:<victim@example.com>";
    for option in ["--to", "--cc", "--bcc", "--reply-to", "--envelope-from", "--helo", "--subject", "--header"] {
        for end in ["\r\n", "\n", "\r"] {
            let value = evil.replace("\r\n", end);
            let value = if option == "--header" { format!("X: {value}") } else { value };
            let finished = send(&server, &[option, &value], b"x\n");
            assert_fails(&finished, 65, &[option]);
        }
    }
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_line_break_in_a_display_name_is_refused() {
    let server = Server::start(Script::default());
    assert_fails(&send_to(&server, &["--to", "\"A\r\nBcc: b\" <a@example.com>"], b"x\n"), 65, &["--to"]);
}

#[test]
fn header_fields_that_have_their_own_option_are_refused() {
    let server = Server::start(Script::default());
    for field in ["Bcc: a@b", "subject: x", "Content-Type: text/html", "no colon", "Bad Name: x", ": x", "Ü: x"] {
        assert_fails(&send(&server, &["--header", field], b"x\n"), 65, &["--header"]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_found_before_anything_is_sent() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing").to_str().unwrap().to_owned();
    let here = folder.path().to_str().unwrap();
    let server = Server::start(Script::default());
    assert_fails(&send(&server, &["--body-file", &missing], b""), 66, &["missing", "No such file"]);
    assert_fails(&send(&server, &["--body-file", here], b""), 66, &["directory"]);
    assert_fails(&send(&server, &["--bcc", &format!("@{missing}")], b""), 66, &["missing"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_wrong_line_in_a_file_of_recipients_is_named_by_its_number() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("list");
    fs::write(&file, "a@example.com\nnonsense\n").unwrap();
    let server = Server::start(Script::default());
    assert_fails(&send(&server, &["--bcc", &format!("@{}", file.display())], b""), 65, &["line 2"]);
}

#[test]
fn a_file_of_certificates_that_is_none_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, "not a certificate").unwrap();
    let server = Server::start(Script::default());
    for (ca, words) in [(file.to_str().unwrap(), "no certificate"), ("/nonexistent", "No such file")] {
        assert_fails(&send(&server, &["--tls-ca", ca, "--tls", "implicit"], b""), 66, &["--tls-ca", words]);
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let server = Server::start(Script::default());
    for args in
        [&["-4", "-6"][..], &["--tls", "off", "--insecure"], &["--body", "x", "--body-file", "y"], &["-q", "-v"]]
    {
        assert_fails(&send(&server, args, b""), 64, &[]);
    }
}

#[test]
fn an_output_that_cannot_be_written_has_an_exit_code_that_the_help_lists() {
    let mut command = smtp_send(&["--to", "bob@example.com", "--body", "x", "--dry-run"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(71), "{output:?}");
    assert!(run(&["--help"], b"").stdout.contains("71 system error"));
}

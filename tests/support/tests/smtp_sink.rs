//! The program smtp-sink.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use nix::sys::signal::Signal;
use testkit::process::{Running, finish};

fn sink(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtp-sink"));
    command.args(args);
    command
}

/// Starts smtp-sink on a free port; returns its address.
fn started() -> (Running, SocketAddr) {
    let running = Running::start(&mut sink(&["--port", "0"]));
    let address = running.wait_for_stdout(|text| {
        let rest = text.split_once("listening on ")?.1;
        rest.split_once(',')?.0.parse().ok()
    });
    (running, address)
}

/// Sends the lines one by one; returns the greeting and one reply line per line.
fn dialogue(address: SocketAddr, lines: &[&str]) -> Vec<String> {
    let stream = TcpStream::connect(address).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut reply = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line
    };
    let mut replies = vec![reply()];
    for line in lines {
        (&stream).write_all(format!("{line}\r\n").as_bytes()).unwrap();
        replies.push(reply());
    }
    replies
}

#[test]
fn messages_are_printed_with_escaped_control_characters() {
    let (running, address) = started();
    assert!(running.stdout().contains(&format!("--server {address}")), "{}", running.stdout());
    let message = "Subject: Hi\r\n\r\n..dot \x1b[2J\r\n.";
    dialogue(address, &["HELO me", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA", message, "QUIT"]);
    running.wait_for_stdout(|text| text.contains("| .dot \\x1b[2J\n").then_some(()));
    let output = running.stdout();
    assert!(output.contains("MAIL FROM:<a@example.com>\nRCPT TO:<b@example.com>\n"), "{output}");
    assert!(!output.contains('\x1b'));
}

#[test]
fn an_interrupt_stops_it_with_exit_code_0() {
    let (running, _) = started();
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code(), 0);
}

#[test]
fn unknown_commands_and_commands_out_of_order_are_refused() {
    let (_running, address) = started();
    let replies = dialogue(address, &["RCPT TO:<b@example.com>", "DATA", "VRFY me", "NOOP"]);
    let codes: Vec<_> = replies.iter().map(|reply| &reply[..3]).collect();
    assert_eq!(codes, ["220", "503", "503", "502", "250"]);
}

#[test]
fn a_port_in_use_is_reported_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let finished = finish(&mut sink(&["--port", &port]), b"");
    assert_eq!((finished.code(), finished.stderr.lines().count()), (1, 1), "{finished:?}");
    assert!(finished.stderr.starts_with(&format!("smtp-sink: listen on 127.0.0.1:{port}: ")), "{finished:?}");
    assert_eq!(finish(&mut sink(&["--prot", "1"]), b"").code(), 64);
}

//! `smtp-sink`: takes mail by SMTP, prints it, delivers nothing.
//!
//! For people who want to try a mail program and have no mail server at hand. It is the server of the test kit behind a
//! command line. What strangers send is escaped before it reaches the terminal.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use common::{Failure, Kind, SafeText};
use nix::sys::signal::{SigSet, Signal};
use testkit::smtp::{Mail, Script, Server};

/// Takes mail by SMTP, prints each message with its envelope, and delivers nothing. Ctrl-C ends it.
#[derive(Debug, Parser)]
#[command(name = "smtp-sink", version)]
struct Cli {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 2525)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
}

/// What a mail server of today offers.
const OFFERED: [&str; 7] =
    ["PIPELINING", "SIZE 67108864", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "DSN"];

fn main() -> ExitCode {
    common::exit::run("smtp-sink", code_of, run)
}

fn code_of(kind: Kind) -> u8 {
    if kind == Kind::Usage { 64 } else { 1 }
}

fn run() -> Result<u8> {
    let cli = Cli::try_parse()?;
    // Blocked before the first thread starts, so that all threads leave the signals to the wait below.
    let ending = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    ending.thread_block()?;
    let asked = SocketAddr::new(cli.address, cli.port);
    let script = Script::default().extensions(&OFFERED);
    let server = Server::observed(asked, script, print).map_err(|error| Failure::io("listen on", asked, error))?;
    let address = server.address();
    let hello = format!(
        "smtp-sink: listening on {address}, Ctrl-C ends it; to try it, type in another terminal:\n  \
         echo 'It works.' | cargo run --release --bin smtp-send -- --server {address} --to you@example.com --subject Hello\n"
    );
    write(&hello)?;
    ending.wait()?;
    drop(server);
    Ok(common::exit::SUCCESS)
}

fn print(mail: &Mail) {
    let mut text = String::from("\n");
    let mut line = |label: &str, value: &[u8]| {
        text.extend([label, &SafeText(value).to_string(), "\n"]);
    };
    line("MAIL FROM:", mail.from.as_bytes());
    for to in &mail.to {
        line("RCPT TO:", to.as_bytes());
    }
    line("", b"");
    let message = mail.message.strip_suffix(b"\r\n").unwrap_or(&mail.message);
    for one in message.split(|byte| *byte == b'\n') {
        line("| ", one.strip_suffix(b"\r").unwrap_or(one));
    }
    // A sink whose output is closed goes on taking mail.
    let _ = write(&text);
}

/// One write, so that messages of several connections do not mix.
fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
}

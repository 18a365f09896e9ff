//! `smtp-sink`: receives mail by SMTP and prints it, without delivery.
//!
//! A command line around [`testkit::smtp::Server`], to try a mail program without a mail server. Messages are escaped before
//! they are printed.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use common::{Error, Kind, SafeText};
use nix::sys::signal::{SigSet, Signal};
use testkit::smtp::{Mail, Script, Server};

/// Receives mail by SMTP and prints each message with its envelope, without delivery. Ctrl-C stops it.
#[derive(Debug, Parser)]
#[command(name = "smtp-sink", version)]
struct Cli {
    /// Port to listen on; 0 chooses a free one
    #[arg(long, default_value_t = 2525)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
}

/// SMTP extensions that the server offers.
const EXTENSIONS: [&str; 7] =
    ["PIPELINING", "SIZE 67108864", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "DSN"];

fn main() -> ExitCode {
    common::exit::run("smtp-sink", exit_code, run)
}

fn exit_code(kind: Kind) -> u8 {
    if kind == Kind::Usage { 64 } else { 1 }
}

fn run() -> Result<u8> {
    let cli = Cli::try_parse()?;
    // Blocked before any thread starts, so that only the wait below receives the signals.
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    signals.thread_block()?;
    let requested = SocketAddr::new(cli.address, cli.port);
    let script = Script::default().extensions(&EXTENSIONS);
    let server =
        Server::observed(requested, script, print).map_err(|error| Error::io("listen on", requested, error))?;
    let address = server.address();
    let greeting = format!(
        "smtp-sink: listening on {address}, Ctrl-C stops it; to try it, type in another terminal:\n  \
         echo 'It works.' | cargo run --release --bin smtp-send -- --server {address} --to you@example.com --subject Hello\n"
    );
    write(&greeting)?;
    signals.wait()?;
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
    for text_line in message.split(|byte| *byte == b'\n') {
        line("| ", text_line.strip_suffix(b"\r").unwrap_or(text_line));
    }
    // With a closed output, smtp-sink still receives mail.
    let _ = write(&text);
}

/// Writes under one lock, so that messages of several connections do not mix.
fn write(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::output)
}

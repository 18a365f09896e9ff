//! smtp-send as people use it: the real binary against real sockets.
//!
//! The server is the scripted one of the test kit. Programs written by others are in tests/interop.

mod home;
mod support;

/// New accounts, and servers found by SRV records.
mod account_new;
/// Accounts in config.toml and what takes precedence.
mod accounts;
/// Files that go with the message.
mod attachments;
/// Wrong options, addresses and files: one line and the right code.
mod bad_input;
/// Many messages: folders, mailbox files, several connections, a rate, tables.
mod bulk;
/// Composed messages as whole files.
mod composed;
/// A message from the command line to the server: text, envelope, header.
mod delivery;
/// What is said and in which order: EHLO, HELO, pipelining, refusals, SIZE, 421.
mod dialogue;
/// Without a server: exchangers found by DNS, and how they are protected.
mod direct;
/// The man page and the completions are those of the options.
mod dist;
/// Signatures in the name of a domain.
mod dkim;
/// STARTTLS, implicit TLS, certificates, and what is never done.
mod encryption;
/// CHUNKING, LMTP, SMTPUTF8, DSN, REQUIRETLS.
mod extensions;
/// Servers that close, stall, drip or talk nonsense at every point.
mod hostile_server;
/// Texts in HTML and what they show; fields of every kind.
mod html;
/// A run that is stopped goes on where it was.
mod journal;
/// Pins of server keys, and client certificates.
mod keys;
/// Login mechanisms; secrets appear nowhere.
mod login;
/// A message for each row of a table.
mod merge;
/// Proxies in between, and the header of the PROXY protocol.
mod proxy;
/// What could not be sent for now, and is tried again.
mod queue;
/// Messages that exist already.
mod ready;
/// What is printed: lines, JSON, transcript.
mod report;
/// Where passwords come from, and where they never go.
mod secrets;
/// The command line of sendmail(8), and the dead letter.
mod sendmail;
/// Several messages over one connection, and further tries.
mod several;
/// SMTP on standard input: `sendmail -bs`.
mod submission;

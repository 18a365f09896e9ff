//! A mail server for tests: real sockets, scripted replies, every command and message recorded.
//!
//! Without a [`Script`] the server follows RFC 5321. A script makes it refuse a recipient, close the connection, reply slowly
//! or not at all. [`Server`] returns commands and messages as [`Command`] and [`Mail`]. The program `smtp-sink` uses it too.

mod record;
mod script;
mod server;
mod session;
mod tls;

pub use record::{Command, Mail};
pub use script::{Behaviour, Script};
pub use server::Server;
pub use tls::Authority;

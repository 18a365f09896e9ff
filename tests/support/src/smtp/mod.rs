//! A mail server for tests: real sockets, scripted behaviour, everything recorded.
//!
//! It behaves like a well-mannered server until a [`Script`] says otherwise: refuse the second recipient, close in the
//! middle, drip, be silent. What clients said and sent is kept as [`Mail`] and [`Command`] values for assertions. It is also
//! the body of the program `smtp-sink`.

mod conversation;
mod script;
mod server;
mod tls;

pub use script::{Behaviour, Script};
pub use server::{Command, Mail, Server};
pub use tls::Authority;

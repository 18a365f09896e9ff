//! SMTP (RFC 5321) and related protocols: replies, commands, addresses, extensions, the data phase.
//!
//! Functions convert bytes into values and values into bytes. No I/O, no clock, no environment. Any input gives a value
//! or an error, never a panic.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod address;
pub mod auth;
pub mod capability;
pub mod command;
pub mod deliver_by;
pub mod dkim;
pub mod dns;
pub mod dot;
pub mod dsn;
pub mod header;
pub mod mime;
pub mod mta_sts;
pub mod pin;
pub mod proxy;
pub mod reply;
pub mod server_session;
pub mod srv;
pub mod tlsa;

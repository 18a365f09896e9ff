//! The words of SMTP (RFC 5321): replies, commands, addresses, extensions and the data phase.
//!
//! Everything here turns bytes into values or values into bytes. No I/O, no clock, no environment; whatever a server or a
//! user supplies ends in a value or in an error, never in a panic.

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

//! The parsers and writers of `smtp-send`.

pub mod account;
pub mod bulk;
pub mod connection;
pub mod message;
pub mod mx;
pub mod protocol;
pub mod sendmail;
pub mod session;

//! A static file server.

pub mod proto;

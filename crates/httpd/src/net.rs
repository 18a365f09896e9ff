//! Sockets.

pub mod connection_limit;
pub mod listener;
pub mod peer;
pub mod stream;
pub mod token_bucket;
pub mod trusted_proxies;

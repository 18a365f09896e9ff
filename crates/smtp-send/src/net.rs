//! The network side: addresses of servers, connections with their deadlines, proxies, TLS.

pub mod address;
pub mod proxy;
pub mod tls;
pub mod transport;

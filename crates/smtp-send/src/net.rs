//! Network access: server addresses, connections with deadlines, proxies, TLS.

pub mod address;
pub mod proxy;
pub mod tls;
pub mod transport;

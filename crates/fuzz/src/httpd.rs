//! The parsers and writers of `httpd`.

pub mod authentication;
pub mod content;
pub mod http;
pub mod proxy;
mod reference;
pub mod tls;

//! What is done once, before the first connection is accepted.

pub(crate) mod banner;
pub(crate) mod browser;
mod qr;
pub(crate) mod sandbox;

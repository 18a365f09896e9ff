//! The access log and the counters.

pub mod access_log;
pub mod metrics;

//! The blocking pool.

pub mod pool;
pub mod response_writer;

//! What the tests of the workspace share.
//!
//! Everything here deals with real processes, real sockets and real files. Whatever a helper starts or creates is gone
//! when its guard is dropped, also when the test panics.

pub mod dist;
pub mod dns;
pub mod golden;
pub mod http;
pub mod netns;
pub mod process;
mod skip;
pub mod smtp;
pub mod tun;

pub use skip::{skip, skip_for_kernel};

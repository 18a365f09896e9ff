//! Helpers shared by the tests of the workspace: real processes, sockets and files, cleaned up on drop.
//!
//! - [`dist`]: man pages and shell completions made from the definitions of the command line
//! - [`dns`]: a scripted name server
//! - [`golden`]: comparison with golden files
//! - [`http`]: a strict HTTP/1.1 client
//! - [`netns`]: network namespaces linked by veth pairs
//! - [`process`]: spawn guards and waiting with a deadline
//! - [`smtp`]: a scripted mail server
//! - [`tun`]: a host that answers echo requests as a scenario file says
//! - [`skip()`], [`skip_for_kernel`]: the early end of a test that cannot run here
//! - [`wait_for`], [`wait_until`]: conditions in place of fixed sleeps

pub mod dist;
pub mod dns;
pub mod golden;
pub mod http;
pub mod netns;
pub mod process;
mod skip;
pub mod smtp;
pub mod tun;
mod wait;

pub use skip::{skip, skip_for_kernel};
pub use wait::{wait_for, wait_until};

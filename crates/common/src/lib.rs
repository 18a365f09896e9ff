//! What `httpd`, `smtp-send` and `ping` share: how a failure is described, which exit code it becomes, how lines are
//! logged, and how bytes from strangers are made harmless before a person sees them.
//!
//! This crate knows no protocol and imports no other crate of the workspace. A thing lives here only while at least two
//! of the programs use it.

pub mod command_line;
pub mod error;
pub mod exit;
pub mod logger;
pub mod safe_text;

pub use error::{Failure, Kind};
pub use safe_text::SafeText;

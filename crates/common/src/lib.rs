//! Code shared by `httpd`, `smtp-send` and `ping`; it knows no protocol.
//!
//! - [`error`]: an error with operation, subject, cause and class; [`exit`]: how it is printed and its exit code
//! - [`command_line`], [`help`], [`values`], [`version`]: mistakes, styles, values and `--version` of the command line
//! - [`logger`]: the logger behind the `log` facade; [`safe_text`] and [`json`]: escaping of untrusted bytes
//! - [`sync`]: locks without poisoning; [`signals`]: signals as a descriptor; [`random`]: random bytes; `landlock`: file
//!   and network rules
//!
//! A module belongs here only while at least two programs use it.

pub mod command_line;
pub mod error;
pub mod exit;
pub mod help;
pub mod json;
#[cfg(feature = "landlock")]
pub mod landlock;
pub mod logger;
pub mod random;
pub mod safe_text;
pub mod signals;
pub mod sync;
pub mod values;
pub mod version;

pub use error::{Error, Kind};
pub use safe_text::SafeText;

//! The message (RFC 5322, MIME by RFC 2045 to 2047): composed once, then streamed as often as it is needed.
//!
//! Nothing here knows of a connection. A body is read to its end before anything is sent, because its bytes decide how it
//! is encoded; beyond a bound it waits in an unlinked temporary file, so memory stays small whatever its size.

pub mod attach;
pub mod compose;
pub mod encode;
pub mod headers;
pub mod spool;
pub mod text;

pub use attach::Attachment;
pub use compose::{Draft, Message};
pub use spool::SpoolError;
pub use text::Text;

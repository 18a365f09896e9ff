//! What a path resolves to, and the bytes of a response body.
//!
//! - [`routing`] decides which file answers a path, [`lookup`] finds it in the [`cache`] or on disk ([`files`]).
//! - [`representation`] holds the fields and conditions of one version of a file, [`mime`] its content type.
//! - [`compression`] compresses text, [`listing`] and [`archive`] render folders, [`error_page`] renders errors.

pub mod archive;
pub mod cache;
pub mod compression;
pub mod error_page;
pub mod files;
pub mod listing;
pub mod lookup;
pub mod mime;
pub mod representation;
pub mod routing;
mod second_chance;
pub mod size;

use std::fs::File;
use std::io;

use crate::proto::range::Part;

/// Receives a body that is rendered while it is sent.
pub trait BodySink {
    /// Sends bytes.
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Sends part of a file; fails if the file is shorter.
    fn file(&mut self, file: &File, part: Part) -> io::Result<()>;
}

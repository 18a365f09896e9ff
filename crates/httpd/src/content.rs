//! Files and what is made of them.

pub mod archive;
pub mod cache;
pub mod compression;
pub mod error_page;
pub mod files;
pub mod listing;
pub(crate) mod lookup;
pub mod mime;
pub mod representation;
pub mod routing;

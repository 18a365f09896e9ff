//! Where the content of a representation comes from: a file, or a compressed variant of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::content::mime::MAX_SNIFF;
use crate::content::routing::Site;
use crate::proto::negotiate::Coding;

/// A file below the root.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The path of the original.
    pub path: &'a [u8],
    /// The coding of the variant; `None` for the original.
    pub coding: Option<Coding>,
    /// The media type of the original, if a variant of it is read.
    pub original_type: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// The file at a path.
    pub fn original(path: &'a [u8]) -> Self {
        Self { path, coding: None, original_type: None }
    }

    /// The media type of the file with this content.
    pub fn type_of_content(&self, site: &Site, content: &[u8]) -> String {
        match (self.coding, self.original_type) {
            (None, _) => site.types.of(self.path, Some(content.get(..MAX_SNIFF).unwrap_or(content))).into_owned(),
            (Some(_), Some(original)) => original.to_owned(),
            (Some(_), None) => site.types.of(self.path, None).into_owned(),
        }
    }

    /// The media type of an open file; its first bytes are read only if they matter.
    pub fn type_of_file(&self, site: &Site, file: &File) -> io::Result<String> {
        if self.coding.is_some() || !site.types.by_name(self.path).0.needs_content() {
            return Ok(self.type_of_content(site, b""));
        }
        let mut start = [0; MAX_SNIFF];
        let count = file.read_at(&mut start, 0)?;
        Ok(self.type_of_content(site, start.get(..count).unwrap_or_default()))
    }
}

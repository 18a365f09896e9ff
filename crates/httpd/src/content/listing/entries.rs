//! The entries of a folder, read by the rules by which files are served.

use std::io;
use std::os::fd::OwnedFd;

use nix::dir::Dir;

use crate::content::files::{Kind, Root};
use crate::content::routing::{Site, join};

/// One line of a listing.
#[derive(Debug, Clone)]
pub struct FolderEntry {
    /// The name: any bytes but a slash.
    pub name: Vec<u8>,
    /// Whether the entry is a folder.
    pub is_folder: bool,
    /// Bytes of a file.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
}

/// Reads the served entries of a folder: regular files and folders, and links that are followed.
pub(super) fn read_entries(folder: OwnedFd, relative: &[u8], root: &Root, site: &Site) -> io::Result<Vec<FolderEntry>> {
    let mut entries = Vec::new();
    for entry in Dir::from_fd(folder)?.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") || site.hides_name(name) {
            continue;
        }
        // Entries that have vanished or cannot be examined are left out.
        if let Some((kind, version)) = root.describe(&join(relative, name)) {
            let is_folder = kind == Kind::Folder;
            entries.push(FolderEntry {
                name: name.to_vec(),
                is_folder,
                size: version.size,
                modified: version.modified.0,
            });
        }
    }
    Ok(entries)
}

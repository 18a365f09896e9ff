//! The folders in which messages outlive the program: dead letters and the queue.
//!
//! They are in `$XDG_STATE_HOME/smtp-send`, by default in ~/.local/state. Only their owner may read them.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::host;

/// Rights of the group and of others to write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The folder for `name`; `None` without a home. A home that does not exist is not created.
pub(super) fn path(name: &str) -> Option<PathBuf> {
    let state = host::xdg_folder("XDG_STATE_HOME", ".local/state", Path::is_dir)?;
    Some(state.join("smtp-send").join(name))
}

/// Creates a folder, with those above it, that only its owner may read.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Refuses a folder that another user owns or may write to, as in /var/tmp.
pub(super) fn check_owner(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    let is_own = metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & WRITABLE_BY_OTHERS == 0;
    if is_own {
        return Ok(());
    }
    Err(io::Error::other(format!("{} belongs to another user, or others may write to it", folder.display())))
}

//! Resolving a path step by step, where there is no openat2(2): kernels before 5.6, and confinements that take it away
//! because they cannot look into its arguments (systemd's `RestrictSUIDSGID`, which `DynamicUser` brings along).
//!
//! Every step opens one name in a folder that is open already, and never follows a link by itself; a link is read, and its
//! parts are walked by the same rules. `..` goes back to the folder that was come from, not to whatever is the parent by now,
//! so no rename can lead outside. It costs two system calls for each part of a path; openat2 costs one for all.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::{Symlinks, format};

/// Links in one path, as in the kernel (`path_resolution(7)`).
const MAX_LINKS: usize = 40;
/// Folders in one path: each is a descriptor while the path is walked, and a client can ask for thousands.
pub(super) const MAX_DEPTH: usize = 256;
/// A folder to go on from.
const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Opens what the path leads to from `root`, with the errors of openat2: EXDEV when it leads outside, ELOOP for a link that is
/// not followed.
pub(super) fn resolve(root: BorrowedFd<'_>, path: &[u8], flags: OFlag, symlinks: Symlinks) -> Result<OwnedFd, Errno> {
    if path.first() == Some(&b'/') && symlinks != Symlinks::Any {
        return Err(Errno::EXDEV);
    }
    let mut walk = Walk { root, folders: Vec::new(), parts: parts(path), symlinks, links: 0 };
    while let Some(part) = walk.parts.pop() {
        if let Some(end) = walk.step(&part, flags)? {
            return Ok(end);
        }
    }
    openat(walk.here(), ".", flags | OFlag::O_CLOEXEC, Mode::empty())
}

struct Walk<'r> {
    root: BorrowedFd<'r>,
    /// The folders that were gone through, the current one last; empty at the root.
    folders: Vec<OwnedFd>,
    /// What is still to go, the next part last.
    parts: Vec<Vec<u8>>,
    symlinks: Symlinks,
    links: usize,
}

impl Walk<'_> {
    fn here(&self) -> BorrowedFd<'_> {
        self.folders.last().map_or(self.root, AsFd::as_fd)
    }

    /// Goes one part further; returns what was opened when that was the last one.
    fn step(&mut self, part: &[u8], flags: OFlag) -> Result<Option<OwnedFd>, Errno> {
        if part == b".." {
            return self.back().map(|()| None);
        }
        let unfollowed = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let found = openat(self.here(), part, OFlag::O_PATH | unfollowed, Mode::empty())?;
        if format(&fstat(&found)?) == SFlag::S_IFLNK {
            return self.follow(&found).map(|()| None);
        }
        if !self.parts.is_empty() {
            // That it is a folder is found out by the next step.
            return self.enter(found).map(|()| None);
        }
        if flags.contains(OFlag::O_PATH) && !flags.contains(OFlag::O_DIRECTORY) {
            return Ok(Some(found));
        }
        // A link that was put there just now is not followed either, and the client asks again.
        openat(self.here(), part, flags | unfollowed, Mode::empty()).map(Some)
    }

    fn back(&mut self) -> Result<(), Errno> {
        if self.symlinks == Symlinks::Any {
            let parent = openat(self.here(), "..", FOLDER, Mode::empty())?;
            return self.enter(parent);
        }
        self.folders.pop().map(drop).ok_or(Errno::EXDEV)
    }

    fn enter(&mut self, folder: OwnedFd) -> Result<(), Errno> {
        if self.folders.len() >= MAX_DEPTH {
            return Err(Errno::ENAMETOOLONG);
        }
        self.folders.push(folder);
        Ok(())
    }

    fn follow(&mut self, link: &OwnedFd) -> Result<(), Errno> {
        self.links += 1;
        // The links of /proc lead to what they stand for, not to what they say.
        let is_magic = fstatfs(link)?.filesystem_type() == PROC_SUPER_MAGIC;
        if self.symlinks == Symlinks::None || self.links > MAX_LINKS || is_magic {
            return Err(Errno::ELOOP);
        }
        let target = readlinkat(link, "")?;
        let target = target.as_bytes();
        if target.first() == Some(&b'/') {
            if self.symlinks != Symlinks::Any {
                return Err(Errno::EXDEV);
            }
            self.folders.clear();
            self.folders.push(open("/", FOLDER, Mode::empty())?);
        }
        self.parts.extend(parts(target));
        Ok(())
    }
}

/// The parts of a path, the first one last.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).rev().map(<[u8]>::to_vec).collect()
}

//! Resolves a path step by step where openat2(2) is missing: kernels before 5.6, and seccomp filters that block it
//! (systemd's `RestrictSUIDSGID`, which `DynamicUser` implies).
//!
//! Every step opens one name in an open folder without following links; a link is read, and its parts are resolved by the
//! same rules. `..` returns to the folder the walk came from instead of the current parent, so no rename leads outside.
//! Each part of a path costs two system calls.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::{SymlinkPolicy, format};

/// Links in one path, as in the kernel (`path_resolution(7)`).
const MAX_LINKS: usize = 40;
/// Folders in one path: each holds a descriptor, and a client can request thousands.
pub(super) const MAX_DEPTH: usize = 256;
/// Opens a folder as the start of further steps.
const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Opens a path below `root` with the errors of openat2: EXDEV outside the root, ELOOP for a link that is not followed.
pub(super) fn resolve(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlag,
    symlinks: SymlinkPolicy,
) -> Result<OwnedFd, Errno> {
    if path.first() == Some(&b'/') && symlinks != SymlinkPolicy::Any {
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
    /// The folders on the way, the current one last; empty at the root.
    folders: Vec<OwnedFd>,
    /// The remaining parts, the next one last.
    parts: Vec<Vec<u8>>,
    symlinks: SymlinkPolicy,
    links: usize,
}

impl Walk<'_> {
    fn here(&self) -> BorrowedFd<'_> {
        self.folders.last().map_or(self.root, AsFd::as_fd)
    }

    /// Resolves one part; returns the opened file if it was the last one.
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
            // The next step fails if it is no folder.
            return self.enter(found).map(|()| None);
        }
        if flags.contains(OFlag::O_PATH) && !flags.contains(OFlag::O_DIRECTORY) {
            return Ok(Some(found));
        }
        // A link created in between is not followed either.
        openat(self.here(), part, flags | unfollowed, Mode::empty()).map(Some)
    }

    fn back(&mut self) -> Result<(), Errno> {
        if self.symlinks == SymlinkPolicy::Any {
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
        // Magic links of /proc do not lead to the path they contain.
        let is_magic = fstatfs(link)?.filesystem_type() == PROC_SUPER_MAGIC;
        if self.symlinks == SymlinkPolicy::None || self.links > MAX_LINKS || is_magic {
            return Err(Errno::ELOOP);
        }
        let target = readlinkat(link, "")?;
        let target = target.as_bytes();
        if target.first() == Some(&b'/') {
            if self.symlinks != SymlinkPolicy::Any {
                return Err(Errno::EXDEV);
            }
            self.folders.clear();
            self.folders.push(open("/", FOLDER, Mode::empty())?);
        }
        self.parts.extend(parts(target));
        Ok(())
    }
}

/// The parts of a path in reverse order.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).rev().map(<[u8]>::to_vec).collect()
}

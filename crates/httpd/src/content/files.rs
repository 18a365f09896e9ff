//! Opens files below the root (openat2(2)).
//!
//! The kernel resolves every path with `RESOLVE_BENEATH`, so no combination of `..`, symbolic links and concurrent renames
//! leads outside; without openat2, `walk` applies the same rules step by step. Only regular files are opened, and opening
//! never blocks, not even on a FIFO or a device.

mod walk;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use crate::file_version::FileVersion;

/// How symbolic links are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SymlinkPolicy {
    /// Followed inside the root.
    #[default]
    Inside,
    /// Followed everywhere.
    Any,
    /// Never followed: a path with a link does not exist.
    None,
}

/// Calls of openat2 before giving up: it reports EAGAIN when a rename races with a `..` in a link.
const MAX_TRIES: usize = 8;

/// The root folder.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
    symlinks: SymlinkPolicy,
    /// The flags of openat2; `None` where it does not exist.
    resolve: Option<ResolveFlag>,
}

/// The result of opening a path.
#[derive(Debug)]
pub enum Opened {
    /// A regular file.
    File(File, FileVersion),
    /// A folder.
    Folder(OwnedFd),
    /// Not served: missing, outside the root, a device, a FIFO or a socket.
    Absent,
}

impl Root {
    /// Opens the root folder.
    pub fn open_root(path: &Path, symlinks: SymlinkPolicy) -> io::Result<Self> {
        let folder = open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let resolve = match symlinks {
            SymlinkPolicy::Inside => ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS,
            SymlinkPolicy::Any => ResolveFlag::RESOLVE_NO_MAGICLINKS,
            SymlinkPolicy::None => ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS,
        };
        let mut root = Self { folder, symlinks, resolve: Some(resolve) };
        // Some seccomp filters return EPERM for calls they do not know.
        if matches!(root.resolve(b"", OFlag::O_PATH), Err(Errno::ENOSYS | Errno::EPERM)) {
            log::info!("openat2 is not available; paths are resolved step by step");
            root.resolve = None;
        }
        // Reports an unreadable folder at the start instead of the first request.
        root.resolve(b"", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        Ok(root)
    }

    /// Fails if the current user cannot access the root.
    pub fn check_access(&self) -> io::Result<()> {
        self.resolve(b"", OFlag::O_PATH)?;
        Ok(())
    }

    /// Opens a relative path; `b""` is the root itself.
    pub fn open(&self, relative: &[u8]) -> io::Result<Opened> {
        match self.resolve(relative, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY) {
            Ok(opened) => classify(opened),
            Err(error) if is_absence(error) => Ok(Opened::Absent),
            Err(error) => Err(error.into()),
        }
    }

    /// The version of the regular file at a path, without opening the file.
    pub fn version(&self, relative: &[u8]) -> Option<FileVersion> {
        self.describe(relative).filter(|(kind, _)| *kind == Kind::File).map(|(_, version)| version)
    }

    /// Whether a path is a folder, readable or not.
    pub fn is_folder(&self, relative: &[u8]) -> bool {
        self.describe(relative).is_some_and(|(kind, _)| kind == Kind::Folder)
    }

    /// Kind and version of the file at a path, without opening it; `None` if it is not served.
    ///
    /// A name in the root folder that is no link costs one system call; any other path costs three.
    pub fn describe(&self, relative: &[u8]) -> Option<(Kind, FileVersion)> {
        if !relative.contains(&b'/') && !relative.is_empty() {
            let stat = fstatat(&self.folder, relative, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
            if format(&stat) != SFlag::S_IFLNK {
                return Some((Kind::of(&stat)?, FileVersion::from(&stat)));
            }
        }
        let handle = self.resolve(relative, OFlag::O_PATH).ok()?;
        let stat = fstat(handle).ok()?;
        Some((Kind::of(&stat)?, FileVersion::from(&stat)))
    }

    /// Whether the root was deleted since it was opened.
    pub fn is_deleted(&self) -> bool {
        fstat(&self.folder).is_ok_and(|stat| stat.st_nlink == 0)
    }

    fn resolve(&self, relative: &[u8], flags: OFlag) -> Result<OwnedFd, Errno> {
        let Some(resolve) = self.resolve else {
            return walk::resolve(self.folder.as_fd(), relative, flags, self.symlinks);
        };
        let path: &[u8] = if relative.is_empty() { b"." } else { relative };
        let mut outcome = Err(Errno::EAGAIN);
        for _ in 0..MAX_TRIES {
            let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
            outcome = openat2(&self.folder, path, how);
            if !matches!(outcome, Err(Errno::EAGAIN | Errno::EINTR)) {
                break;
            }
        }
        outcome
    }
}

/// Errors that are a 404. ENXIO: a FIFO or socket; EXDEV and ELOOP: a link that is not followed.
fn is_absence(error: Errno) -> bool {
    matches!(
        error,
        Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::ELOOP
            | Errno::EXDEV
            | Errno::ENAMETOOLONG
            | Errno::ENXIO
            | Errno::ENODEV
            | Errno::EINVAL
            | Errno::EAGAIN
    )
}

fn classify(opened: OwnedFd) -> io::Result<Opened> {
    let stat = fstat(opened.as_fd())?;
    Ok(match Kind::of(&stat) {
        Some(Kind::File) => Opened::File(opened.into(), FileVersion::from(&stat)),
        Some(Kind::Folder) => Opened::Folder(opened),
        None => Opened::Absent,
    })
}

/// A kind of file that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

impl Kind {
    fn of(stat: &FileStat) -> Option<Self> {
        match format(stat) {
            SFlag::S_IFREG => Some(Self::File),
            SFlag::S_IFDIR => Some(Self::Folder),
            _ => None,
        }
    }
}

fn format(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn site() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("a.txt"), "hello").unwrap();
        std::fs::write(root.join("sub/b.txt"), "b").unwrap();
        symlink("../a.txt", root.join("sub/inside")).unwrap();
        symlink("../secret", root.join("outside")).unwrap();
        symlink(folder.path().join("secret"), root.join("absolute")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        symlink("inside", root.join("sub/chain")).unwrap();
        symlink("./sub/", root.join("way")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        folder
    }

    /// The root with openat2, and without.
    fn roots(folder: &tempfile::TempDir, symlinks: SymlinkPolicy) -> [Root; 2] {
        let root = || Root::open_root(&folder.path().join("root"), symlinks).unwrap();
        [root(), Root { resolve: None, ..root() }]
    }

    fn is_file(root: &Root, path: &str) -> bool {
        let by_name = root.version(path.as_bytes()).is_some();
        let opened = matches!(root.open(path.as_bytes()).unwrap(), Opened::File(..));
        assert_eq!(by_name, opened, "{path}: both methods must agree");
        opened
    }

    #[test]
    fn links_are_followed_inside_the_root_only() {
        let folder = site();
        for root in roots(&folder, SymlinkPolicy::Inside) {
            assert!(is_file(&root, "a.txt") && is_file(&root, "sub/b.txt") && is_file(&root, "sub/inside"));
            assert!(is_file(&root, "sub/chain") && is_file(&root, "way/b.txt"));
            let outside = [
                "outside",
                "absolute",
                "../secret",
                "sub/../../secret",
                "magic/etc/passwd",
                "/etc/passwd",
                "up/secret",
            ];
            for path in outside.into_iter().chain(["a.txt/b", "nothing", "loop", "sub", "way"]) {
                assert!(!is_file(&root, path), "{path}");
            }
            assert!(root.is_folder(b"sub") && root.is_folder(b"way") && root.is_folder(b"") && !root.is_folder(b"up"));
        }
    }

    #[test]
    fn a_path_of_thousands_of_folders_is_absent_without_openat2() {
        let folder = site();
        let [_, root] = roots(&folder, SymlinkPolicy::Inside);
        let deep = vec!["d"; walk::MAX_DEPTH + 10].join("/");
        std::fs::create_dir_all(folder.path().join("root").join(&deep)).unwrap();
        assert!(!root.is_folder(deep.as_bytes()));
        assert!(root.is_folder(vec!["d"; walk::MAX_DEPTH].join("/").as_bytes()));
    }

    #[test]
    fn symlinks_none_follows_no_link_and_symlinks_any_follows_every_link() {
        let folder = site();
        for none in roots(&folder, SymlinkPolicy::None) {
            assert!(!is_file(&none, "sub/inside") && !is_file(&none, "way/b.txt") && is_file(&none, "sub/b.txt"));
        }
        for any in roots(&folder, SymlinkPolicy::Any) {
            assert!(is_file(&any, "outside") && is_file(&any, "absolute") && is_file(&any, "up/secret"));
            assert!(!is_file(&any, "magic/etc/passwd"), "magic links are never followed");
        }
    }

    #[test]
    fn a_fifo_or_a_device_is_absent_and_does_not_block() {
        let folder = site();
        nix::unistd::mkfifo(&folder.path().join("root/fifo"), Mode::S_IRWXU).unwrap();
        for root in roots(&folder, SymlinkPolicy::Inside) {
            assert!(!is_file(&root, "fifo"));
        }
        let dev = Root::open_root(Path::new("/dev"), SymlinkPolicy::Inside).unwrap();
        assert!(!is_file(&dev, "null"));
    }
}

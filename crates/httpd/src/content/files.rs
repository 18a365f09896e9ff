//! Opening files beneath the root, and nothing else (openat2(2)).
//!
//! The kernel resolves every path with `RESOLVE_BENEATH`, so no combination of `..`, symbolic links and renames while we
//! look can lead outside; where that call is missing, `walk` goes step by step by the same rules. Only regular files are handed out; opening never blocks, also on a FIFO or a device.

mod walk;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

/// How symbolic links are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Symlinks {
    /// Followed while they stay beneath the root.
    #[default]
    Inside,
    /// Followed wherever they lead.
    Any,
    /// Never followed: a path with a link in it does not exist.
    None,
}

/// The kernel reports EAGAIN when a rename races with a `..` inside a link; it succeeds on one of the next tries.
const TRIES: usize = 8;

/// The root folder.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
    symlinks: Symlinks,
    /// How the kernel is asked to resolve; `None` where it cannot be asked.
    resolve: Option<ResolveFlag>,
}

/// What distinguishes one version of a file from another: any write changes the time of change or the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    /// Size in octets.
    pub size: u64,
    /// Time of the last write: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// Time of the last change of the inode, which nobody can set back.
    pub changed: (i64, i64),
}

/// What a path leads to.
#[derive(Debug)]
pub enum Opened {
    /// A regular file.
    File(File, Identity),
    /// A folder.
    Folder(OwnedFd),
    /// Nothing that is served: missing, outside, a device, a FIFO, a socket.
    Absent,
}

impl Root {
    /// Opens the root folder.
    pub fn open_root(path: &Path, symlinks: Symlinks) -> io::Result<Self> {
        let folder = open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let resolve = match symlinks {
            Symlinks::Inside => ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS,
            Symlinks::Any => ResolveFlag::RESOLVE_NO_MAGICLINKS,
            Symlinks::None => ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS,
        };
        let mut root = Self { folder, symlinks, resolve: Some(resolve) };
        // EPERM is what some confinements answer to a call that they do not know.
        if matches!(root.resolve(b"", OFlag::O_PATH), Err(Errno::ENOSYS | Errno::EPERM)) {
            log::info!("no openat2 here: paths are walked step by step");
            root.resolve = None;
        }
        // Says at the start, not at the first request, when the folder cannot be read.
        root.resolve(b"", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        Ok(root)
    }

    /// Whether this process, as the user it is now, can reach anything in the root.
    pub fn check_access(&self) -> io::Result<()> {
        self.resolve(b"", OFlag::O_PATH)?;
        Ok(())
    }

    /// Opens what the relative path leads to; `b""` is the root itself.
    pub fn open(&self, relative: &[u8]) -> io::Result<Opened> {
        match self.resolve(relative, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY) {
            Ok(opened) => classify(opened),
            Err(error) if is_absence(error) => Ok(Opened::Absent),
            Err(error) => Err(error.into()),
        }
    }

    /// The identity of the regular file at this path, without opening it.
    pub fn identify(&self, relative: &[u8]) -> Option<Identity> {
        self.describe(relative).filter(|(kind, _)| *kind == Kind::File).map(|(_, identity)| identity)
    }

    /// Whether this path leads to a folder, which need not be readable.
    pub fn is_folder(&self, relative: &[u8]) -> bool {
        self.describe(relative).is_some_and(|(kind, _)| kind == Kind::Folder)
    }

    /// What a path leads to, without opening it; `None` for whatever is not served.
    ///
    /// A path in the root folder itself that is no link costs one system call; others are resolved by the same rules as
    /// in [`Root::open`], which takes three.
    pub fn describe(&self, relative: &[u8]) -> Option<(Kind, Identity)> {
        if !relative.contains(&b'/') && !relative.is_empty() {
            let stat = fstatat(&self.folder, relative, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
            if format(&stat) != SFlag::S_IFLNK {
                return Some((Kind::of(&stat)?, Identity::from(&stat)));
            }
        }
        let handle = self.resolve(relative, OFlag::O_PATH).ok()?;
        let stat = fstat(handle).ok()?;
        Some((Kind::of(&stat)?, Identity::from(&stat)))
    }

    /// Whether the root was deleted while it was open: what is made anew under its name is another folder.
    pub fn is_deleted(&self) -> bool {
        fstat(&self.folder).is_ok_and(|stat| stat.st_nlink == 0)
    }

    fn resolve(&self, relative: &[u8], flags: OFlag) -> Result<OwnedFd, Errno> {
        let Some(resolve) = self.resolve else {
            return walk::resolve(self.folder.as_fd(), relative, flags, self.symlinks);
        };
        let path: &[u8] = if relative.is_empty() { b"." } else { relative };
        let mut outcome = Err(Errno::EAGAIN);
        for _ in 0..TRIES {
            let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
            outcome = openat2(&self.folder, path, how);
            if !matches!(outcome, Err(Errno::EAGAIN | Errno::EINTR)) {
                break;
            }
        }
        outcome
    }
}

/// Errors that mean "there is no such file" to a client. ENXIO is a FIFO or socket, EXDEV and ELOOP a link that leads out.
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
        Some(Kind::File) => Opened::File(opened.into(), Identity::from(&stat)),
        Some(Kind::Folder) => Opened::Folder(opened),
        None => Opened::Absent,
    })
}

/// The kinds of file that are served.
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

impl From<&FileStat> for Identity {
    fn from(stat: &FileStat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

impl Identity {
    /// The identity of an open file as it is now.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from(&fstat(file)?))
    }

    /// A strong entity tag that needs no reading of the content.
    pub fn etag(&self) -> Vec<u8> {
        let (modified, changed) = (self.modified, self.changed);
        format!(
            "\"{:x}-{:x}-{:x}.{:x}-{:x}.{:x}\"",
            self.inode, self.size, modified.0, modified.1, changed.0, changed.1
        )
        .into_bytes()
    }

    /// The time of the last write in seconds, unless it lies in the years that build tools put where no time is known.
    pub fn trusted_modified(&self) -> Option<i64> {
        /// 1981-01-01: container and Nix images stamp their files between 1970 and 1980.
        const FIRST_TRUSTED: i64 = 347_155_200;
        Some(self.modified.0).filter(|seconds| *seconds >= FIRST_TRUSTED)
    }
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

    /// The root by openat2, and by walking.
    fn roots(folder: &tempfile::TempDir, symlinks: Symlinks) -> [Root; 2] {
        let root = || Root::open_root(&folder.path().join("root"), symlinks).unwrap();
        [root(), Root { resolve: None, ..root() }]
    }

    fn root(folder: &tempfile::TempDir, symlinks: Symlinks) -> Root {
        let [root, _] = roots(folder, symlinks);
        root
    }

    fn is_file(root: &Root, path: &str) -> bool {
        let by_name = root.identify(path.as_bytes()).is_some();
        let opened = matches!(root.open(path.as_bytes()).unwrap(), Opened::File(..));
        assert_eq!(by_name, opened, "{path}: both ways must agree");
        opened
    }

    #[test]
    fn links_are_followed_inside_the_root_only() {
        let folder = site();
        for root in roots(&folder, Symlinks::Inside) {
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
        let [_, root] = roots(&folder, Symlinks::Inside);
        let deep = vec!["d"; walk::MAX_DEPTH + 10].join("/");
        std::fs::create_dir_all(folder.path().join("root").join(&deep)).unwrap();
        assert!(!root.is_folder(deep.as_bytes()));
        assert!(root.is_folder(vec!["d"; walk::MAX_DEPTH].join("/").as_bytes()));
    }

    #[test]
    fn no_link_is_followed_when_none_are_allowed_and_every_one_when_any_are() {
        let folder = site();
        for none in roots(&folder, Symlinks::None) {
            assert!(!is_file(&none, "sub/inside") && !is_file(&none, "way/b.txt") && is_file(&none, "sub/b.txt"));
        }
        for any in roots(&folder, Symlinks::Any) {
            assert!(is_file(&any, "outside") && is_file(&any, "absolute") && is_file(&any, "up/secret"));
            assert!(!is_file(&any, "magic/etc/passwd"), "magic links lead nowhere, whatever the policy");
        }
    }

    #[test]
    fn a_fifo_or_a_device_is_absent_and_blocks_nobody() {
        let folder = site();
        nix::unistd::mkfifo(&folder.path().join("root/fifo"), Mode::S_IRWXU).unwrap();
        for root in roots(&folder, Symlinks::Inside) {
            assert!(!is_file(&root, "fifo"));
        }
        let dev = Root::open_root(Path::new("/dev"), Symlinks::Inside).unwrap();
        assert!(!is_file(&dev, "null"));
    }

    #[test]
    fn a_rewritten_file_has_another_identity_and_tag() {
        let folder = site();
        let root = root(&folder, Symlinks::Inside);
        let before = root.identify(b"a.txt").unwrap();
        std::fs::write(folder.path().join("root/a.txt"), "other length").unwrap();
        let after = root.identify(b"a.txt").unwrap();
        assert_ne!(before, after);
        assert_ne!(before.etag(), after.etag());
    }

    #[test]
    fn times_that_build_tools_invent_are_not_trusted() {
        assert_eq!(at(1, 0).trusted_modified(), None);
        assert_eq!(at(315_532_800, 5).trusted_modified(), None);
        assert_eq!(at(1_700_000_000, 0).trusted_modified(), Some(1_700_000_000));
    }

    fn at(seconds: i64, nanoseconds: i64) -> Identity {
        Identity { device: 0, inode: 0, size: 0, modified: (seconds, nanoseconds), changed: (0, 0) }
    }
}

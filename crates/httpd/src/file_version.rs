//! Which version of a file is at a path: a write or a replacement gives another version.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::sys::stat::{FileStat, fstat, stat};

/// Distinguishes the versions of a file: every write changes the time of change or the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileVersion {
    device: u64,
    inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last write: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// Time of the last change of the inode, which no program can set.
    pub changed: (i64, i64),
}

impl From<&FileStat> for FileVersion {
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

impl FileVersion {
    /// The current version of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from(&fstat(file)?))
    }

    /// The version of the file at `path`, behind symbolic links; `None` if there is none.
    pub fn at(path: &Path) -> Option<Self> {
        stat(path).ok().map(|stat| Self::from(&stat))
    }

    /// A strong entity tag that does not depend on the content.
    pub fn etag(&self) -> Vec<u8> {
        let (modified, changed) = (self.modified, self.changed);
        format!(
            "\"{:x}-{:x}-{:x}.{:x}-{:x}.{:x}\"",
            self.inode, self.size, modified.0, modified.1, changed.0, changed.1
        )
        .into_bytes()
    }

    /// The time of the last write in seconds; `None` for the years that build tools use for an unknown time.
    pub fn trusted_modified(&self) -> Option<i64> {
        /// 1981-01-01: container and Nix images set times between 1970 and 1980.
        const FIRST_TRUSTED: i64 = 347_155_200;
        Some(self.modified.0).filter(|seconds| *seconds >= FIRST_TRUSTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewritten_file_has_another_version_and_entity_tag() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        assert_eq!(FileVersion::at(&path), None);
        std::fs::write(&path, "hello").unwrap();
        let before = FileVersion::at(&path).unwrap();
        assert_eq!(FileVersion::of(&File::open(&path).unwrap()).unwrap(), before);
        std::fs::write(&path, "other length").unwrap();
        let after = FileVersion::at(&path).unwrap();
        assert_ne!(before, after);
        assert_ne!(before.etag(), after.etag());
    }

    #[test]
    fn times_that_build_tools_set_are_not_trusted() {
        let at = |seconds| FileVersion { device: 0, inode: 0, size: 0, modified: (seconds, 0), changed: (0, 0) };
        assert_eq!(at(1).trusted_modified(), None);
        assert_eq!(at(315_532_800).trusted_modified(), None);
        assert_eq!(at(1_700_000_000).trusted_modified(), Some(1_700_000_000));
    }
}

//! A folder as a tar archive, rendered while it is sent.
//!
//! The archive holds the files that are served: no dot-files, links only as far as they are followed (as their targets),
//! regular files and folders only. A file that shrinks while it is sent ends the connection; one that grows is cut at the
//! size in its header. Only the names in the folders on the way to the current file are held in memory.

pub mod header;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use nix::dir::Dir;

use crate::content::BodySink;
use crate::content::files::{Opened, Root};
use crate::content::routing::{Site, join};
use crate::proto::range::Part;
use header::{END, TarHeader, padding};

/// Bytes collected before they are sent.
const BUFFER_SIZE: usize = 32 * 1024;
/// Largest file that is collected together with others; a larger one is sent by itself.
const MAX_COLLECTED: u64 = 16 * 1024;

/// The name of the archive of the whole site; the name of the root folder stays private.
const ROOT_NAME: &[u8] = b"files";

/// Whether a query asks for an archive.
pub fn is_requested(query: &[u8]) -> bool {
    query.split(|byte| *byte == b'&').any(|pair| pair == b"download=tar")
}

/// An archive to be rendered.
#[derive(Debug)]
pub struct Archive {
    /// The root, for links to other places inside it.
    pub root: Arc<Root>,
    /// The rules for names.
    pub site: Arc<Site>,
    /// The folder.
    pub folder: OwnedFd,
    /// Its path below the root.
    pub relative: Vec<u8>,
}

/// An open folder on the way to the current file.
struct Level {
    /// Its path below the root.
    relative: Vec<u8>,
    /// Its path in the archive.
    name: Vec<u8>,
    /// Device and inode, to detect links back to it.
    id: (u64, u64),
    /// Names that are not archived yet.
    names: std::vec::IntoIter<Vec<u8>>,
}

impl Archive {
    /// The name of the archive and of its top folder.
    pub fn name(relative: &[u8]) -> &[u8] {
        match relative.rsplit(|byte| *byte == b'/').next() {
            Some(b"") | None => ROOT_NAME,
            Some(name) => name,
        }
    }

    /// Reads the folder and writes the archive.
    pub(crate) fn write_to(self, sink: &mut impl BodySink) -> io::Result<()> {
        let Self { root, site, folder, relative } = self;
        let mut out = Collector { sink, bytes: Vec::with_capacity(2 * BUFFER_SIZE) };
        let name = Self::name(&relative).to_vec();
        let mut levels = vec![enter(folder, relative, name, &site, &mut out)?];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.names.next() else {
                levels.pop();
                continue;
            };
            let (relative, name) = (join(&level.relative, &name), join(&level.name, &name));
            match root.open(&relative) {
                Ok(Opened::File(file, _)) => out.add_file(&file, &name)?,
                Ok(Opened::Folder(folder)) => {
                    let id = folder_id(&folder)?;
                    // A link to a folder that contains it would never end.
                    if levels.iter().all(|level| level.id != id) {
                        match enter(folder, relative, name, &site, &mut out) {
                            Ok(level) => levels.push(level),
                            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => warn_left_out(&error),
                            Err(error) => return Err(error),
                        }
                    }
                }
                Ok(Opened::Absent) => {}
                Err(error) => warn_left_out(&error),
            }
        }
        out.bytes.extend_from_slice(&END);
        out.flush()
    }
}

/// Unreadable files are left out, because they are not served either.
fn warn_left_out(error: &io::Error) {
    log::warn!("left out of an archive: {}", common::error::reason(error));
}

fn folder_id(folder: &OwnedFd) -> io::Result<(u64, u64)> {
    let metadata = File::from(folder.try_clone()?).metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Adds a folder and reads its names, sorted.
fn enter(
    folder: OwnedFd,
    relative: Vec<u8>,
    name: Vec<u8>,
    site: &Site,
    out: &mut Collector<impl BodySink>,
) -> io::Result<Level> {
    let metadata = File::from(folder.try_clone()?).metadata()?;
    let mut names = Vec::new();
    for entry in Dir::from_fd(folder)?.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let is_hidden = site.hides_name(name) && !(relative.is_empty() && name == b".well-known");
        if !matches!(name, b"." | b"..") && !is_hidden {
            names.push(name.to_vec());
        }
    }
    names.sort_unstable();
    let folder = [name.as_slice(), b"/"].concat();
    TarHeader { name: &folder, size: 0, modified: metadata.mtime(), executable: false }.write(&mut out.bytes);
    out.flush_if_full()?;
    Ok(Level { relative, name, id: (metadata.dev(), metadata.ino()), names: names.into_iter() })
}

/// Collects small pieces before they are sent.
struct Collector<'a, S: BodySink> {
    sink: &'a mut S,
    bytes: Vec<u8>,
}

impl<S: BodySink> Collector<'_, S> {
    fn add_file(&mut self, file: &File, name: &[u8]) -> io::Result<()> {
        let metadata = file.metadata()?;
        let size = metadata.size();
        let executable = metadata.mode() & 0o100 != 0;
        TarHeader { name, size, modified: metadata.mtime(), executable }.write(&mut self.bytes);
        if size <= MAX_COLLECTED {
            let start = self.bytes.len();
            self.bytes.resize(start + usize::try_from(size).unwrap_or(0), 0);
            file.read_exact_at(&mut self.bytes[start..], 0)?;
        } else {
            self.flush()?;
            self.sink.file(file, Part { start: 0, length: size })?;
        }
        self.bytes.resize(self.bytes.len() + padding(size), 0);
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.bytes.len() >= BUFFER_SIZE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.bytes(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

//! A folder as one tar archive, made while it is sent.
//!
//! What is in it follows the rules by which files are served: no dot-files, links only where they may be followed (as what they
//! lead to), regular files and folders and nothing else. An entry never lies: a file that shrinks while it is sent ends the
//! connection, one that grows is cut where it ended when its entry began. Only the names in the folders on the way to the
//! current file are held in memory.

pub mod header;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use nix::dir::Dir;

use crate::content::files::{Opened, Root};
use crate::content::routing::{Site, join};
use crate::proto::range::Part;
use header::{END, Entry, padding};

/// Octets collected before they are sent.
const CHUNK: usize = 32 * 1024;
/// A file up to this size is collected together with others; a larger one goes out by itself.
const MAX_COLLECTED: u64 = 16 * 1024;

/// The name of the archive of the whole site; its own name is nobody's business.
const ROOT_NAME: &[u8] = b"files";

/// Whether a query asks for an archive.
pub fn is_asked_for(query: &[u8]) -> bool {
    query.split(|byte| *byte == b'&').any(|pair| pair == b"download=tar")
}

/// What carries an archive away.
pub(crate) trait BodySink {
    /// Sends bytes.
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Sends part of a file; an error when the file ends before.
    fn file(&mut self, file: &File, part: Part) -> io::Result<()>;
}

/// An archive that is still to be made.
#[derive(Debug)]
pub struct Archive {
    /// The root, for links that lead elsewhere inside it.
    pub root: Arc<Root>,
    /// The rules for names.
    pub site: Arc<Site>,
    /// The folder.
    pub folder: OwnedFd,
    /// Its path.
    pub relative: Vec<u8>,
    /// Whether the body is chunked; else it ends with the connection.
    pub chunked: bool,
}

/// A folder on the way to the current file.
struct Level {
    /// Its path below the root.
    relative: Vec<u8>,
    /// Its path in the archive.
    name: Vec<u8>,
    /// What it is, so that a link back to it is noticed.
    place: (u64, u64),
    /// What is still to come of it.
    names: std::vec::IntoIter<Vec<u8>>,
}

impl Archive {
    /// The name of the archive and of the one folder in it.
    pub fn name(relative: &[u8]) -> &[u8] {
        match relative.rsplit(|byte| *byte == b'/').next() {
            Some(b"") | None => ROOT_NAME,
            Some(name) => name,
        }
    }

    /// Reads the folder and writes the archive.
    pub(crate) fn write_to(self, sink: &mut impl BodySink) -> io::Result<()> {
        let Self { root, site, folder, relative, chunked } = self;
        let mut out = Collected { sink, chunked, bytes: Vec::with_capacity(2 * CHUNK) };
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
                    let place = place(&folder)?;
                    // A link to a folder that it lies in would never come to an end.
                    if levels.iter().all(|level| level.place != place) {
                        match enter(folder, relative, name, &site, &mut out) {
                            Ok(level) => levels.push(level),
                            Err(error) if is_of_the_folder(&error) => left_out(&error),
                            Err(error) => return Err(error),
                        }
                    }
                }
                Ok(Opened::Absent) => {}
                Err(error) => left_out(&error),
            }
        }
        out.bytes.extend_from_slice(&END);
        out.finish()
    }
}

/// What cannot be read is not in the archive, as it would not be served.
fn left_out(error: &io::Error) {
    log::warn!("left out of an archive: {}", common::error::reason(error));
}

fn is_of_the_folder(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn place(folder: &OwnedFd) -> io::Result<(u64, u64)> {
    let metadata = File::from(folder.try_clone()?).metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Adds a folder and reads what is in it, in the order of the names.
fn enter(
    folder: OwnedFd,
    relative: Vec<u8>,
    name: Vec<u8>,
    site: &Site,
    out: &mut Collected<impl BodySink>,
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
    Entry { name: &folder, size: 0, modified: metadata.mtime(), executable: false }.write(&mut out.bytes);
    out.send_if_full()?;
    Ok(Level { relative, name, place: (metadata.dev(), metadata.ino()), names: names.into_iter() })
}

/// What is to be sent next, framed as chunks (RFC 9112 section 7.1) where the client knows them.
struct Collected<'a, C: BodySink> {
    sink: &'a mut C,
    chunked: bool,
    bytes: Vec<u8>,
}

impl<C: BodySink> Collected<'_, C> {
    fn add_file(&mut self, file: &File, name: &[u8]) -> io::Result<()> {
        let metadata = file.metadata()?;
        let size = metadata.size();
        let executable = metadata.mode() & 0o100 != 0;
        Entry { name, size, modified: metadata.mtime(), executable }.write(&mut self.bytes);
        if size <= MAX_COLLECTED {
            let start = self.bytes.len();
            self.bytes.resize(start + usize::try_from(size).unwrap_or(0), 0);
            file.read_exact_at(&mut self.bytes[start..], 0)?;
        } else {
            self.send()?;
            if self.chunked {
                self.sink.bytes(format!("{size:x}\r\n").as_bytes())?;
            }
            self.sink.file(file, Part { start: 0, length: size })?;
            if self.chunked {
                self.sink.bytes(b"\r\n")?;
            }
        }
        self.bytes.resize(self.bytes.len() + padding(size), 0);
        self.send_if_full()
    }

    fn send_if_full(&mut self) -> io::Result<()> {
        if self.bytes.len() >= CHUNK { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        if self.chunked {
            let size = format!("{:x}\r\n", self.bytes.len());
            self.bytes.splice(..0, size.into_bytes());
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.sink.bytes(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.send()?;
        if self.chunked { self.sink.bytes(b"0\r\n\r\n") } else { Ok(()) }
    }
}

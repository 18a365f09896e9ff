//! Secrets from files and descriptors: checks permissions and reads the first line.
//!
//! Permissions are those of the open file, so it cannot be exchanged between the check and the reading.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use nix::unistd::getuid;
use zeroize::Zeroizing;

use super::netrc::{self, NetrcSearch};
use super::{LIMIT, Secret, SecretError};

/// Longest wait for the first line of a pipe, in seconds.
const PIPE_TIMEOUT: u64 = 30;
/// Largest netrc file in bytes; a thousand entries have a tenth of it.
const NETRC_LIMIT: u64 = 1024 * 1024;
/// Read permission of the group and of others.
const READABLE_BY_OTHERS: u32 = 0o044;

/// The first line of a file that belongs to this user or root and that only its owner may read.
pub(super) fn file(path: &Path) -> Result<Secret, SecretError> {
    let mut file = open(path)?;
    let about = file.metadata()?;
    guard(&about)?;
    not_standard_input(&about)?;
    first_line(&mut file)
}

/// All of a file that belongs to this user or root and that only its owner may read.
pub(super) fn whole_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut file = open(path)?;
    guard(&file.metadata()?)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT));
    while read_some(&mut file, &mut bytes)? > 0 {}
    Ok(bytes)
}

/// The first line from an open descriptor of this process. Its permissions are not checked.
pub(super) fn descriptor(number: i32) -> Result<Secret, SecretError> {
    let mut file = open(Path::new(&format!("/proc/self/fd/{number}"))).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("this descriptor is not open"),
        _ => error,
    })?;
    not_standard_input(&file.metadata()?)?;
    first_line(&mut file)
}

/// The password in a netrc file, if the file exists and has one.
pub(super) fn netrc(path: &Path, search: &NetrcSearch<'_>) -> Result<Option<Secret>, SecretError> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let about = file.metadata()?;
    // The buffer has its final size at once: one that grows leaves copies behind.
    let room = usize::try_from(about.len().min(NETRC_LIMIT)).unwrap_or(LIMIT);
    let mut text = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(NETRC_LIMIT).read_to_end(&mut text)?;
    let text = str::from_utf8(&text).map_err(|_| SecretError::Encoding)?;
    match netrc::password(text, search) {
        Ok(Some(password)) => {
            // Permissions matter only if the file holds the password.
            guard(&about)?;
            Secret::new(password.as_bytes()).map(Some)
        }
        Ok(None) => Ok(None),
        Err((line, mistake)) => Err(SecretError::Netrc(line, mistake)),
    }
}

/// Opens without blocking: a FIFO may have no writer.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
}

fn guard(about: &Metadata) -> Result<(), SecretError> {
    if about.mode() & READABLE_BY_OTHERS != 0 {
        return Err(SecretError::Readable);
    }
    let owner = about.uid();
    if owner != 0 && owner != getuid().as_raw() { Err(SecretError::Foreign) } else { Ok(()) }
}

/// Standard input is the text: a password from it could end up in a message.
fn not_standard_input(about: &Metadata) -> Result<(), SecretError> {
    let same = fstat(io::stdin()).is_ok_and(|stdin| (stdin.st_dev, stdin.st_ino) == (about.dev(), about.ino()));
    if same { Err(SecretError::StandardInput) } else { Ok(()) }
}

fn first_line(file: &mut File) -> Result<Secret, SecretError> {
    let deadline = Instant::now() + Duration::from_secs(PIPE_TIMEOUT);
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT));
    while !bytes.contains(&b'\n') {
        // Reads before it waits: a FIFO without a writer is at its end, but never becomes readable.
        match read_some(file, &mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(SecretError::Read(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                if !wait(file, deadline)? {
                    return Err(SecretError::TooSlow(PIPE_TIMEOUT));
                }
            }
            Err(other) => return Err(other),
        }
    }
    Secret::new(&line_of(bytes))
}

/// Waits until there is data to read; `false` at `deadline`.
pub(super) fn wait(file: &impl AsFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut awaited = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut awaited, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(ready) => return Ok(ready > 0),
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Appends data to `bytes` up to its capacity; returns the number of new bytes, 0 at the end.
pub(super) fn read_some(file: &mut impl Read, bytes: &mut Zeroizing<Vec<u8>>) -> Result<usize, SecretError> {
    let held = bytes.len();
    if held == bytes.capacity() {
        return Err(SecretError::TooLong);
    }
    let room = bytes.capacity();
    bytes.resize(room, 0);
    let read = file.read(&mut bytes[held..]);
    bytes.truncate(held + read.as_ref().map_or(0, |length| *length));
    Ok(read?)
}

/// The bytes before the first line end.
pub(super) fn line_of(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    bytes.truncate(end);
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts_whatever_ends_it() {
        for text in [&b"one"[..], b"one\n", b"one\r\ntwo\n", b"one\ntwo"] {
            assert_eq!(line_of(Zeroizing::new(text.to_vec())).as_slice(), b"one");
        }
        assert_eq!(line_of(Zeroizing::new(b"\none".to_vec())).as_slice(), b"");
    }

    #[test]
    fn a_secret_is_read_into_one_place_and_no_further() {
        let mut bytes = Zeroizing::new(Vec::with_capacity(8));
        let place = bytes.as_ptr();
        let mut endless = io::repeat(b'x');
        assert_eq!(read_some(&mut endless, &mut bytes).unwrap(), bytes.capacity());
        assert!(matches!(read_some(&mut endless, &mut bytes), Err(SecretError::TooLong)));
        assert_eq!(bytes.as_ptr(), place);
    }
}

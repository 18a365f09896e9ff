//! Keeping the password of `--auth` out of what the system shows of a process.
//!
//! The environment with which a program was started can be read for as long as it runs (proc(5), `environ`), by its own user
//! and by root, and its children inherit it. A program cannot change that by itself, but it can start itself anew without the
//! variable and hand itself the password through a pipe.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use zeroize::Zeroizing;

use super::VARIABLE;

/// The variable that names the descriptor of the pipe.
pub(super) const DESCRIPTOR: &str = "HTTPD_PASSWORD_FD";
/// What a pipe takes without anybody reading: more is no password.
const MAX_PIPE: usize = 4096;

/// Starts the program anew if its environment shows a password; returns when it does not, or when that cannot be done.
pub(crate) fn reexec_without_password(args: &[OsString]) {
    let Some(password) = std::env::var_os(VARIABLE) else { return };
    let password = Zeroizing::new(password.into_vec());
    if password.len() <= MAX_PIPE
        && let Err(error) = start_anew(args, &password)
    {
        log::debug!("start without the password in the environment: {}", common::error::reason(&error));
    }
}

fn start_anew(args: &[OsString], password: &[u8]) -> io::Result<Infallible> {
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(password)?;
    drop(writer);
    fcntl(&reader, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let mut command = Command::new(std::env::current_exe()?);
    if let Some((name, args)) = args.split_first() {
        command.arg0(name).args(args);
    }
    Err(command.env_remove(VARIABLE).env(DESCRIPTOR, reader.as_raw_fd().to_string()).exec())
}

/// The password in the pipe, if this is a start anew. The pipe is closed then.
pub(super) fn hidden() -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(number) = std::env::var(DESCRIPTOR).ok().and_then(|text| text.parse::<u32>().ok()) else {
        return Ok(None);
    };
    let mut password = Zeroizing::new(Vec::with_capacity(MAX_PIPE + 1));
    File::open(format!("/proc/self/fd/{number}"))?.take(MAX_PIPE as u64 + 1).read_to_end(&mut password)?;
    if let Ok(number) = i32::try_from(number) {
        let _ = nix::unistd::close(number);
    }
    Ok(Some(password))
}

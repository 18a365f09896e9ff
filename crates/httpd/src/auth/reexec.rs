//! Removes the password of `--auth` from the environment that the system shows (proc(5), `environ`).
//!
//! The initial environment of a process stays readable by its user and by root and is inherited by children. The program
//! therefore executes itself again without the variable and passes the password through a pipe.

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
/// Longest password that is passed: a pipe accepts it without a reader.
const MAX_PASSWORD: usize = 4096;

/// Executes the program again if its environment contains a password; returns if it does not, or on failure.
pub(crate) fn reexec_without_password(args: &[OsString]) {
    let Some(password) = std::env::var_os(VARIABLE) else { return };
    let password = Zeroizing::new(password.into_vec());
    if password.len() <= MAX_PASSWORD
        && let Err(error) = reexec(args, &password)
    {
        log::debug!("re-execute without the password in the environment: {}", common::error::reason(&error));
    }
}

fn reexec(args: &[OsString], password: &[u8]) -> io::Result<Infallible> {
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

/// The password from the pipe after a re-execution; closes the pipe.
pub(super) fn password_from_pipe() -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(number) = std::env::var(DESCRIPTOR).ok().and_then(|text| text.parse::<u32>().ok()) else {
        return Ok(None);
    };
    let mut password = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD + 1));
    File::open(format!("/proc/self/fd/{number}"))?.take(MAX_PASSWORD as u64 + 1).read_to_end(&mut password)?;
    if let Ok(number) = i32::try_from(number) {
        let _ = nix::unistd::close(number);
    }
    Ok(Some(password))
}

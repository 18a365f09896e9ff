//! Secrets printed by a command, as password managers do.
//!
//! Its standard input is empty, its standard error is that of this program. It stays in the process group, so that it
//! may ask for a password on the terminal.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::source::{line_of, read_some, wait};
use super::{LIMIT, Secret, SecretError};

/// Time limit of a command in seconds: unlocking a key may need a person.
const TIMEOUT: u64 = 120;
/// Interval between two checks whether the command has ended.
const PAUSE: Duration = Duration::from_millis(5);
/// How long its output may stay open after its end, in a background process.
const LINGER: Duration = Duration::from_millis(200);

/// The first line of the output of `command`, run by `sh -c`.
pub(super) fn output(command: &str) -> Result<Secret, SecretError> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut guard = KillOnDrop(shell.spawn()?);
    let deadline = Instant::now() + Duration::from_secs(TIMEOUT);
    let bytes = collect(&mut guard.0, deadline)?;
    let status = ended(&mut guard.0, deadline)?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Secret::new(&line_of(bytes)),
        (Some(code), _) => Err(SecretError::ExitCode(code)),
        (None, signal) => Err(SecretError::Signal(signal.unwrap_or_default())),
    }
}

fn collect(child: &mut Child, deadline: Instant) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT));
    let Some(mut out) = child.stdout.take() else { return Ok(bytes) };
    loop {
        if wait(&out, deadline.min(Instant::now() + LINGER))? {
            if read_some(&mut out, &mut bytes)? == 0 {
                return Ok(bytes);
            }
        } else if child.try_wait()?.is_some() {
            return Ok(bytes);
        } else if Instant::now() >= deadline {
            return Err(SecretError::TooSlow(TIMEOUT));
        }
    }
}

fn ended(child: &mut Child, deadline: Instant) -> Result<ExitStatus, SecretError> {
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(status),
            None if Instant::now() >= deadline => return Err(SecretError::TooSlow(TIMEOUT)),
            None => thread::sleep(PAUSE),
        }
    }
}

/// Kills the command when it is dropped.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _: io::Result<()> = self.0.kill();
            let _: io::Result<ExitStatus> = self.0.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_output_is_the_secret() {
        assert_eq!(output("printf 'one\\ntwo\\n'").unwrap().expose(), "one");
    }

    #[test]
    fn a_failure_shows_the_exit_code_or_signal() {
        assert!(matches!(output("echo secret; exit 3"), Err(SecretError::ExitCode(3))));
        assert!(matches!(output("kill -9 $$"), Err(SecretError::Signal(9))));
        assert!(matches!(output("true"), Err(SecretError::Empty)));
    }

    #[test]
    fn endless_output_is_cut_off() {
        assert!(matches!(output("yes | tr -d '\\n'"), Err(SecretError::TooLong)));
    }

    #[test]
    fn what_it_leaves_in_the_background_is_not_waited_for() {
        let start = Instant::now();
        assert_eq!(output("sleep 2 & echo one").unwrap().expose(), "one");
        assert!(start.elapsed() < Duration::from_millis(1500));
    }
}

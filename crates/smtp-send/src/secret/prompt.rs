//! Reads a secret from the terminal, without echo.
//!
//! The terminal is /dev/tty, as standard input is the message. A process without a terminal, or in its background, is
//! not asked. A signal while echo is off restores the terminal first.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;

use common::SafeText;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use zeroize::Zeroizing;

use super::source::{line_of, read_some};
use super::{LIMIT, Secret, SecretError};

/// Signals that would end or stop the program while echo is off.
const HELD: [Signal; 5] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP];

/// Asks "`what` of `account`: " on the terminal; `None` without one.
pub(super) fn ask(what: &str, account: &str) -> Result<Option<Secret>, SecretError> {
    let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else { return Ok(None) };
    if tcgetpgrp(&terminal) != Ok(getpgrp()) {
        return Ok(None);
    }
    let before: SigSet = SigSet::thread_get_mask().map_err(std::io::Error::from)?;
    let held: SigSet = HELD.into_iter().collect();
    held.thread_block().map_err(std::io::Error::from)?;
    let typed = ask_unseen(&mut terminal, &held, &format!("{what} of {}: ", SafeText(account.as_bytes())));
    if let Ok(PromptInput::Signal(signal)) = &typed {
        // Echo is on again: the signal may end the program, unless the caller blocks it.
        let _ = raise(*signal);
    }
    before.thread_set_mask().map_err(std::io::Error::from)?;
    match typed? {
        PromptInput::Line(bytes) => Secret::new(&line_of(bytes)).map(Some),
        PromptInput::Signal(_) => Err(SecretError::Interrupted),
    }
}

enum PromptInput {
    Line(Zeroizing<Vec<u8>>),
    Signal(Signal),
}

fn ask_unseen(terminal: &mut File, held: &SigSet, question: &str) -> Result<PromptInput, SecretError> {
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let signals = SignalFd::with_flags(held, flags).map_err(std::io::Error::from)?;
    let unseen = EchoOff::new(terminal)?;
    terminal.write_all(question.as_bytes())?;
    let typed = read_line(terminal, &signals);
    drop(unseen);
    // The line end was not echoed either.
    terminal.write_all(b"\n")?;
    typed
}

fn read_line(terminal: &mut File, signals: &SignalFd) -> Result<PromptInput, SecretError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT));
    loop {
        let mut awaited =
            [PollFd::new(terminal.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut awaited, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(std::io::Error::from(error).into()),
        }
        let (line, signal) = (awaited[0].any() == Some(true), awaited[1].any() == Some(true));
        if signal && let Ok(Some(caught)) = signals.read_signal() {
            let number = i32::try_from(caught.ssi_signo).ok();
            match number.and_then(|number| Signal::try_from(number).ok()) {
                // Ignored: after a stop, echo would still be off.
                Some(Signal::SIGTSTP) | None => {}
                Some(signal) => return Ok(PromptInput::Signal(signal)),
            }
        }
        if line && (read_some(terminal, &mut bytes)? == 0 || bytes.contains(&b'\n')) {
            return Ok(PromptInput::Line(bytes));
        }
    }
}

/// Turns echo off until it is dropped.
struct EchoOff {
    terminal: File,
    before: Termios,
}

impl EchoOff {
    fn new(terminal: &File) -> Result<Self, SecretError> {
        let before = tcgetattr(terminal).map_err(std::io::Error::from)?;
        let mut mute = before.clone();
        mute.local_flags.remove(LocalFlags::ECHO);
        mute.local_flags.insert(LocalFlags::ICANON | LocalFlags::ISIG);
        // Discards input from before the question.
        tcsetattr(terminal, SetArg::TCSAFLUSH, &mute).map_err(std::io::Error::from)?;
        Ok(Self { terminal: terminal.try_clone()?, before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

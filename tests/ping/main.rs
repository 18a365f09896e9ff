//! ping as people use it: the real binary against this host and against networks made by the tests.

/// Wrong input: one line each.
mod command_line;
/// The man page and the completions match the options.
mod dist;
/// A silent resolver, a link that goes down, outputs that accept nothing.
mod faults;
/// Ways of sending, and options that end a run.
mod modes;
/// The replies of `replies` to a run with many targets.
mod multi_replies;
/// Routers, losses, late replies and absent hosts in network namespaces (root only).
mod network;
/// Raw socket, datagram socket or neither (root only).
mod permission;
/// JSON, CSV and counters for programs.
mod records;
/// Late, duplicate, corrupt and forged replies from a responder on a TUN device (root only).
mod replies;
/// When a run ends, with which exit code; signals.
mod run;
/// Runs with many targets: results, rates, memory.
mod sweep;
/// How many targets are named, and what is refused.
mod targets;
/// The text on standard output, compared byte by byte.
mod text;

use std::io::{PipeReader, PipeWriter, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::process::{Finished, WAIT_TIMEOUT, finish};
use testkit::{wait_for, wait_until};

/// Size of a page, in bytes; a pipe is full when its last page is in use.
const PAGE: usize = 4096;
/// Time without new output after which the program counts as stalled.
const STALL_TIME: Duration = Duration::from_millis(150);

/// The program under test.
fn ping() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ping"))
}

/// Runs ping with these words as arguments, to its end.
fn run_ping(words: &str) -> Finished {
    finish(ping().args(words.split_whitespace()), b"")
}

/// Whether `address` can be pinged from here; otherwise the test is skipped.
fn can_reach(address: &str) -> bool {
    let finished = run_ping(&format!("-c 1 {address}"));
    if finished.code() == 0 {
        return true;
    }
    testkit::skip_for_kernel(&format!("{address} cannot be pinged here: {}{}", finished.stdout, finished.stderr));
    false
}

/// Starts a program whose output is not read, and waits until the pipe is full.
fn start_with_full_output(command: &mut Command) -> (Child, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 2 * PAGE).unwrap();
    let child = command.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    // The command keeps a copy of the writer.
    command.stdout(Stdio::null());
    let (mut bytes, mut since) = (0, Instant::now());
    wait_until(WAIT_TIMEOUT, || {
        let now = rustix::io::ioctl_fionread(&reader).unwrap();
        if now != bytes {
            (bytes, since) = (now, Instant::now());
        }
        bytes >= PAGE as u64 && since.elapsed() > STALL_TIME
    });
    (child, reader)
}

/// Starts a program that waits for more standard input, after it has read `127.0.0.1`. The writer keeps the input open.
fn start_waiting_for_input(command: &mut Command) -> (Child, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"127.0.0.1\n").unwrap();
    let child = command.stdin(reader.try_clone().unwrap()).stdout(Stdio::null()).spawn().unwrap();
    wait_until(WAIT_TIMEOUT, || rustix::io::ioctl_fionread(&reader).unwrap() == 0);
    (child, writer)
}

/// Sends a signal; the exit status, or `None` (and the child is killed) when it still runs after `limit`.
fn exit_after(child: &mut Child, signal: Signal, limit: Duration) -> Option<ExitStatus> {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    let status = wait_for(limit, || child.try_wait().unwrap());
    let _ = child.kill();
    let _ = child.wait();
    status
}

/// The output with each time replaced, so that the output of two runs is equal.
fn without_times(output: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in output.lines() {
        let mut line = line.to_owned();
        if let Some((before, after)) = line.split_once(" time=") {
            let tail = after.split_once(" ms").map_or("", |(_, tail)| tail);
            line = format!("{before} time=TIME ms{tail}");
        } else if let Some((before, _)) = line.split_once(", time ") {
            line = format!("{before}, time TIME");
        } else if let Some((before, after)) = line.split_once(" = ") {
            let tail = after.split_once(" ms").map_or("", |(_, tail)| tail);
            line = format!("{before} = TIMES ms{tail}");
        }
        if let Some((stamp, rest)) = line.split_once("] ").filter(|(stamp, _)| stamp.starts_with('[')) {
            assert!(stamp[1..].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{stamp}");
            line = format!("[STAMP] {rest}");
        }
        lines.push(line);
    }
    lines.join("\n") + "\n"
}

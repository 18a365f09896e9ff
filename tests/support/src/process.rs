//! Spawn guards: the drop of a value ends its program.
//!
//! [`Running`] starts a program in the background, collects its output and kills it on drop. [`finish`] waits for the exit of
//! a program. Every wait has a deadline, so a program that hangs fails its test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait_for;

/// Longest wait for something that should happen at once; long, because test machines are shared.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Output of a program, read from a pipe by a thread.
#[derive(Clone, Default)]
struct Collected(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Collected {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let collected = Self::default();
        let sink = collected.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let read = pipe.read(&mut buffer).unwrap_or(0);
                let mut state = sink.0.0.lock().unwrap();
                state.bytes.extend_from_slice(&buffer[..read]);
                state.closed = read == 0;
                sink.0.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        collected
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().bytes).into_owned()
    }

    /// Waits until `found` returns a value for the text so far; `None` at the end of the pipe and after [`WAIT_TIMEOUT`].
    fn wait_for<T>(&self, found: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        let mut state = self.0.0.lock().unwrap();
        loop {
            if let Some(value) = found(&String::from_utf8_lossy(&state.bytes)) {
                return Some(value);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap().0;
        }
    }

    fn wait_until_closed(&self) {
        self.wait_for(|_| None::<()>);
    }
}

/// A program in the background; killed on drop.
pub struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
}

impl Running {
    /// Starts `command` with both outputs collected and standard input closed.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(command: &mut Command) -> Self {
        Self::spawn(command, Stdio::null())
    }

    fn spawn(command: &mut Command, stdin: Stdio) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = Collected::from(child.stdout.take().expect("stdout is piped"));
        let stderr = Collected::from(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr }
    }

    /// Waits until `found` returns a value for standard output.
    ///
    /// # Panics
    /// When the program exits before that, and after [`WAIT_TIMEOUT`].
    pub fn wait_for_stdout<T>(&self, found: impl Fn(&str) -> Option<T>) -> T {
        self.stdout.wait_for(found).unwrap_or_else(|| panic!("not in stdout:\n{}\n{}", self.stdout(), self.stderr()))
    }

    /// Waits until `found` returns a value for standard error.
    ///
    /// # Panics
    /// When the program exits before that, and after [`WAIT_TIMEOUT`].
    pub fn wait_for_stderr<T>(&self, found: impl Fn(&str) -> Option<T>) -> T {
        self.stderr.wait_for(found).unwrap_or_else(|| panic!("not in stderr:\n{}\n{}", self.stdout(), self.stderr()))
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to the program.
    ///
    /// # Panics
    /// When the program has exited.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id fits"));
        kill(pid, signal).expect("the program runs");
    }

    /// Waits for the exit of the program.
    ///
    /// # Panics
    /// When the program still runs after [`WAIT_TIMEOUT`].
    pub fn finish(mut self) -> Finished {
        let status = wait_for_exit(&mut self.child)
            .unwrap_or_else(|| panic!("still running\n{}\n{}", self.stdout(), self.stderr()));
        self.stdout.wait_until_closed();
        self.stderr.wait_until_closed();
        Finished { status, stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Exit status and output of a program.
#[derive(Debug)]
pub struct Finished {
    /// Exit status.
    pub status: ExitStatus,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

impl Finished {
    /// The exit code.
    ///
    /// # Panics
    /// When a signal killed the program.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }
}

/// Runs `command` with `input` on standard input and waits for its exit.
///
/// # Panics
/// When the program cannot be started or still runs after [`WAIT_TIMEOUT`].
pub fn finish(command: &mut Command, input: &[u8]) -> Finished {
    let mut running = Running::spawn(command, Stdio::piped());
    let mut stdin = running.child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    let writer = thread::spawn(move || {
        // A program may exit before it has read all of its input.
        let _ = stdin.write_all(&input);
    });
    let finished = running.finish();
    writer.join().expect("the writer does not panic");
    finished
}

fn wait_for_exit(child: &mut Child) -> Option<ExitStatus> {
    wait_for(WAIT_TIMEOUT, || child.try_wait().expect("a child of this process"))
}

/// A free TCP port on 127.0.0.1.
///
/// # Panics
/// When no port is free.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound address").port()
}

/// Waits until `address` accepts connections.
///
/// # Panics
/// When connections are still refused after [`WAIT_TIMEOUT`].
pub fn wait_until_listening(address: SocketAddr) {
    let connected = wait_for(WAIT_TIMEOUT, || TcpStream::connect(address).ok());
    assert!(connected.is_some(), "no listener on {address}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_guard_kills_the_program() {
        let running = Running::start(Command::new("sleep").arg("60"));
        let pid = Pid::from_raw(running.id().try_into().unwrap());
        drop(running);
        assert!(kill(pid, None).is_err(), "the process still exists");
    }

    #[test]
    fn waiting_for_output_returns_when_it_arrives() {
        let running = Running::start(Command::new("sh").args(["-c", "echo one; echo two >&2; sleep 60"]));
        assert_eq!(running.wait_for_stdout(|text| text.lines().next().map(str::to_owned)), "one");
        running.wait_for_stderr(|text| text.contains("two").then_some(()));
    }

    #[test]
    fn a_program_reads_its_input_and_returns_its_exit_code() {
        let finished = finish(Command::new("sh").args(["-c", "cat; exit 3"]), b"hello");
        assert_eq!((finished.code(), finished.stdout.as_str()), (3, "hello"));
    }
}

//! A site in a temporary folder and a server for it; both are removed on drop.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use testkit::http::{Client, Response};
use testkit::process::Running;

/// A running server on a free port of 127.0.0.1.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

/// The program under test.
pub(crate) fn httpd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_httpd"));
    command.env("TZ", "UTC");
    command
}

impl Server {
    /// Serves these files; names ending in a slash are folders.
    pub(crate) fn with_files(files: &[(&str, &[u8])]) -> Self {
        Self::with_options(files, &[])
    }

    /// Serves these files, with further options.
    pub(crate) fn with_options(files: &[(&str, &[u8])], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        }
        Self::start(folder, options)
    }

    /// Serves a folder that the test has made.
    pub(crate) fn start(folder: TempDir, options: &[&str]) -> Self {
        let mut command = httpd();
        command.args(["--bind", "127.0.0.1", "--port", "0"]).args(options).arg(folder.path());
        let running = Running::start(&mut command);
        let address = running.wait_for_stderr(listening_address);
        Self { running, address, folder }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// One GET request on a new connection.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.connect().get(target, "")
    }

    /// The path of a file of the site.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The response to these bytes on a new connection.
    pub(crate) fn answer(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut client = self.connect();
        client.send(bytes);
        client.response()
    }
}

/// The address in the line that the server prints when it is ready.
pub(crate) fn listening_address(stderr: &str) -> Option<SocketAddr> {
    let (_, rest) = stderr.split_once("http://")?;
    rest.split_once("/\n")?.0.parse().ok()
}

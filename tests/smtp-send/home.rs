//! A home folder with a configuration file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testkit::process::{Finished, finish};
use testkit::smtp::Server;

use crate::support::smtp_send;

/// A home folder; gone when dropped.
pub(crate) struct Home(TempDir);

impl Home {
    /// A home with this text as its configuration file.
    pub(crate) fn new(config: &str) -> Self {
        let home = Self(TempDir::new().unwrap());
        fs::create_dir_all(home.file().parent().unwrap()).unwrap();
        home.write(".config/smtp-send/config.toml", config);
        home
    }

    /// A home whose default account is for `server`, with `more` lines.
    pub(crate) fn with_account(server: &Server, more: &str) -> Self {
        let address = server.address();
        Self::new(&format!("[account.default]\nserver = '{address}'\nfrom = 'Me <me@example.org>'\n{more}\n"))
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        self.path().join(".config/smtp-send/config.toml")
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that only its owner may read, and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The program with `args`, at home here.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = smtp_send(args);
        command.env("HOME", self.path());
        command
    }

    /// The program under the name of sendmail, at home here.
    pub(crate) fn sendmail(&self, args: &[&str]) -> Command {
        let link = self.path().join("sendmail");
        if !link.exists() {
            symlink(env!("CARGO_BIN_EXE_smtp-send"), &link).unwrap();
        }
        let mut command = Command::new(link);
        inherit(&mut command, &self.command(&[]));
        command.args(args);
        command
    }

    /// Sends a body of one line to bob@example.com, with further arguments.
    pub(crate) fn send(&self, args: &[&str]) -> Finished {
        self.send_with(&[], args)
    }

    /// The same with variables in the environment.
    pub(crate) fn send_with(&self, environment: &[(&str, &str)], args: &[&str]) -> Finished {
        let args = [&["--to", "bob@example.com", "--body", "x"], args].concat();
        finish(self.command(&args).envs(environment.iter().copied()), b"")
    }
}

/// Gives `outer` the environment of `command`.
pub(crate) fn inherit(outer: &mut Command, command: &Command) {
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
}

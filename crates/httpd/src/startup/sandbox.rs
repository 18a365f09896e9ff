//! Drops privileges once everything is open: another user, and access to the served files only.
//!
//! Landlock (landlock(7)) is applied before a worker starts, so every thread inherits the rules: read below the root, write the
//! access log, no new TCP connection or listener.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use common::landlock::{AccessFs, Rules, folder_of};
use common::{Error, Kind};
use nix::unistd::{User, initgroups, setgid, setuid};

use crate::auth::Login;
use crate::config::{Config, LogTarget, TlsConfig};
use crate::content::files::SymlinkPolicy;
use crate::net::listener::Bind;

/// Files of the local time zone, for the access log.
const TIME_ZONES: [&str; 2] = ["/etc/localtime", "/usr/share/zoneinfo"];

/// Changes to another user and its groups permanently.
pub(crate) fn become_user(name: &str) -> Result<(), Error> {
    let fail = |cause: nix::Error| Error::io("become user", name, cause.into()).with_kind(Kind::Config);
    let Some(user) = User::from_name(name).map_err(fail)? else {
        return Err(Error::new(Kind::Config, "become user", name, "no such user"));
    };
    let text = CString::new(name).map_err(|cause| Error::new(Kind::Config, "become user", name, cause))?;
    initgroups(&text, user.gid).map_err(fail)?;
    setgid(user.gid).map_err(fail)?;
    setuid(user.uid).map_err(fail)?;
    log::info!("running as {name} ({})", user.uid);
    Ok(())
}

/// Confines this thread and all threads that it starts. Without Landlock in the kernel only `no_new_privs` is set.
pub(crate) fn confine(config: &Config) -> Result<(), Error> {
    let fail = |cause: io::Error| Error::io("confine", "the process", cause);
    nix::sys::prctl::set_no_new_privs().map_err(|error| fail(error.into()))?;
    let readable = match config.symlinks {
        SymlinkPolicy::Any => "everything except /dev, /proc and /sys".to_owned(),
        _ => config.root.display().to_string(),
    };
    let rules = rules(config).map_err(|error| fail(io::Error::other(error)))?;
    rules.enforce(&format!("reads {readable}, opens no TCP connections")).map_err(|error| fail(io::Error::other(error)))
}

fn rules(config: &Config) -> Result<Rules, Box<dyn std::error::Error + Send + Sync>> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut rules = Rules::deny_all()?.allow(&config.root, read)?;
    for path in TIME_ZONES {
        rules = rules.allow(Path::new(path), read)?;
    }
    if config.symlinks == SymlinkPolicy::Any {
        for folder in top_level_folders() {
            rules = rules.allow(&folder, read)?;
        }
    }
    for bind in &config.listen.addresses {
        if let Bind::Unix(path) = bind {
            // Removing the socket at the end is a right of its folder.
            rules = rules.allow(folder_of(path), AccessFs::RemoveFile)?;
        }
    }
    if let Some(TlsConfig::Files(files)) = &config.tls {
        // The folders, because the files are replaced; also the folders of link targets.
        for path in [&files.certificate, &files.key] {
            rules = rules.allow(folder_of(path), AccessFs::ReadFile)?;
            if let Ok(target) = path.canonicalize() {
                rules = rules.allow(folder_of(&target), AccessFs::ReadFile)?;
            }
        }
    }
    if let Some(Login::File(path)) = &config.login {
        // The folder, because editors replace the file.
        rules = rules.allow(folder_of(path), AccessFs::ReadFile)?;
    }
    if let LogTarget::File(path) = &config.access_log {
        // The folder, because after a rename the log is created again.
        rules = rules.allow(folder_of(path), AccessFs::WriteFile | AccessFs::MakeReg)?;
    }
    Ok(rules)
}

/// The folders to which links can lead with `--symlinks any`.
fn top_level_folders() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/") else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| !["/dev", "/proc", "/sys"].iter().any(|other| path == Path::new(other))).collect()
}

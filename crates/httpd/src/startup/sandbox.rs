//! Drops privileges once everything is open: another user, and access to the served files only.
//!
//! Landlock (landlock(7)) is applied before a worker starts, so every thread inherits the rules: read below the root, write the
//! access log, no new TCP connection or listener.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use common::landlock::{AccessFs, Rules, folder_of};
use common::{Error, Kind};
use nix::unistd::{Gid, Group, Uid, User, initgroups, setgid, setgroups, setuid};

use crate::auth::Login;
use crate::config::{Config, LogTarget, TlsConfig};
use crate::content::files::SymlinkPolicy;
use crate::net::listener::ListenAddress;

/// Files of the local time zone, for the access log.
const TIME_ZONES: [&str; 2] = ["/etc/localtime", "/usr/share/zoneinfo"];

/// Changes to another user and its groups permanently; `text` is `USER` or `USER:GROUP`, each a name or a number.
pub(crate) fn become_user(text: &str) -> Result<(), Error> {
    let wrong = |why: &str| Error::new(Kind::Config, "become user", text, why.to_owned());
    let fail = |cause: nix::Error| Error::io("become user", text, cause.into()).with_kind(Kind::Config);
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let number = user.parse().ok().map(Uid::from_raw);
    let known = match (User::from_name(user).map_err(fail)?, number) {
        (None, Some(uid)) => User::from_uid(uid).map_err(fail)?,
        (known, _) => known,
    };
    let uid = known.as_ref().map(|user| user.uid).or(number).ok_or_else(|| wrong("no such user"))?;
    let gid = match (group, &known) {
        (Some(group), _) => group_id(group).map_err(fail)?.ok_or_else(|| wrong("no such group"))?,
        (None, Some(user)) => user.gid,
        (None, None) => return Err(wrong("the number has no user entry; add a group, as in 1000:1000")),
    };
    match known.and_then(|user| CString::new(user.name).ok()) {
        Some(name) => initgroups(&name, gid).map_err(fail)?,
        None => setgroups(&[gid]).map_err(fail)?,
    }
    setgid(gid).map_err(fail)?;
    setuid(uid).map_err(fail)?;
    log::info!("running as {text} (user {uid}, group {gid})");
    Ok(())
}

/// A group by name or number.
fn group_id(text: &str) -> nix::Result<Option<Gid>> {
    let known = Group::from_name(text)?.map(|group| group.gid);
    Ok(known.or_else(|| text.parse().ok().map(Gid::from_raw)))
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
        if let ListenAddress::Unix(path) = bind {
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

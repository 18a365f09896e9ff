//! What the process may still do once everything is open: become another user, gain nothing, and see only the site.
//!
//! Landlock (landlock(7)) is applied before a worker starts, so every thread inherits it: files can be read beneath the root,
//! the access log can be written, and no TCP connection or listener can be made any more. On kernels that know less of it,
//! the rest is enforced and the log says what is missing.

use std::ffi::CString;
use std::io;
use std::path::Path;

use common::{Failure, Kind};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::unistd::{User, initgroups, setgid, setuid};

use crate::auth::Login;
use crate::config::{Config, LogTarget, TlsConfig};
use crate::content::files::Symlinks;
use crate::net::listener::Bind;

/// The newest interface whose rights are asked for; older kernels enforce what they know.
const NEWEST: ABI = ABI::V6;
/// Where the names and rules of time zones lie: the log has local times.
const TIME_ZONES: [&str; 2] = ["/etc/localtime", "/usr/share/zoneinfo"];

/// Becomes another user for good, with that user's groups.
pub(crate) fn become_user(name: &str) -> Result<(), Failure> {
    let fail = |cause: nix::Error| Failure::io("become user", name, cause.into()).with_kind(Kind::Config);
    let user = User::from_name(name).map_err(fail)?;
    let Some(user) = user else {
        return Err(Failure::new(Kind::Config, "become user", name, "there is no such user"));
    };
    let text = CString::new(name).map_err(|cause| Failure::new(Kind::Config, "become user", name, cause))?;
    initgroups(&text, user.gid).map_err(fail)?;
    setgid(user.gid).map_err(fail)?;
    setuid(user.uid).map_err(fail)?;
    log::info!("running as {name} ({})", user.uid);
    Ok(())
}

/// Confines this thread and all that it starts; without Landlock in the kernel only `no_new_privs` remains.
pub(crate) fn confine(config: &Config) -> Result<(), Failure> {
    let fail = |cause: io::Error| Failure::io("confine", "the process", cause);
    nix::sys::prctl::set_no_new_privs().map_err(|error| fail(error.into()))?;
    let status = restrict(config).map_err(|error| fail(io::Error::other(error)))?;
    let readable = match config.symlinks {
        Symlinks::Any => "everything but /dev, /proc and /sys".to_owned(),
        _ => config.root.display().to_string(),
    };
    match status {
        RulesetStatus::FullyEnforced => log::info!("Landlock: reads {readable}, opens no TCP connections"),
        RulesetStatus::PartiallyEnforced => log::info!("Landlock: reads {readable}; this kernel enforces no more"),
        RulesetStatus::NotEnforced => log::info!("Landlock: not in this kernel, nothing is confined"),
    }
    Ok(())
}

fn restrict(config: &Config) -> Result<RulesetStatus, landlock::RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    rules = allow(rules, &config.root, read)?;
    for place in TIME_ZONES {
        rules = allow(rules, Path::new(place), read)?;
    }
    if config.symlinks == Symlinks::Any {
        for place in top_level_folders() {
            rules = allow(rules, &place, read)?;
        }
    }
    for bind in &config.listen.addresses {
        if let Bind::Unix(path) = bind {
            // It is removed at the end, which is a right of its folder.
            rules = allow(rules, folder_of(path), AccessFs::RemoveFile.into())?;
        }
    }
    if let Some(TlsConfig::Files(files)) = &config.tls {
        // Their folders, because files are replaced by new ones; where a link leads to the file, also the folder it leads to.
        for path in [&files.certificate, &files.key] {
            rules = allow(rules, folder_of(path), AccessFs::ReadFile.into())?;
            if let Ok(real) = path.canonicalize() {
                rules = allow(rules, folder_of(&real), AccessFs::ReadFile.into())?;
            }
        }
    }
    if let Some(Login::File(path)) = &config.login {
        // The folder, because a new version is often another file of the same name.
        rules = allow(rules, folder_of(path), AccessFs::ReadFile.into())?;
    }
    if let LogTarget::File(path) = &config.access_log {
        // The folder, because after a rename the log is created anew in it.
        rules = allow(rules, folder_of(path), AccessFs::WriteFile | AccessFs::MakeReg)?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

/// The folder in which a file lies or will lie.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Adds a rule; what does not exist needs none.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    match PathFd::new(path) {
        Ok(handle) if path.is_dir() => rules.add_rule(PathBeneath::new(handle, access)),
        // A single file has no folder rights.
        Ok(handle) => rules.add_rule(PathBeneath::new(handle, access & AccessFs::from_file(NEWEST))),
        Err(_) => Ok(rules),
    }
}

/// Where a link may lead when any may be followed: not to the files that are no files.
fn top_level_folders() -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir("/") else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| !["/dev", "/proc", "/sys"].iter().any(|other| path == Path::new(other))).collect()
}

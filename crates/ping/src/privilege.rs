//! Giving up every privilege once the socket is open: capabilities, the bounding set, and under sudo the user id.
//!
//! Runs before the first packet is read, so that nothing a stranger sends meets more rights than an ordinary program
//! has. A privilege that cannot be given up ends the program. Landlock (landlock(7)) then takes even the files of the user
//! away, but for those that the C library reads to look names up; kernels that know less of it enforce what they know.

use std::path::Path;

use caps::CapSet;
use common::{Failure, Kind};
use landlock::{
    ABI, Access, AccessFs, AccessNet, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use nix::sys::prctl;
use nix::unistd::{self, Gid, Uid};

/// The newest interface whose rights are asked for; older kernels enforce what they know.
const NEWEST: ABI = ABI::V6;
/// What a look-up of a name reads: the files that say how, one of them often a link to somewhere else, and the libraries
/// of the C library's name services, which are loaded at the first look-up.
const NAME_SERVICE: [&str; 9] =
    ["/etc", "/etc/resolv.conf", "/etc/hosts", "/usr", "/lib", "/lib64", "/run", "/nix/store", "/gnu/store"];
/// DNS over TCP, for answers that are too long for UDP.
const DNS: u16 = 53;

/// Drops everything that this process could do beyond its user, and everything but `written` in the file system.
pub(crate) fn drop_all(written: Option<&Path>) -> Result<(), Failure> {
    // Only somebody with CAP_SETPCAP may empty the bounding set, and nobody else needs to.
    if caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).unwrap_or(false) {
        caps::clear(None, CapSet::Bounding).map_err(denied("empty", "the bounding set"))?;
    }
    drop_user().map_err(|cause| denied("leave", "the user id")(cause))?;
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(denied("drop", "capabilities"))?;
    }
    prctl::set_no_new_privs().map_err(denied("set", "no_new_privs"))?;
    // A courtesy of the kernel that would cost up to 50 microseconds at each send.
    let _ = prctl::set_timerslack(1);
    match confine(written).map_err(denied("confine", "the process"))? {
        RulesetStatus::FullyEnforced => log::info!("Landlock: reads what names need, connects to name servers only"),
        RulesetStatus::PartiallyEnforced => log::info!("Landlock: in part, this kernel enforces no more"),
        RulesetStatus::NotEnforced => log::info!("Landlock: not in this kernel, nothing is confined"),
    }
    Ok(())
}

fn confine(written: Option<&Path>) -> Result<RulesetStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rule(NetPort::new(DNS, AccessNet::ConnectTcp))?;
    for place in NAME_SERVICE {
        rules = allow(rules, Path::new(place), AccessFs::from_read(NEWEST))?;
    }
    if let Some(path) = written {
        // The folder, because a file is written beside the old one and takes its place.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        rules = allow(rules, folder, AccessFs::from_all(NEWEST))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

/// Adds a rule; what does not exist needs none.
fn allow(
    rules: RulesetCreated,
    place: &Path,
    access: landlock::BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(place) {
        // A single file has no folder rights.
        Ok(handle) if !place.is_dir() => rules.add_rule(PathBeneath::new(handle, access & AccessFs::from_file(NEWEST))),
        Ok(handle) => rules.add_rule(PathBeneath::new(handle, access)),
        Err(_) => Ok(rules),
    }
}

/// Becomes the user who called: the real one of a set-user-id program, the one before sudo otherwise.
fn drop_user() -> nix::Result<()> {
    let (real, effective) = (Uid::current(), Uid::effective());
    if real != effective {
        let group = Gid::current();
        unistd::setresgid(group, group, group)?;
        return unistd::setresuid(real, real, real);
    }
    let id = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match (real.is_root(), id("SUDO_UID"), id("SUDO_GID")) {
        (true, Some(user), Some(group)) if user != 0 => {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            unistd::setgroups(&[])?;
            unistd::setresgid(group, group, group)?;
            unistd::setresuid(user, user, user)
        }
        _ => Ok(()),
    }
}

fn denied<E: std::fmt::Display>(operation: &'static str, what: &'static str) -> impl Fn(E) -> Failure {
    move |cause| Failure::new(Kind::Denied, operation, what, cause.to_string())
}

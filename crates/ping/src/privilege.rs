//! Drops all privileges once the sockets are open: capabilities, the bounding set, under sudo the user id.
//!
//! Runs before the first packet is read. A privilege that cannot be dropped ends the program. Landlock (landlock(7))
//! then leaves only the files that the C library reads to look up names.

use std::path::Path;

use common::landlock::{self, Rules};
use common::{Error, Kind};
use nix::sys::prctl;
use nix::unistd::{self, Gid, Uid};
use rustix::thread::{self as capability, CapabilitySet, CapabilitySets};

/// Files and libraries that the C library reads at the first look-up of a name.
const NAME_SERVICE_PATHS: [&str; 9] =
    ["/etc", "/etc/resolv.conf", "/etc/hosts", "/usr", "/lib", "/lib64", "/run", "/nix/store", "/gnu/store"];
/// DNS over TCP, for answers too long for UDP.
const DNS_PORT: u16 = 53;

/// Drops all privileges, and all access to the file system except name services and the file `written`.
pub(crate) fn drop_all(written: Option<&Path>) -> Result<(), Error> {
    empty_bounding_set().map_err(denied("empty", "the bounding set"))?;
    drop_user().map_err(|cause| denied("leave", "the user id")(cause))?;
    drop_capabilities().map_err(denied("drop", "capabilities"))?;
    prctl::set_no_new_privs().map_err(denied("set", "no_new_privs"))?;
    // The default timer slack delays each send by up to 50 microseconds.
    let _ = prctl::set_timerslack(1);
    if let Err(cause) = restrict(written) {
        // A sandbox around this process may refuse the system calls of Landlock; rights are dropped all the same.
        log::info!("Landlock is not available: {cause}");
    }
    Ok(())
}

/// Empties the bounding set (capabilities(7)), which requires `CAP_SETPCAP`; without it the set stays.
fn empty_bounding_set() -> rustix::io::Result<()> {
    if !capability::capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match capability::capability_is_in_bounding_set(one) {
            Ok(true) => capability::remove_capability_from_bounding_set(one)?,
            Ok(false) => {}
            // The first number that this kernel does not know.
            Err(_) => break,
        }
    }
    Ok(())
}

fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    capability::clear_ambient_capability_set()?;
    capability::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

fn restrict(written: Option<&Path>) -> Result<(), landlock::RulesetError> {
    let mut rules = Rules::deny_all()?.allow_connect(DNS_PORT)?;
    for path in NAME_SERVICE_PATHS {
        rules = rules.allow(Path::new(path), Rules::read())?;
    }
    if let Some(path) = written {
        // The folder: the file is replaced by a rename.
        rules = rules.allow(landlock::folder_of(path), Rules::all())?;
    }
    rules.enforce("reads the files of name services, connects to port 53 only")
}

/// Becomes the calling user: the real user id of a set-user-id program, else `SUDO_UID`.
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
            let left = unistd::setgroups(&[])
                .and_then(|()| unistd::setresgid(group, group, group))
                .and_then(|()| unistd::setresuid(user, user, user));
            // A user namespace may not map the user id of sudo; its root has no rights outside the namespace.
            if let Err(errno) = left {
                log::info!("the user id stays that of root: {errno}");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn denied<E: std::fmt::Display>(operation: &'static str, what: &'static str) -> impl Fn(E) -> Error {
    move |cause| Error::new(Kind::Denied, operation, what, cause.to_string())
}

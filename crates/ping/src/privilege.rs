//! Giving up every privilege once the socket is open: capabilities, the bounding set, and under sudo the user id.
//!
//! Runs before the first packet is read, so that nothing a stranger sends meets more rights than an ordinary program
//! has. A privilege that cannot be given up ends the program.

use caps::CapSet;
use common::{Failure, Kind};
use nix::sys::prctl;
use nix::unistd::{self, Gid, Uid};

/// Drops everything that this process could do beyond its user.
pub(crate) fn drop_all() -> Result<(), Failure> {
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
    Ok(())
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

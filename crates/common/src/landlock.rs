//! Landlock (landlock(7)): what the process may still reach in the file system and on the network.
//!
//! All rights that the newest known interface can restrict are taken away; an older kernel enforces those it knows.

use std::path::Path;

use landlock::{
    ABI, Access, AccessNet, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetStatus, Scope,
};

pub use landlock::{AccessFs, BitFlags, RulesetError};

/// The newest interface whose rights are requested.
const ABI_VERSION: ABI = ABI::V6;

/// The rules of a process before they are enforced.
#[derive(Debug)]
pub struct Rules(RulesetCreated);

impl Rules {
    /// A set of rules that permits nothing.
    pub fn deny_all() -> Result<Self, RulesetError> {
        let rules = Ruleset::default()
            .handle_access(AccessFs::from_all(ABI_VERSION))?
            .handle_access(AccessNet::from_all(ABI_VERSION))?
            .scope(Scope::from_all(ABI_VERSION))?
            .create()?;
        Ok(Self(rules))
    }

    /// All rights to read files and folders.
    pub fn read() -> BitFlags<AccessFs> {
        AccessFs::from_read(ABI_VERSION)
    }

    /// All rights in the file system.
    pub fn all() -> BitFlags<AccessFs> {
        AccessFs::from_all(ABI_VERSION)
    }

    /// Permits `access` to a file, or beneath a folder. A path that does not exist adds no rule.
    pub fn allow(self, path: &Path, access: impl Into<BitFlags<AccessFs>>) -> Result<Self, RulesetError> {
        let access = access.into();
        match PathFd::new(path) {
            Ok(handle) if path.is_dir() => self.0.add_rule(PathBeneath::new(handle, access)).map(Self),
            // The kernel refuses folder rights on a file.
            Ok(handle) => {
                self.0.add_rule(PathBeneath::new(handle, access & AccessFs::from_file(ABI_VERSION))).map(Self)
            }
            Err(_) => Ok(self),
        }
    }

    /// Permits TCP connections to a port.
    pub fn allow_connect(self, port: u16) -> Result<Self, RulesetError> {
        self.0.add_rule(NetPort::new(port, AccessNet::ConnectTcp)).map(Self)
    }

    /// Enforces the rules on this thread and all threads it starts later; `permitted` describes them in the log.
    pub fn enforce(self, permitted: &str) -> Result<(), RulesetError> {
        match self.0.restrict_self()?.ruleset {
            RulesetStatus::FullyEnforced => log::info!("Landlock: {permitted}"),
            RulesetStatus::PartiallyEnforced => log::info!("Landlock: {permitted}; this kernel enforces a part of it"),
            RulesetStatus::NotEnforced => log::info!("Landlock: not supported by this kernel, nothing is restricted"),
        }
        Ok(())
    }
}

/// The folder of a file, also of one that does not exist yet.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

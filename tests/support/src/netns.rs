//! Network namespaces, removed when their guard is dropped.
//!
//! [`Network`] makes namespaces with unique names, links them by veth pairs and runs commands inside. Root and `ip`
//! (iproute2) are required; the error of [`Network::new`] is a reason for [`crate::skip()`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Uid;

use crate::process::{Finished, finish};

/// Number of the next network in this process.
static NEXT_NETWORK: AtomicU32 = AtomicU32::new(0);

/// Namespaces and the links between them; removed on drop.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    hosts: Vec<String>,
}

impl Network {
    /// Makes a namespace per host, with its loopback interface up and without links.
    ///
    /// # Errors
    /// The reason why namespaces are not available.
    pub fn new(hosts: &[&str]) -> Result<Self, String> {
        if !Uid::effective().is_root() {
            return Err("network namespaces need root".to_owned());
        }
        let number = NEXT_NETWORK.fetch_add(1, Ordering::Relaxed);
        let mut network = Self { prefix: format!("kit{}-{number}", std::process::id()), hosts: Vec::new() };
        for host in hosts {
            network.add(host)?;
        }
        Ok(network)
    }

    fn add(&mut self, host: &str) -> Result<(), String> {
        let name = self.namespace(host);
        let output = Command::new("ip")
            .args(["netns", "add", &name])
            .output()
            .map_err(|error| format!("no ip command (iproute2): {error}"))?;
        if !output.status.success() {
            return Err(format!("no network namespaces: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        self.hosts.push(host.to_owned());
        self.ip(host, "link set lo up");
        Ok(())
    }

    /// Links two hosts by a veth pair with these addresses (`10.0.0.1/24`). The interfaces are named `to-` and the other host.
    ///
    /// # Panics
    /// When `ip` fails.
    pub fn link(&self, (one, address): (&str, &str), (other, other_address): (&str, &str)) {
        let (one_space, other_space) = (self.namespace(one), self.namespace(other));
        run(Command::new("ip").args(["link", "add", &format!("to-{other}"), "netns", &one_space]).args([
            "type",
            "veth",
            "peer",
            "name",
            &format!("to-{one}"),
            "netns",
            &other_space,
        ]));
        for (host, peer, address) in [(one, other, address), (other, one, other_address)] {
            // Without duplicate address detection, IPv6 addresses are usable at once.
            let nodad = if address.contains(':') { "nodad" } else { "" };
            self.ip(host, &format!("addr add {address} dev to-{peer} {nodad}"));
            self.ip(host, &format!("link set to-{peer} up"));
        }
    }

    /// Runs `ip` with these arguments inside `host`.
    ///
    /// # Panics
    /// When `ip` fails.
    pub fn ip(&self, host: &str, arguments: &str) {
        run(self.command(host, "ip").args(arguments.split_whitespace()));
    }

    /// Sets a kernel parameter below `/proc/sys` inside `host`.
    ///
    /// # Panics
    /// When the parameter cannot be set.
    pub fn set(&self, host: &str, parameter: &str, value: &str) {
        let write = "printf %s \"$2\" > /proc/sys/$1";
        run(self.command(host, "sh").args(["-c", write, "sh", parameter, value]));
    }

    /// A command that runs inside `host`.
    pub fn command(&self, host: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host), program]);
        command
    }

    /// The path of the namespace of `host`, for setns(2).
    pub(crate) fn path(&self, host: &str) -> PathBuf {
        Path::new("/run/netns").join(self.namespace(host))
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &self.hosts {
            // The kernel removes veth pairs with their namespaces.
            let _ = Command::new("ip").args(["netns", "del", &self.namespace(host)]).output();
        }
    }
}

fn run(command: &mut Command) -> Finished {
    let finished = finish(command, b"");
    assert!(finished.status.success(), "{command:?}: {finished:?}");
    finished
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exists(network: &str) -> bool {
        let list = finish(Command::new("ip").args(["netns", "list"]), b"");
        list.stdout.contains(network)
    }

    #[test]
    fn a_network_is_removed_even_when_the_test_panics() {
        let network = match Network::new(&["a", "b"]) {
            Ok(network) => network,
            Err(reason) => return crate::skip(&reason),
        };
        let prefix = format!("{}-", network.prefix);
        network.link(("a", "10.9.0.1/24"), ("b", "10.9.0.2/24"));
        let shown = finish(network.command("b", "ip").args(["-brief", "addr"]), b"");
        assert!(shown.stdout.contains("to-a@") && shown.stdout.contains("10.9.0.2/24"), "{shown:?}");
        assert!(exists(&prefix));
        let panicked = std::thread::spawn(move || {
            let _moved = network;
            panic!("like a failing test");
        });
        assert!(panicked.join().is_err());
        assert!(!exists(&prefix));
    }
}

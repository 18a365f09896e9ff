//! Which socket is opened with which right, as seen by another user in a network namespace, and what is left afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;
use testkit::netns::Network;
use testkit::process::{Running, finish};

/// A user without any right, and the group of the same number.
const NOBODY: &str = "65534";

/// A namespace whose ping groups are `range`, and a copy of ping that every user may run.
pub(crate) fn place(range: &str) -> Option<(Network, TempDir)> {
    let network = Network::new(&["a"]).inspect_err(testkit::skip).ok()?;
    network.set("a", "net/ipv4/ping_group_range", range);
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_ping"), folder.path().join("ping")).unwrap();
    Some((network, folder))
}

pub(crate) fn as_unprivileged_user((network, folder): &(Network, TempDir), words: &str) -> Command {
    let mut command = network.command("a", "setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]);
    command.arg(folder.path().join("ping")).args(words.split_whitespace());
    command
}

#[test]
fn a_user_in_the_ping_groups_pings_without_any_right() {
    let Some(place) = place("0 2147483647") else { return };
    for address in ["127.0.0.1", "::1"] {
        let finished = finish(&mut as_unprivileged_user(&place, &format!("-c 1 -e 77 -v {address}")), b"");
        let line = format!("64 bytes from {address}: icmp_seq=1 ident=77 ttl=64 time=");
        assert!(finished.stdout.contains(&line), "{finished:?}");
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    }
}

#[test]
fn a_user_without_rights_reads_both_remedies_in_one_line() {
    let Some(place) = place("1 0") else { return };
    let finished = finish(&mut as_unprivileged_user(&place, "-c 1 127.0.0.1"), b"");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""));
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    for cure in ["setcap cap_net_raw+ep", "net.ipv4.ping_group_range"] {
        assert!(finished.stderr.contains(cure), "{}", finished.stderr);
    }
}

#[test]
fn an_ordinary_user_cannot_flood() {
    let Some(place) = place("0 2147483647") else { return };
    for (words, line) in [
        ("-i 0.001 127.0.0.1", "ping: cannot flood: minimal interval allowed for user is 2ms\n"),
        ("-l 4 127.0.0.1", "ping: cannot set preload to value greater than 3: 4\n"),
    ] {
        let finished = finish(&mut as_unprivileged_user(&place, words), b"");
        assert_eq!((finished.code(), finished.stderr.as_str()), (2, line));
    }
}

#[test]
fn a_running_ping_of_root_has_no_capabilities_and_under_sudo_the_user_of_the_caller() {
    let Some((network, folder)) = place("1 0") else { return };
    let mut command = network.command("a", "env");
    command.args([&format!("SUDO_UID={NOBODY}"), &format!("SUDO_GID={NOBODY}")]);
    let running = Running::start(command.arg(folder.path().join("ping")).arg("127.0.0.1"));
    running.wait_for_stdout(|text| text.contains("icmp_seq=1 ").then_some(()));
    let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}\n{status}"));
        line[name.len()..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), ["0000000000000000"], "{set}");
    }
    assert_eq!(field("Uid:"), [NOBODY; 4]);
    assert_eq!(field("Gid:"), [NOBODY; 4]);
    assert!(field("Groups:").is_empty());
    assert_eq!(field("NoNewPrivs:"), ["1"]);
}

#[test]
fn the_process_is_confined_before_the_first_packet() {
    let Some(place) = place("1 0") else { return };
    let mut command = place.0.command("a", env!("CARGO_BIN_EXE_ping"));
    let finished = finish(command.args("-vv -c 1 127.0.0.1".split_whitespace()), b"");
    assert_eq!(finished.code(), 0, "{finished:?}");
    // The log reports what this kernel enforces; the test assumes nothing about it.
    assert_eq!(finished.stderr.matches(" Landlock: ").count(), 1, "{finished:?}");
}

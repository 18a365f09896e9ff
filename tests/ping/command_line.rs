//! Wrong input: one line on standard error that names what is wrong, nothing on standard output, code 2 (1 for an integer, as in iputils).

use super::run_ping;

fn refused(words: &str, line: &str) {
    fails(words, line, 2);
}

fn fails(words: &str, line: &str, code: i32) {
    let finished = run_ping(words);
    assert_eq!(finished.stderr, format!("ping: {line}\n"), "ping {words}");
    assert_eq!((finished.code(), finished.stdout.as_str()), (code, ""), "ping {words}");
}

#[test]
fn a_host_that_does_not_exist() {
    let finished = run_ping("nosuch.invalid");
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""));
    // Without a name server the C library reports a temporary failure.
    let line = finished.stderr.strip_prefix("ping: nosuch.invalid: ").unwrap();
    assert!(["Name or service not known\n", "Temporary failure in name resolution\n"].contains(&line), "{line}");
}

#[test]
fn no_destination_or_an_unknown_option() {
    let finished = run_ping("");
    assert_eq!((finished.code(), finished.stderr.as_str()), (1, "ping: usage error: Destination address required\n"));
    refused("--bogus 127.0.0.1", "unknown option '--bogus': see --help");
}

#[test]
fn an_unsupported_option_of_iputils_is_refused() {
    refused("-N name ::1", "unknown option '-N': see --help");
}

#[test]
fn numbers_out_of_range() {
    fails("-t 300 ::1", "invalid argument: -t '300': out of range: 1 <= value <= 255", 1);
    fails("-c 0 ::1", "invalid argument: -c '0': out of range: 1 <= value <= 9223372036854775807", 1);
    fails("-s 70000 ::1", "invalid argument: -s '70000': out of range: 0 <= value <= 65527", 1);
    refused("-i -1 ::1", "invalid argument: -i '-1': not a number of seconds");
    refused("-W x ::1", "invalid argument: -W 'x': not a number of seconds");
    refused("-p xyz ::1", "patterns must be specified as hex digits: xyz");
}

#[test]
fn an_address_of_the_other_family() {
    refused("-4 ::1", "::1: Address family for hostname not supported");
    refused("-6 127.0.0.1", "127.0.0.1: Address family for hostname not supported");
}

#[test]
fn an_option_of_the_other_family() {
    refused("-R ::1", "::1: Address family for hostname not supported");
    refused("-T tsonly -6 ::1", "-T: an option of IPv4");
    refused("-F 1 127.0.0.1", "127.0.0.1: Address family for hostname not supported");
    refused("-F 1 -4 localhost", "-F: an option of IPv6");
    refused("-F 1 -R localhost", "-R: an option of IPv4");
}

#[test]
fn values_outside_a_fixed_set_are_refused() {
    refused("-M often ::1", "invalid -M argument: often");
    refused("-T tsprespec 127.0.0.1", "invalid timestamp type: tsprespec");
    refused("-F 100000 ::1", "flow value is greater than 20 bits: 100000");
    fails("--until-down=0 ::1", "invalid argument: --until-down '0': out of range: 1 <= value <= 65536", 1);
    refused("--resolve-every 0.1 localhost", "invalid argument: --resolve-every '0.1': once a second at most");
    refused("--json --csv ::1", "'--json' cannot be combined with '--csv': see --help");
}

#[test]
fn a_source_address_of_the_other_family() {
    refused("-I 127.0.0.1 ::1", "::1: Address family for hostname not supported");
    refused("-I ::1 127.0.0.1", "127.0.0.1: Address family for hostname not supported");
    refused("-4 -I ::1 localhost", "invalid argument: -I '::1': an address of the other family");
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let finished = testkit::process::finish(super::ping().arg("\u{1b}[31m.invalid"), b"");
    assert!(finished.stderr.starts_with("ping: \\x1b[31m.invalid: "), "{finished:?}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    let help = run_ping("--help");
    assert_eq!((help.code(), help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("Usage: ping [OPTIONS] [DESTINATION]..."));
    // The pinger crate looks for the name of iputils.
    assert_eq!(run_ping("-V").stdout, concat!("ping ", env!("CARGO_PKG_VERSION"), " (options and text of iputils)\n"));
}

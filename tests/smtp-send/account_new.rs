//! `smtp-send account new`: servers found by SRV records, and what is written.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use testkit::dns::{NameServer, Zone};
use testkit::process::{Finished, finish};
use testkit::smtp::{Authority, Script, Server};

use crate::home::Home;
use crate::support::{assert_fails, assert_sent};

/// A home without a configuration.
fn home() -> Home {
    let home = Home::new("");
    fs::remove_dir_all(home.path().join(".config")).unwrap();
    home
}

fn new(home: &Home, args: &[&str]) -> Finished {
    finish(&mut home.command(&[&["account", "new"], args].concat()), b"")
}

/// The same with the records of a zone, without a look at the server.
fn new_in(home: &Home, zone: Zone, args: &[&str]) -> Finished {
    let names = NameServer::start(zone);
    new(home, &[&["--unchecked", "--dns-server", &names.address()], args].concat())
}

fn config(home: &Home) -> String {
    fs::read_to_string(home.file()).unwrap_or_default()
}

#[test]
fn the_server_that_the_domain_names_is_written_with_tls_from_the_first_byte_first() {
    let home = home();
    let zone = Zone::default()
        .srv("_submission._tcp.example.org", 0, 1, 587, "mail.example.org")
        .srv("_submissions._tcp.example.org", 20, 1, 465, "backup.example.org")
        .srv("_submissions._tcp.example.org", 10, 1, 465, "mail.example.org");
    let finished = new_in(
        &home,
        zone,
        &["ann@example.org", "--full-name", "Ann \"A.\" Example", "--password-command", "pass mail"],
    );
    assert_sent(&finished);
    let expected = "[account.default]\nserver = \"mail.example.org:465\"\ntls = \"implicit\"\n\
        from = \"\\\"Ann \\\\\\\"A.\\\\\\\" Example\\\" <ann@example.org>\"\nuser = \"ann@example.org\"\n\
        password-command = \"pass mail\"\n";
    assert_eq!(config(&home), expected);
    assert_eq!(fs::metadata(home.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        finished.stdout.contains("smtp-send --account default --to ann@example.org --stop-after auth"),
        "{finished:?}"
    );
}

#[test]
fn submission_with_starttls_is_used_where_nothing_else_is_offered() {
    let home = home();
    let zone = Zone::default().srv("_submissions._tcp.example.org", 0, 0, 0, ".").srv(
        "_submission._tcp.example.org",
        0,
        1,
        587,
        "mail.example.org",
    );
    assert_sent(&new_in(&home, zone, &["ann@example.org", "--full-name", "Ann"]));
    assert!(config(&home).contains("server = \"mail.example.org:587\"\ntls = \"starttls\"\n"), "{}", config(&home));
}

#[test]
fn a_server_elsewhere_is_not_believed_without_a_word_of_the_user() {
    let home = home();
    let zone = || Zone::default().srv("_submissions._tcp.example.org", 0, 1, 465, "mail.example.net");
    let finished = new_in(&home, zone(), &["ann@example.org"]);
    assert_fails(&finished, 77, &["mail.example.net:465", "not in example.org", "--server mail.example.net:465"]);
    assert_eq!(config(&home), "");
    assert_sent(&new_in(&home, zone(), &["ann@example.org", "--server", "mail.example.net:465"]));
    assert!(config(&home).contains("tls = \"implicit\""), "{}", config(&home));
}

#[test]
fn a_domain_that_offers_nothing_or_cannot_be_asked_is_reported_as_such() {
    let home = home();
    let never = Zone::default().srv("_submission._tcp.example.org", 0, 0, 0, ".");
    assert_fails(&new_in(&home, never, &["ann@example.org"]), 68, &["example.org", "offers no submission"]);
    assert_fails(
        &new_in(&home, Zone::default(), &["ann@example.org"]),
        68,
        &["has no SRV record for submission", "--server"],
    );
    let broken = Zone::default().rcode("_submissions._tcp.example.org", 2);
    assert_fails(&new_in(&home, broken, &["ann@example.org"]), 75, &["_submissions._tcp.example.org"]);
    assert_fails(&new(&home, &[]), 64, &["ADDRESS"]);
    assert_fails(&new(&home, &["ann"]), 65, &["ann"]);
    assert_fails(&new(&home, &["ann@example.org", "--name", ""]), 64, &["--name"]);
    assert_eq!(config(&home), "");
}

#[test]
fn what_is_there_stays_and_a_second_account_gets_another_name() {
    let home = Home::new("# mine\n[account.default]\nserver = 'x'\n");
    let args = ["--unchecked", "--server", "mail.example.org", "--full-name", ""];
    assert_sent(&new(&home, &[&args[..], &["ann@example.org"]].concat()));
    let text = config(&home);
    assert!(text.starts_with("# mine\n[account.default]\nserver = 'x'\n\n[account.\"example.org\"]\n"), "{text}");
    assert!(
        text.contains("server = \"mail.example.org:587\"\ntls = \"starttls\"\nfrom = \"ann@example.org\"\n"),
        "{text}"
    );
    assert_fails(&new(&home, &[&args[..], &["ann@example.org"]].concat()), 78, &["already", "--name"]);
    assert_sent(&new(&home, &[&args[..], &["ann@example.org", "--name", "work"]].concat()));
    let home = Home::new("[account\n");
    assert_fails(&new(&home, &[&args[..], &["ann@example.org"]].concat()), 78, &["config.toml", "line 1"]);
    assert_eq!(config(&home), "[account\n");
}

#[test]
fn the_server_is_tried_before_anything_is_written_and_the_account_works() {
    let authority = Authority::new();
    let (home, ca) = (home(), authority.file());
    let script = Script::default().extensions(&["AUTH PLAIN"]).auth(&["235 2.7.0 Welcome"]);
    let server = Server::start_tls(script, &authority, "localhost");
    let address = format!("localhost:{}", server.address().port());
    let args = [
        "ann@example.org",
        "--server",
        &address,
        "--tls-ca",
        ca.to_str().unwrap(),
        "--name",
        "work",
        "--save-password",
    ];
    let mut command = home.command(&[&["account", "new"], &args[..]].concat());
    assert_sent(&finish(command.env("SMTP_PASSWORD", "hunter2"), b""));
    assert!(!config(&home).contains("hunter2"), "{}", config(&home));
    let secret = home.file().with_file_name("work.password");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "hunter2\n");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    assert_sent(&home.send(&["--account", "work"]));
    assert_eq!(server.mails().len(), 1);
    // The certificate of another host.
    let others = Authority::new();
    let args =
        ["ann@example.org", "--server", &address, "--tls-ca", others.file().to_str().unwrap(), "--name", "other"]
            .map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    assert_fails(&new(&home, &args), 77, &["certificate of"]);
    assert!(!config(&home).contains("other"));
}

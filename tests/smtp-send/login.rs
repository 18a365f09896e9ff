//! Login: the mechanism, refusals, and secrets that appear nowhere.

use testkit::process::{Finished, finish};
use testkit::smtp::{Authority, Script, Server};

use crate::support::{assert_fails, assert_sent, smtp_send};

const SECRET: &str = "s3cret, with a comma";
/// NUL, user, NUL, password: what PLAIN sends.
const PLAIN: &str = "AGpvZQBzM2NyZXQsIHdpdGggYSBjb21tYQ==";

fn log_in(server: &Server, args: &[&str]) -> Finished {
    let address = server.address().to_string();
    let common = ["--server", &address, "--from", "me@example.org", "--to", "bob@example.com", "--user", "joe"];
    finish(smtp_send(&[&common, args].concat()).env("SMTP_PASSWORD", SECRET), b"x\n")
}

fn offering(mechanisms: &str, replies: &[&str]) -> Script {
    Script::default().extensions(&["PIPELINING", &format!("AUTH {mechanisms}")]).auth(replies)
}

/// A server that offers logins under TLS, and the arguments that trust it.
fn under_tls(mechanisms: &str, replies: &[&str]) -> (Server, Vec<String>, Authority) {
    let authority = Authority::new();
    let server = Server::start_tls(offering(mechanisms, replies), &authority, "127.0.0.1");
    let ca = authority.file().display().to_string();
    (server, vec!["--tls-ca".into(), ca], authority)
}

#[test]
fn under_tls_the_password_goes_to_the_server_and_nowhere_else() {
    let (server, trust, _authority) = under_tls("PLAIN LOGIN", &["235 2.7.0 Welcome"]);
    let trust: Vec<&str> = trust.iter().map(String::as_str).collect();
    let finished = log_in(&server, &[&trust[..], &["-v"]].concat());
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(server.lines().contains(&format!("AUTH PLAIN {PLAIN}")), "{:?}", server.lines());
    assert!(server.commands().iter().all(|command| command.tls || !command.line.starts_with("AUTH")));
    for shown in [&finished.stdout, &finished.stderr] {
        assert!(!shown.contains(SECRET) && !shown.contains(PLAIN), "{shown}");
    }
    assert!(finished.stderr.contains("(AUTH, not shown)"), "{finished:?}");
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_login_checks_the_certificate_even_on_this_machine() {
    let (server, _, _authority) = under_tls("PLAIN", &["235 2.7.0 Welcome"]);
    assert_fails(&log_in(&server, &[]), 77, &["certificate of"]);
    assert!(!server.lines().iter().any(|line| line.starts_with("AUTH")));
}

#[test]
fn without_tls_no_login_sends_the_password() {
    let server = Server::start(offering("PLAIN LOGIN", &["235 2.7.0 Welcome"]));
    assert_fails(&log_in(&server, &[]), 77, &["does not offer STARTTLS", "--allow-cleartext-login"]);
    assert_fails(&log_in(&server, &["--tls", "off"]), 77, &["PLAIN without TLS", "--allow-cleartext-login"]);
    assert_eq!(server.lines(), ["EHLO [127.0.0.1]", "QUIT", "EHLO [127.0.0.1]", "QUIT"]);
    assert_sent(&log_in(&server, &["--allow-cleartext-login"]));
}

#[test]
fn a_refused_login_is_reported_and_not_tried_again_in_a_weaker_way() {
    let server = Server::start(offering("PLAIN LOGIN CRAM-MD5", &["535 5.7.8 Wrong password"]));
    let finished = log_in(&server, &["--allow-cleartext-login", "--retry", "3"]);
    assert_fails(&finished, 77, &["login of joe by PLAIN refused: 535 5.7.8 Wrong password"]);
    assert_eq!(server.lines().len(), 3, "{:?}", server.lines());
}

#[test]
fn a_login_that_is_refused_for_now_may_work_later() {
    let server = Server::start(offering("PLAIN", &["454 4.7.0 Busy"]));
    assert_fails(&log_in(&server, &["--allow-cleartext-login"]), 75, &["454 4.7.0 Busy"]);
}

#[test]
fn a_server_without_a_known_mechanism_is_reported_as_such() {
    let server = Server::start(offering("GSSAPI NTLM", &[]));
    assert_fails(&log_in(&server, &["--allow-cleartext-login"]), 77, &["no way to log in"]);
    let server = Server::start(Script::default());
    assert_fails(&log_in(&server, &["--allow-cleartext-login"]), 77, &["offers no login"]);
}

#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    let server = Server::start(offering("SCRAM-SHA-256", &["235 2.7.0 Welcome"]));
    assert_fails(&log_in(&server, &["--tls", "off"]), 77, &["SCRAM", "impostor"]);
    assert_eq!(server.mails().len(), 0);
}

#[test]
fn a_broken_challenge_ends_the_login_with_a_star() {
    let server = Server::start(offering("CRAM-MD5", &["334 !!!", "501 5.5.2 Cancelled"]));
    assert_fails(&log_in(&server, &["--tls", "off"]), 77, &["CRAM-MD5", "not base64"]);
    assert_eq!(server.lines()[1..], ["AUTH CRAM-MD5", "*", "QUIT"]);
}

#[test]
fn a_token_is_sent_as_the_server_understands_it_and_its_refusal_explained() {
    let error = "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=";
    for (mechanism, response) in [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")] {
        let server = Server::start(offering(mechanism, &[error, "535 5.7.8 No"]));
        let finished = log_in(&server, &["--allow-cleartext-login", "--token-command", "echo tok3n"]);
        assert_fails(&finished, 77, &[mechanism, "535 5.7.8 No", r#"{"status":"invalid_token"}"#]);
        assert!(server.lines()[1].starts_with(&format!("AUTH {mechanism} ")), "{:?}", server.lines());
        assert_eq!(server.lines()[2], response);
    }
}

#[test]
fn the_password_does_not_reach_a_process_list_or_a_report() {
    let server = Server::start(offering("LOGIN", &["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 Welcome"]));
    let finished = log_in(&server, &["--allow-cleartext-login", "--json", "-v"]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    for shown in [&finished.stdout, &finished.stderr] {
        assert!(!shown.contains("s3cret") && !shown.contains("czNjcmV0"), "{shown}");
    }
}

#[test]
fn options_of_a_login_without_a_user_are_a_mistake() {
    for args in
        [&["--password-file", "x"][..], &["--auth", "plain"], &["--allow-cleartext-login"], &["--stop-after", "auth"]]
    {
        let common = ["--server", "127.0.0.1:1", "--to", "bob@example.com", "--body", "x"];
        assert_fails(&crate::support::run(&[&common, args].concat(), b""), 64, &["--user"]);
    }
}

#[test]
fn a_server_that_repeats_the_login_shows_it_nowhere() {
    let echo = format!("500 5.5.1 unknown: AUTH PLAIN {PLAIN} {SECRET}");
    let part = format!("535 5.7.8 bad line ...{}", &PLAIN[4..20]);
    for reply in [echo.as_str(), part.as_str()] {
        let (server, trust, _authority) = under_tls("PLAIN", &[reply]);
        let trust: Vec<&str> = trust.iter().map(String::as_str).collect();
        for options in [&["-v"][..], &["--json"]] {
            let finished = log_in(&server, &[&trust[..], options].concat());
            let shown = format!("{}{}", finished.stdout, finished.stderr);
            assert!(shown.contains("[hidden]"), "{shown}");
            assert!(!shown.contains(SECRET) && !shown.contains(&PLAIN[4..16]), "{shown}");
        }
    }
}

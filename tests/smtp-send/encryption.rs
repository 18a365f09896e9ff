//! STARTTLS, implicit TLS, certificates, and what is never done.

use testkit::smtp::{Authority, Behaviour, Script, Server};

use crate::support::{assert_fails, assert_sent, send};

fn ca(authority: &Authority) -> String {
    authority.file().to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn starttls_encrypts_everything_behind_it_and_greets_again() {
    let authority = Authority::new();
    let server = Server::start_tls(Script::default(), &authority, "127.0.0.1");
    assert_sent(&send(&server, &["--tls", "starttls", "--tls-ca", &ca(&authority)], b"x\n"));
    assert!(server.mail().tls);
    let commands = server.commands();
    let clear: Vec<_> = commands.iter().filter(|command| !command.tls).map(|command| &command.line[..4]).collect();
    assert_eq!(clear, ["EHLO", "STAR"]);
    assert!(commands.iter().any(|command| command.tls && command.line.starts_with("EHLO")));
}

#[test]
fn implicit_tls_encrypts_from_the_first_byte() {
    let authority = Authority::new();
    let server = Server::start_tls(Script::default().implicit_tls(), &authority, "mail.example.com");
    let args = ["--tls", "implicit", "--tls-ca", &ca(&authority), "--tls-server-name", "mail.example.com"];
    assert_sent(&send(&server, &args, b"x\n"));
    assert!(server.commands().iter().all(|command| command.tls));
}

#[test]
fn auto_uses_starttls_when_it_is_offered_and_says_so_in_the_report() {
    let authority = Authority::new();
    let server = Server::start_tls(Script::default(), &authority, "127.0.0.1");
    let finished = send(&server, &["--tls-ca", &ca(&authority), "--json"], b"x\n");
    assert_sent(&finished);
    let tls = r#""tls":{"version":"TLSv1.3","certificate_checked":true,"key":"sha256//"#;
    assert!(finished.stdout.contains(tls), "{finished:?}");
    assert!(server.mail().tls);
}

#[test]
fn auto_encrypts_to_this_machine_without_asking_who_it_is() {
    let server = Server::start_tls(Script::default(), &Authority::new(), "other.example.com");
    let finished = send(&server, &["--json"], b"x\n");
    assert_sent(&finished);
    assert!(finished.stdout.contains(r#""certificate_checked":false"#), "{finished:?}");
    assert!(server.mail().tls);
}

#[test]
fn an_unknown_issuer_ends_the_session_and_the_cures_are_named() {
    let server = Server::start_tls(Script::default(), &Authority::new(), "127.0.0.1");
    let others = Authority::new();
    let finished = send(&server, &["--tls-ca", &ca(&others)], b"x\n");
    assert_fails(&finished, 77, &["certificate of", "--tls-pin sha256//", "--tls-ca", "--insecure"]);
    assert!(!server.lines().iter().any(|line| line.starts_with("MAIL")));
}

#[test]
fn a_self_signed_certificate_that_tls_ca_names_is_trusted() {
    let authority = Authority::new();
    let server = Server::start_as_authority(Script::default(), &authority);
    assert_fails(&send(&server, &["--tls", "starttls"], b"x\n"), 77, &["CA:TRUE", "--tls-pin sha256//"]);
    assert_sent(&send(&server, &["--tls-ca", &ca(&authority)], b"x\n"));
    assert_fails(&send(&server, &["--tls-ca", &ca(&Authority::new())], b"x\n"), 77, &["--tls-pin sha256//"]);
}

#[test]
fn a_certificate_for_another_name_ends_the_session() {
    let authority = Authority::new();
    let server = Server::start_tls(Script::default(), &authority, "other.example.com");
    let finished = send(&server, &["--tls", "starttls", "--tls-ca", &ca(&authority)], b"x\n");
    assert_fails(&finished, 77, &["other.example.com", "--tls-server-name"]);
    assert_eq!(server.mails(), []);
}

#[test]
fn an_expired_certificate_ends_the_session_and_its_last_day_is_reported() {
    let authority = Authority::new();
    let server = Server::start_expired(Script::default(), &authority, "127.0.0.1");
    let finished = send(&server, &["--tls", "starttls", "--tls-ca", &ca(&authority)], b"x\n");
    assert_fails(&finished, 77, &["certificate of", "expired on 2020-01-01", "--tls-pin sha256//"]);
    assert_eq!(server.mails(), []);
    assert_sent(&send(&server, &["--tls", "starttls", "--insecure"], b"x\n"));
}

#[test]
fn a_certificate_signed_by_itself_is_refused_in_words() {
    let server = Server::start_self_signed(Script::default(), "127.0.0.1");
    let finished = send(&server, &["--tls", "implicit"], b"x\n");
    assert_fails(&finished, 77, &["certificate of", "signed by itself", "CA:TRUE", "--insecure"]);
    assert!(!finished.stderr.contains("Other"), "{finished:?}");
}

#[test]
fn insecure_accepts_any_certificate() {
    let server = Server::start_tls(Script::default(), &Authority::new(), "other.example.com");
    assert_sent(&send(&server, &["--tls", "starttls", "--insecure"], b"x\n"));
    assert!(server.mail().tls);
}

#[test]
fn required_tls_that_is_not_offered_sends_nothing() {
    let server = Server::start(Script::default());
    assert_fails(&send(&server, &["--tls", "starttls"], b"x\n"), 77, &["does not offer STARTTLS"]);
    assert_eq!(server.lines()[1..], ["QUIT"]);
}

#[test]
fn a_starttls_that_is_refused_never_leads_back_to_clear() {
    let script = Script::default().reply("STARTTLS", "454 4.7.0 Not now");
    let server = Server::start_tls(script, &Authority::new(), "127.0.0.1");
    assert_fails(&send(&server, &[], b"x\n"), 75, &["STARTTLS", "454 4.7.0"]);
    assert_eq!(server.lines()[1..], ["STARTTLS", "QUIT"]);
}

#[test]
fn bytes_in_clear_behind_the_220_are_fatal() {
    let injected = b"220 Go on\r\n250-evil.example.com\r\n250 AUTH PLAIN\r\n".to_vec();
    let script = Script::default().at("STARTTLS", 0, Behaviour::Raw(injected));
    let authority = Authority::new();
    let server = Server::start_tls(script, &authority, "127.0.0.1");
    assert_fails(&send(&server, &["--tls-ca", &ca(&authority)], b"x\n"), 76, &["behind its reply to STARTTLS"]);
    assert_eq!(server.mails(), []);
}

#[test]
fn what_was_offered_before_tls_counts_for_nothing_behind_it() {
    let authority = Authority::new();
    let script = Script::default().at("EHLO", 2, Behaviour::Reply("250 sink.example.com".into()));
    let server = Server::start_tls(script, &authority, "127.0.0.1");
    assert_sent(&send(&server, &[], b"x\n"));
    assert_eq!(server.mail().from, "<me@example.org>");
}

#[test]
fn helo_is_not_tried_under_tls() {
    let script = Script::default().at("EHLO", 2, Behaviour::Reply("502 5.5.1 What?".into()));
    let server = Server::start_tls(script, &Authority::new(), "127.0.0.1");
    assert_fails(&send(&server, &[], b"x\n"), 69, &["EHLO", "502"]);
}

#[test]
fn tls_towards_a_server_without_it_names_the_cure() {
    let server = Server::start(Script::default());
    assert_fails(&send(&server, &["--tls", "implicit"], b"x\n"), 76, &["--tls starttls", "--tls off"]);
}

#[test]
fn clear_text_towards_a_silent_tls_server_names_the_cure() {
    let server = Server::start_tls(Script::default().implicit_tls(), &Authority::new(), "127.0.0.1");
    assert_fails(&send(&server, &["--timeout", "0.3"], b"x\n"), 75, &["--tls implicit"]);
}

#[test]
fn tls_off_stays_in_clear_though_starttls_is_offered() {
    let server = Server::start_tls(Script::default(), &Authority::new(), "127.0.0.1");
    assert_sent(&send(&server, &["--tls", "off"], b"x\n"));
    assert!(!server.mail().tls);
}

#[test]
fn a_handshake_that_never_comes_is_ended() {
    let silent = Behaviour::Raw(b"220 Go on\r\n".to_vec());
    let server = Server::start(Script::default().extensions(&["STARTTLS"]).at("STARTTLS", 0, silent));
    let finished = send(&server, &["--timeout", "0.3"], b"x\n");
    // A random byte of the handshake may look like a line end; the server then answers in clear.
    assert!([75, 76].contains(&finished.code()), "{finished:?}");
    assert!(finished.stderr.contains("start TLS with"), "{finished:?}");
    assert_eq!(server.mails(), []);
}

#[test]
fn a_probe_for_tls_fails_where_there_is_none() {
    let without = Server::start(Script::default());
    assert_fails(&send(&without, &["--stop-after", "tls"], b""), 77, &["does not offer STARTTLS"]);
    assert_fails(&send(&without, &["--stop-after", "tls", "--tls", "off"], b""), 64, &["--stop-after tls"]);
    let with = Server::start_tls(Script::default(), &Authority::new(), "127.0.0.1");
    assert_sent(&send(&with, &["--stop-after", "tls"], b""));
    assert_eq!(with.mails(), []);
}

#[test]
fn a_large_message_arrives_under_tls() {
    let server = Server::start_tls(Script::default(), &Authority::new(), "127.0.0.1");
    let text = b"0123456789 0123456789 0123456789\n".repeat(100_000);
    assert_sent(&send(&server, &[], &text));
    assert!(server.mail().message.len() > text.len());
}

#[test]
fn a_refusal_during_the_upload_is_noticed_under_tls_too() {
    let authority = Authority::new();
    let script = Script::default().refuse_after_bytes(100_000, "552 5.3.4 Enough");
    let server = Server::start_tls(script, &authority, "127.0.0.1");
    let finished = send(&server, &["--tls-ca", &ca(&authority)], &b"a line of text\n".repeat(1_000_000));
    assert_fails(&finished, 69, &["552 5.3.4 Enough"]);
    assert_eq!(server.mails(), []);
}

#[test]
fn the_demand_for_tls_on_the_whole_way_is_passed_on_under_checked_tls_only() {
    let authority = Authority::new();
    let script = || Script::default().extensions(&["REQUIRETLS"]);
    let server = Server::start_tls(script(), &authority, "127.0.0.1");
    assert_sent(&send(&server, &["--tls-ca", &ca(&authority), "--require-tls"], b"x\n"));
    assert_eq!(server.mail().from, "<me@example.org> REQUIRETLS");
    // Offered in clear it is worth nothing.
    let server = Server::start(script());
    assert_fails(&send(&server, &["--require-tls"], b"x\n"), 77, &["does not offer STARTTLS"]);
    assert_eq!(server.mails(), []);
}

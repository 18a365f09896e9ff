//! The login: when, by which mechanism, and its failures.

use super::*;
use crate::proto::auth::{AuthError, Login, Mechanism};

fn with_login(mechanism: Option<Mechanism>, in_clear: bool) -> Run {
    let login = Login {
        user: "tim".into(),
        secret: "s3cret".to_owned().into(),
        is_token: false,
        mechanism,
        in_clear,
        nonce: "abc".into(),
        binding: None,
    };
    Run::new(Settings { login: Some(login), ..settings() }, vec![envelope(&["a"])])
}

#[test]
fn a_login_waits_for_tls_and_comes_before_mail() {
    let mut session = with_login(None, false);
    assert_eq!(greeted(&mut session, "250-x\n250-AUTH PLAIN\n250 STARTTLS"), "STARTTLS");
    session.answer("220 go");
    session.on(Event::TlsStarted);
    assert_eq!(session.answer("250-x\n250 AUTH PLAIN"), "secret AUTH PLAIN AHRpbQBzM2NyZXQ=");
    assert_eq!(session.answer("235 welcome"), "MAIL FROM:<me@example.com>");
}

#[test]
fn without_tls_there_is_no_login_unless_it_is_allowed() {
    let mut session = with_login(None, false);
    assert_eq!(greeted(&mut session, "250-x\n250 AUTH PLAIN"), "QUIT");
    assert_eq!(session.error(), Some(&SessionError::LoginNeedsTls));
    assert!(greeted(&mut with_login(None, true), "250-x\n250 AUTH PLAIN").starts_with("secret AUTH PLAIN "));
    assert_eq!(greeted(&mut with_login(None, true), "250 x"), "QUIT");
    assert_eq!(greeted(&mut with_login(None, true), "500 what"), "QUIT");
}

#[test]
fn a_refused_login_is_not_repeated_with_another_mechanism() {
    let mut session = with_login(None, true);
    greeted(&mut session, "250-x\n250 AUTH PLAIN LOGIN CRAM-MD5");
    assert_eq!(session.answer("535 5.7.8 wrong"), "QUIT");
    assert!(matches!(session.error(), Some(SessionError::LoginRefused { mechanism: Mechanism::Plain, .. })));
}

#[test]
fn a_login_in_steps_is_answered_step_by_step_and_an_invalid_one_cancelled() {
    let mut session = with_login(Some(Mechanism::Login), true);
    assert_eq!(greeted(&mut session, "250-x\n250 AUTH LOGIN"), "secret AUTH LOGIN");
    assert_eq!(session.answer("334 VXNlcm5hbWU6"), "secret dGlt");
    assert_eq!(session.answer("334 UGFzc3dvcmQ6"), "secret czNjcmV0");
    assert_eq!(session.answer("334 more"), "*");
    assert_eq!(session.answer("501 cancelled"), "QUIT");
    assert!(matches!(session.error(), Some(SessionError::Login(AuthError::Challenge(..)))));
}

#[test]
fn a_server_without_a_valid_proof_is_rejected() {
    let mut session = with_login(Some(Mechanism::ScramSha256), true);
    assert_eq!(
        greeted(&mut session, "250-x\n250 AUTH SCRAM-SHA-256"),
        "secret AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmM="
    );
    assert_eq!(session.answer("235 welcome"), "QUIT");
    assert_eq!(session.error(), Some(&SessionError::Login(AuthError::Unproved)));
}

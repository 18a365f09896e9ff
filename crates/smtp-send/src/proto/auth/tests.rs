//! The examples of the RFCs, and errors.

use super::*;

fn login(user: &str, secret: &str) -> Login {
    Login {
        user: user.into(),
        secret: Zeroizing::new(secret.into()),
        is_token: false,
        mechanism: None,
        in_clear: false,
        nonce: "rOprNGfwEbeRWgbNEkqO".into(),
        binding: None,
    }
}

fn begun(mechanism: Mechanism, user: &str, secret: &str) -> (Exchange, Option<String>) {
    let mut exchange = Exchange::new(mechanism, login(user, secret), &[]);
    let initial = exchange.initial().map(|text| decoded(&text));
    (exchange, initial)
}

fn decoded(text: &[u8]) -> String {
    if text == b"=" { String::new() } else { String::from_utf8(STANDARD.decode(text).unwrap()).unwrap() }
}

fn answer(exchange: &mut Exchange, challenge: &str) -> Result<String, AuthError> {
    exchange.respond(&STANDARD.encode(challenge)).map(|text| decoded(&text))
}

#[test]
fn plain_is_one_response_and_login_two() {
    assert_eq!(begun(Mechanism::Plain, "tim", "tanstaaftanstaaf").1.unwrap(), "\0tim\0tanstaaftanstaaf");
    let (mut exchange, initial) = begun(Mechanism::Login, "tim", "secret");
    assert_eq!(initial, None);
    assert_eq!(answer(&mut exchange, "Username:").unwrap(), "tim");
    assert_eq!(answer(&mut exchange, "anything").unwrap(), "secret");
    assert!(answer(&mut exchange, "more?").is_err());
}

#[test]
fn cram_md5_answers_as_in_rfc_2195() {
    let (mut exchange, _) = begun(Mechanism::CramMd5, "tim", "tanstaaftanstaaf");
    let response = answer(&mut exchange, "<1896.697170952@postoffice.reston.mci.net>").unwrap();
    assert_eq!(response, "tim b913a602c7eda7a495b4e6e7334d3890");
}

/// RFC 7677, section 3.
const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

#[test]
fn scram_goes_as_in_rfc_7677() {
    let (mut exchange, initial) = begun(Mechanism::ScramSha256, "user", "pencil");
    assert_eq!(initial.unwrap(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let response = answer(&mut exchange, SERVER_FIRST).unwrap();
    assert_eq!(
        response,
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    assert_eq!(exchange.finish(), Err(AuthError::Unproved));
    assert_eq!(answer(&mut exchange, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap(), "");
    assert_eq!(exchange.finish(), Ok(()));
}

/// A login with a channel binding, at a server that offers these mechanisms.
fn bindable(mechanism: Mechanism, offered: &[Mechanism]) -> (Exchange, String) {
    let secret = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let login = Login { binding: Some(Binding::exporter(secret)), ..login("user", "pencil") };
    let mut exchange = Exchange::new(mechanism, login, offered);
    let initial = decoded(&exchange.initial().unwrap());
    (exchange, initial)
}

/// The values of RFC 7677 with the bytes 0 to 31 as exported secret, computed by another implementation.
#[test]
fn a_bound_login_names_its_kind_of_binding_and_proves_its_connection() {
    let plus = Mechanism::ScramSha256Plus;
    let (mut exchange, initial) = bindable(plus, &[plus, Mechanism::ScramSha256]);
    assert_eq!(initial, "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let response = answer(&mut exchange, SERVER_FIRST).unwrap();
    assert_eq!(
        response,
        "c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,\
         r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=QC6CS20quADQRb3mT99YUH+n3VJxUvzuK0K0E1Vrs2M="
    );
    assert_eq!(answer(&mut exchange, "v=2GiAgapEppLVlUXbxUDksL3VgYHzuqiK5tR4mhJGgvs=").unwrap(), "");
    assert_eq!(exchange.finish(), Ok(()));
}

#[test]
fn an_offer_that_an_attacker_removed_is_noticed_by_the_server() {
    let (plain, plus) = (Mechanism::ScramSha256, Mechanism::ScramSha256Plus);
    let (mut exchange, initial) = bindable(plain, &[plain]);
    assert_eq!(initial, "y,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let response = answer(&mut exchange, SERVER_FIRST).unwrap();
    assert!(
        response.starts_with("c=eSws,") && response.ends_with(",p=FoqiHTtQEDE8lz1CdaEe3tK4mS+iMDTl77SPyDS53DY="),
        "{response}"
    );
    let error = answer(&mut exchange, "e=server-does-support-channel-binding").unwrap_err().to_string();
    assert!(error.contains("may be intercepted"), "{error}");
    // Offered and not used: no offer was removed.
    assert!(bindable(plain, &[plain, plus]).1.starts_with("n,,"));
}

#[test]
fn a_login_is_bound_if_client_and_server_support_it() {
    let (plain, plus) = (Mechanism::ScramSha256, Mechanism::ScramSha256Plus);
    let bound = Login { binding: Some(Binding::exporter([0; 32])), ..login("u", "p") };
    assert_eq!(choose(&bound, Some(&[plain, plus]), true), Ok(plus));
    assert_eq!(choose(&bound, Some(&[plain]), true), Ok(plain));
    assert_eq!(choose(&login("u", "p"), Some(&[plain, plus]), true), Ok(plain));
    let wanted = Login { mechanism: Some(plus), ..login("u", "p") };
    assert_eq!(choose(&wanted, Some(&[plain, plus]), false), Err(AuthError::Unbound { tls: false }));
}

#[test]
fn scram_rejects_a_server_without_the_password() {
    let begin = || begun(Mechanism::ScramSha256, "user", "pencil").0;
    for wrong in [
        "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967295",
        "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "",
    ] {
        assert!(answer(&mut begin(), wrong).is_err(), "{wrong}");
    }
    let mut exchange = begin();
    answer(&mut exchange, SERVER_FIRST).unwrap();
    assert!(answer(&mut exchange, "v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
    assert_eq!(exchange.finish(), Err(AuthError::Unproved));
    assert!(begin().respond("!").is_err());
}

#[test]
fn names_cannot_break_the_syntax_of_a_response() {
    assert_eq!(begun(Mechanism::ScramSha256, "a,b=c", "x").1.unwrap(), "n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO");
    assert_eq!(begun(Mechanism::OauthBearer, "a,b", "tok").1.unwrap(), "n,a=a=2Cb,\u{1}auth=Bearer tok\u{1}\u{1}");
    assert_eq!(begun(Mechanism::Xoauth2, "a@b", "tok").1.unwrap(), "user=a@b\u{1}auth=Bearer tok\u{1}\u{1}");
    assert_eq!(begun(Mechanism::External, "", "").1.unwrap(), "");
}

#[test]
fn the_refusal_of_a_token_is_acknowledged() {
    for (mechanism, expected) in [(Mechanism::Xoauth2, ""), (Mechanism::OauthBearer, "\u{1}")] {
        let (mut exchange, _) = begun(mechanism, "a@b", "tok");
        assert_eq!(answer(&mut exchange, "{\"status\":\"401\"}").unwrap(), expected);
        assert!(answer(&mut exchange, "again").is_err());
    }
}

#[test]
fn the_strongest_allowed_mechanism_is_chosen() {
    use Mechanism::{CramMd5, Login as Prompts, OauthBearer, Plain, ScramSha256, Xoauth2};
    let all = [Plain, Prompts, CramMd5, ScramSha256, Xoauth2, OauthBearer];
    let password = login("u", "p");
    assert_eq!(choose(&password, Some(&all), true), Ok(ScramSha256));
    assert_eq!(choose(&password, Some(&[Prompts, Plain]), true), Ok(Plain));
    assert_eq!(choose(&password, Some(&[Plain, CramMd5]), false), Ok(CramMd5));
    assert_eq!(choose(&password, Some(&[Prompts]), false), Err(AuthError::Exposed(Prompts)));
    assert_eq!(choose(&Login { in_clear: true, ..password.clone() }, Some(&[Prompts]), false), Ok(Prompts));
    assert_eq!(choose(&Login { is_token: true, ..password.clone() }, Some(&all), true), Ok(OauthBearer));
    let chosen = Login { mechanism: Some(Plain), ..password.clone() };
    assert_eq!(choose(&chosen, Some(&all), true), Ok(Plain));
    assert_eq!(choose(&chosen, Some(&[CramMd5]), true), Err(AuthError::NoneUsable("CRAM-MD5".into())));
    assert_eq!(choose(&password, None, true), Err(AuthError::NotOffered { tls: true }));
}

#[test]
fn a_login_does_not_show_its_secret() {
    let shown = format!("{:?}", Exchange::new(Mechanism::Plain, login("tim", "s3cret"), &[]));
    assert!(shown.contains("tim") && !shown.contains("s3cret"), "{shown}");
}

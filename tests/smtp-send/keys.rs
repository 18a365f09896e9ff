//! Pins of server keys, and client certificates.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::smtp::{Authority, Script, Server};

use crate::support::{assert_fails, assert_sent, send};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The pin of the server, as a first look at it shows.
fn pin_of(server: &Server) -> String {
    let finished = send(server, &["--tls", "starttls", "--insecure", "--stop-after", "tls", "--json"], b"");
    let (_, rest) = finished.stdout.split_once(r#""key":""#).unwrap_or_else(|| panic!("{finished:?}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_pin_takes_the_place_of_issuer_name_and_date() {
    let server = Server::start_expired(Script::default(), &Authority::new(), "other.example.com");
    let pin = pin_of(&server);
    assert!(pin.starts_with("sha256//") && pin.len() == 8 + 44, "{pin}");
    let finished = send(&server, &["--tls", "starttls", "--tls-pin", &pin, "--json"], b"x\n");
    assert_sent(&finished);
    assert!(finished.stdout.contains(r#""certificate_checked":true"#), "{finished:?}");
    let shown = send(&server, &["--tls", "starttls", "--insecure", "--stop-after", "tls", "-v"], b"");
    assert!(shown.stderr.contains(&format!("its key is {pin}")), "{shown:?}");
}

#[test]
fn a_key_that_is_not_pinned_is_refused_also_on_this_machine() {
    let authority = Authority::new();
    let server = Server::start_tls(Script::default(), &authority, "127.0.0.1");
    let other = pin_of(&Server::start_tls(Script::default(), &authority, "127.0.0.1"));
    let pin = pin_of(&server);
    for args in [&["--tls-pin", &other][..], &["--tls-pin", &other, "--tls-ca", text(&authority.file())]] {
        assert_fails(&send(&server, args, b"x\n"), 77, &["certificate of", &format!("its key is {pin}"), "--tls-pin"]);
    }
    assert_eq!(server.mails(), []);
    // The old and the new key of a server that is about to change it.
    assert_sent(&send(&server, &["--tls-pin", &format!("{other};{pin}")], b"x\n"));
}

#[test]
fn with_an_issuer_both_the_issuer_and_the_pin_must_agree() {
    let authority = Authority::new();
    let server = Server::start_tls(Script::default(), &authority, "127.0.0.1");
    let pin = pin_of(&server);
    assert_sent(&send(&server, &["--tls-pin", &pin, "--tls-ca", text(&authority.file())], b"x\n"));
    let others = Authority::new();
    let finished = send(&server, &["--tls-pin", &pin, "--tls-ca", text(&others.file())], b"x\n");
    assert_fails(&finished, 77, &["unknown certificate authority"]);
}

#[test]
fn what_is_no_pin_or_needs_none_is_a_mistake() {
    let server = Server::start(Script::default());
    let good = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_fails(&send(&server, &["--tls-pin", "abc"], b"x\n"), 64, &["--tls-pin abc", "sha256//BASE64"]);
    assert_fails(&send(&server, &["--tls-pin", good, "--tls", "off"], b"x\n"), 64, &["--tls-pin", "--tls off"]);
    assert_fails(&send(&server, &["--tls-pin", good, "--insecure"], b"x\n"), 64, &["--insecure", "--tls-pin"]);
}

#[test]
fn a_server_that_knows_its_clients_by_certificate_knows_us() {
    let authority = Authority::new();
    let script = Script::default().auth(&["235 2.7.0 I know you"]);
    let server = Server::start_mutual(script, &authority, "127.0.0.1");
    let (certificate, key) = authority.client("client.example.com");
    let ca = authority.file();
    let args = ["--tls-ca", text(&ca), "--tls-client-cert", text(&certificate), "--tls-client-key", text(&key)];
    assert_sent(&send(&server, &args, b"x\n"));
    assert_sent(&send(&server, &[&args[..], &["--auth", "external"]].concat(), b"x\n"));
    assert!(server.lines().contains(&"AUTH EXTERNAL =".to_owned()), "{:?}", server.lines());
    // Both in one file.
    let both = certificate.with_extension("pem");
    fs::write(&both, [fs::read(&certificate).unwrap(), fs::read(&key).unwrap()].concat()).unwrap();
    fs::set_permissions(&both, Permissions::from_mode(0o600)).unwrap();
    assert_sent(&send(&server, &["--tls-ca", text(&ca), "--tls-client-cert", text(&both)], b"x\n"));
    assert_eq!(server.mails().len(), 3);
}

#[test]
fn a_server_that_does_not_know_us_says_why() {
    let authority = Authority::new();
    let server = Server::start_mutual(Script::default(), &authority, "127.0.0.1");
    let ca = authority.file();
    let finished = send(&server, &["--tls-ca", text(&ca)], b"x\n");
    assert_fails(&finished, 77, &["requires a client certificate", "--tls-client-cert"]);
    let others = Authority::new();
    let (certificate, key) = others.client("client.example.com");
    let args = ["--tls-ca", text(&ca), "--tls-client-cert", text(&certificate), "--tls-client-key", text(&key)];
    assert_fails(&send(&server, &args, b"x\n"), 77, &["the client certificate"]);
    assert_eq!(server.mails(), []);
}

#[test]
fn a_certificate_that_cannot_be_used_is_reported_before_anything_is_sent() {
    let authority = Authority::new();
    let (certificate, key) = authority.client("one.example.com");
    let (other, _) = authority.client("two.example.com");
    let server = Server::start(Script::default());
    let refused = |args: &[&str], code: i32, words: &[&str]| assert_fails(&send(&server, args, b"x\n"), code, words);
    let with = |certificate: &Path, key: &Path, code: i32, words: &[&str]| {
        refused(&["--tls-client-cert", text(certificate), "--tls-client-key", text(key)], code, words);
    };
    with(&other, &key, 78, &["--tls-client-cert", "does not belong to this certificate"]);
    with(Path::new("/nonexistent"), &key, 66, &["--tls-client-cert /nonexistent", "No such file"]);
    with(&certificate, Path::new("/nonexistent"), 66, &["--tls-client-key /nonexistent"]);
    with(&certificate, &certificate.with_extension("none"), 66, &["--tls-client-key"]);
    with(&key, &key, 78, &["no certificate in PEM form"]);
    refused(&["--tls-client-key", text(&key)], 64, &["--tls-client-cert"]);
    refused(&["--tls-client-cert", text(&certificate), "--tls", "off"], 64, &["--tls-client-cert", "--tls off"]);
    let closed = |name: &str, content: &[u8]| {
        let path = key.with_file_name(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    };
    with(&certificate, &closed("none.pem", b"hello\n"), 78, &["no key in PEM form"]);
    let locked = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    with(&certificate, &closed("locked.pem", locked), 78, &["has a passphrase"]);
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    with(&certificate, &key, 78, &["--tls-client-key", "others can read it"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn an_option_about_certificates_demands_tls() {
    let authority = Authority::new();
    let server = Server::start(Script::default());
    let (certificate, key) = (authority.file(), "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    for args in [
        &["--tls-ca", text(&certificate)][..],
        &["--tls-server-name", "mail.example.com"],
        &["--tls-pin", key],
        &["--insecure"],
        &["--require-tls"],
    ] {
        assert_fails(&send(&server, args, b"x\n"), 77, &["does not offer STARTTLS"]);
    }
    assert_eq!(server.mails(), [], "nothing leaves in clear");
}

#[test]
fn requiretls_checks_the_certificate_also_on_this_machine() {
    let server = Server::start_tls(Script::default().extensions(&["REQUIRETLS"]), &Authority::new(), "127.0.0.1");
    assert_fails(
        &send(&server, &["--require-tls"], b"x\n"),
        77,
        &["unknown certificate authority", "--tls-pin sha256//"],
    );
    assert_eq!(server.mails(), []);
}

#[test]
fn a_certificate_that_is_not_trusted_is_reported_with_the_pin_to_copy() {
    let server = Server::start_tls(Script::default(), &Authority::new(), "127.0.0.1");
    let finished = send(&server, &["--tls", "starttls"], b"x\n");
    assert_fails(
        &finished,
        77,
        &["unknown certificate authority", &format!("--tls-pin {}", pin_of(&server)), "--tls-ca FILE"],
    );
    assert_sent(&send(&server, &["--tls-pin", &pin_of(&server)], b"x\n"));
}

//! Messages signed for a domain (DKIM), checked by a verifier of a few lines that follows RFC 6376 to the letter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use tempfile::TempDir;
use testkit::smtp::{Script, Server};

use crate::home::Home;
use crate::support::{assert_fails, assert_sent, run, send};

/// A key in a file, and its public half.
struct Key {
    folder: TempDir,
    public: Vec<u8>,
    is_rsa: bool,
}

impl Key {
    fn rsa() -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der>::as_der(&key).unwrap();
        Self::keep(der.as_ref(), key.public_key().as_ref().to_vec(), true)
    }

    fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        Self::keep(key.to_pkcs8v1().unwrap().as_ref(), key.public_key().as_ref().to_vec(), false)
    }

    fn keep(der: &[u8], public: Vec<u8>, is_rsa: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let text = BASE64_STANDARD.encode(der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        fs::write(folder.path().join("key.pem"), pem).unwrap();
        fs::set_permissions(folder.path().join("key.pem"), fs::Permissions::from_mode(0o640)).unwrap();
        Self { folder, public, is_rsa }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn options(&self) -> Vec<String> {
        let file = self.file();
        ["--dkim-domain", "example.org", "--dkim-selector", "s1", "--dkim-key", file.to_str().unwrap()]
            .map(str::to_owned)
            .to_vec()
    }

    /// Checks the signature in front of a message, and gives its tags.
    fn verify(&self, message: &[u8]) -> Result<String, String> {
        let text = String::from_utf8_lossy(message).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").ok_or("no body")?;
        let mut fields: Vec<String> = Vec::new();
        for line in head.split("\r\n") {
            match fields.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
                Some(field) => *field = format!("{field}\r\n{line}"),
                None => fields.push(line.to_owned()),
            }
        }
        let signature = fields.remove(0);
        if !signature.starts_with("DKIM-Signature:") {
            return Err(format!("no signature in front: {signature}"));
        }
        let unfolded = signature.replace("\r\n", "");
        let tag = |name: &str| -> String {
            let tags = unfolded.split_once(':').unwrap().1.split(';');
            let mut values = tags.filter_map(|tag| tag.trim().strip_prefix(&format!("{name}=")));
            values.next().unwrap_or_default().replace([' ', '\t'], "")
        };
        if tag("bh") != BASE64_STANDARD.encode(digest(&SHA256, relaxed_body(body).as_bytes())) {
            return Err("the digest of the body differs".into());
        }
        let mut left: Vec<Option<&String>> = fields.iter().map(Some).collect();
        let mut signed = String::new();
        for name in tag("h").split(':') {
            let is_named = |field: &str| field.split(':').next().unwrap().trim().eq_ignore_ascii_case(name);
            if let Some(at) = left.iter().rposition(|field| field.is_some_and(|field| is_named(field))) {
                signed.push_str(&relaxed_field(left[at].take().unwrap()));
                signed.push_str("\r\n");
            }
        }
        let (before, _) = signature.rsplit_once("b=").unwrap();
        signed.push_str(&relaxed_field(&format!("{before}b=")));
        let bytes = BASE64_STANDARD.decode(tag("b")).map_err(|error| error.to_string())?;
        let checked = if self.is_rsa {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public).verify(signed.as_bytes(), &bytes)
        } else {
            let digest = digest(&SHA256, signed.as_bytes());
            UnparsedPublicKey::new(&ED25519, &self.public).verify(digest.as_ref(), &bytes)
        };
        checked.map(|()| unfolded.clone()).map_err(|_| format!("the signature is wrong: {signed}"))
    }
}

fn relaxed_field(field: &str) -> String {
    let (name, value) = field.split_once(':').unwrap();
    format!("{}:{}", name.trim().to_lowercase(), value.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

fn relaxed_body(body: &str) -> String {
    let relaxed = |line: &str| {
        let line = line.trim_end_matches([' ', '\t']);
        let mut out = String::new();
        for character in line.chars() {
            match character {
                ' ' | '\t' if out.ends_with(' ') => {}
                '\t' => out.push(' '),
                other => out.push(other),
            }
        }
        out
    };
    let mut lines: Vec<String> = body.split("\r\n").map(relaxed).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.push(String::new());
    lines.join("\r\n")
}

fn with<'a>(options: &'a [String], args: &[&'a str]) -> Vec<&'a str> {
    options.iter().map(String::as_str).chain(args.iter().copied()).collect()
}

#[test]
fn keys_of_both_kinds_sign_every_form_of_a_message() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("big.bin");
    fs::write(&file, (0..200_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>()).unwrap();
    let attach = file.to_str().unwrap();
    let server = Server::start(Script::default());
    let seven_bit = Server::start(Script::default().extensions(&["SIZE 10000000"]));
    let chunks = Server::start(Script::default().extensions(&["CHUNKING", "8BITMIME", "PIPELINING"]));
    for key in [Key::rsa(), Key::ed25519()] {
        let options = key.options();
        for (text, args) in [
            (&b"Hello\n.dot\n"[..], &["-s", "Plain"][..]),
            ("Grüße  \t und  Blanks \n\n\n \n".as_bytes(), &["-s", "Grüße"]),
            (b"", &["--cc", "c@example.com", "--reply-to", "r@example.com"]),
            (b"no end of line", &["--attach", attach, "--bcc", "secret@example.com"]),
        ] {
            for server in [&server, &seven_bit, &chunks] {
                assert_sent(&send(server, &with(&options, args), text));
                let mail = server.mails().pop().unwrap();
                let tags = key.verify(&mail.message).unwrap_or_else(|error| panic!("{args:?}: {error}"));
                assert!(tags.contains("c=relaxed/relaxed") && tags.contains("d=example.org") && tags.contains("s=s1"));
                assert!(!tags.contains("l=") && !tags.contains("bcc"), "{tags}");
                assert!(tags.contains("h=from:from:"), "{tags}");
            }
        }
    }
}

#[test]
fn the_size_that_is_announced_is_that_of_the_signed_message() {
    let (server, key) = (Server::start(Script::default()), Key::rsa());
    assert_sent(&send(&server, &with(&key.options(), &["-s", "Size"]), b"Hello\n"));
    let mail = server.mail();
    assert!(mail.from.contains(&format!("SIZE={}", mail.message.len())), "{}: {}", mail.from, mail.message.len());
}

#[test]
fn a_ready_message_is_signed_as_it_is_sent() {
    let (server, key) = (Server::start(Script::default()), Key::ed25519());
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.eml");
    let eml = "Received: by relay
From: me@example.org\nTo: bob@example.com\nBcc: secret@example.com\n\
               Subject: a\n  folded   subject\nList-Unsubscribe: <https://example.org/u>\n\n Text\t here \n\n\n";
    fs::write(&path, eml).unwrap();
    let finished =
        run(&with(&key.options(), &["--server", &server.address().to_string(), "--eml", path.to_str().unwrap()]), b"");
    assert_sent(&finished);
    let message = server.mail().message;
    let tags = key.verify(&message).unwrap();
    assert!(tags.contains("list-unsubscribe") && !tags.contains("received"), "{tags}");
    let changed = String::from_utf8(message).unwrap();
    for (old, new) in
        [("Text", "Test"), ("me@example.org\r\n", "me@example.org\r\nFrom: x@example.net\r\n"), ("folded", "f")]
    {
        assert!(key.verify(changed.replacen(old, new, 1).as_bytes()).is_err(), "{new}");
    }
}

#[test]
fn sendmail_mode_signs_by_its_account() {
    let (server, key) = (Server::start(Script::default()), Key::rsa());
    let file = key.file();
    let settings = format!("dkim-domain = 'example.org'\ndkim-selector = 's1'\ndkim-key = '{}'", file.display());
    let home = Home::with_account(&server, &settings);
    let mut command = home.sendmail(&["-i", "-t"]);
    let message = b"To: bob@example.com\nBcc: secret@example.com\nSubject: x\n\nText\n";
    assert_sent(&testkit::process::finish(&mut command, message));
    let message = server.mail().message;
    key.verify(&message).unwrap();
    assert!(!String::from_utf8_lossy(&message).contains("secret"));
}

#[test]
fn a_dry_run_shows_the_signature() {
    let key = Key::ed25519();
    let finished =
        run(&with(&key.options(), &["--dry-run", "--to", "bob@example.com", "--from", "me@example.org"]), b"x\n");
    assert_sent(&finished);
    key.verify(finished.stdout.replace('\n', "\r\n").as_bytes()).unwrap();
}

#[test]
fn a_key_that_cannot_be_used_is_one_line() {
    let key = Key::rsa();
    let folder = TempDir::new().unwrap();
    let written = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let text = fs::read_to_string(key.file()).unwrap();
    let open = written("open.pem", &text, 0o644);
    let empty = written("empty.pem", "nothing\n", 0o600);
    let sec1 = written("ec.pem", "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n", 0o600);
    let broken = written("broken.pem", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", 0o600);
    let public = written("public.pem", &text.replace("PRIVATE", "PUBLIC"), 0o600);
    let tried = |file: &Path, domain: &str, selector: &str| {
        let args = ["--dkim-domain", domain, "--dkim-selector", selector, "--dkim-key", file.to_str().unwrap()];
        run(&[&["--server", "127.0.0.1:1", "--to", "bob@example.com", "--body", "x"][..], &args].concat(), b"")
    };
    assert_fails(&tried(&folder.path().join("missing"), "example.org", "s"), 66, &["--dkim-key"]);
    assert_fails(&tried(&open, "example.org", "s"), 78, &["other users can read it"]);
    assert_fails(&tried(&empty, "example.org", "s"), 78, &["no private key"]);
    assert_fails(&tried(&public, "example.org", "s"), 78, &["no private key"]);
    assert_fails(&tried(&sec1, "example.org", "s"), 78, &["another kind"]);
    assert_fails(&tried(&broken, "example.org", "s"), 78, &["RSA"]);
    assert_fails(&tried(folder.path(), "example.org", "s"), 78, &["not a file"]);
    assert_fails(&tried(&key.file(), "exa mple", "s"), 64, &["--dkim-domain"]);
    assert_fails(&tried(&key.file(), "example.org", "s;x"), 64, &["--dkim-selector"]);
    let finished = run(&["--server", "127.0.0.1:1", "--to", "b@example.com", "--dkim-domain", "example.org"], b"x\n");
    assert_fails(&finished, 64, &["--dkim-"]);
}

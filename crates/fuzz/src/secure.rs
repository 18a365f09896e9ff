//! What clients can send to the TLS of `httpd`, and the way from a request in clear to the https URL.

use std::sync::{Arc, LazyLock};

use httpd::proto::https_url::https_url;
use httpd::proto::request::{Parsed, parse};
use httpd::proto::target;
use httpd::tls::session::{Records, Session};
use httpd::tls::{CertificateReloader, config, self_signed};

/// A URL has the host that was named and no other, holds no control characters, and its port is the one that was asked for.
pub fn url(data: &[u8]) {
    let Ok(Parsed::Complete(head, _)) = parse(data) else { return };
    for port in [None, Some(443), Some(8443)] {
        let Some(url) = https_url(&head, port) else { continue };
        let rest = url.strip_prefix(b"https://").expect("the scheme");
        assert!(rest.iter().all(u8::is_ascii_graphic));
        let slash = rest.iter().position(|byte| *byte == b'/').expect("a path");
        let (authority, origin) = rest.split_at(slash);
        assert!(httpd::proto::authority::is_authority(authority), "{}", String::from_utf8_lossy(authority));
        match port {
            None => {}
            Some(443) => assert!(authority.ends_with(b"]") || !authority.contains(&b':')),
            Some(port) => assert!(authority.ends_with(format!(":{port}").as_bytes())),
        }
        // What is asked for over HTTPS is what was asked for in clear.
        if let Ok(target::Target::Resource { raw_path, query, .. }) = target::parse(head.target, head.method) {
            let expected = query.map_or_else(|| raw_path.to_vec(), |query| [raw_path, b"?", query].concat());
            assert_eq!(origin, expected);
        }
    }
}

/// Any octets in any pieces neither panic nor come to another end than in one piece, and nothing is asked of what has failed.
pub fn session(data: &[u8]) {
    static CONFIG: LazyLock<Arc<CertificateReloader>> = LazyLock::new(|| {
        let (identity, _) = self_signed(&["localhost".to_owned()], &[]).expect("a certificate");
        Arc::new(CertificateReloader::fixed(identity))
    });
    let Some((place, bytes)) = data.split_last() else { return };
    let cut = bytes.len() * usize::from(*place) / 256;
    let has_failed = |pieces: &[&[u8]]| {
        let config = config(Arc::clone(&CONFIG)).expect("a configuration");
        let mut session = Session::new(config).expect("a session");
        let mut outgoing = Records::default();
        for piece in pieces {
            let mut incoming = [session.partial(), piece].concat();
            let mut plain = vec![0; incoming.len()];
            let opened = session.decrypt(&mut incoming, &mut plain, &mut outgoing);
            assert_eq!(opened.is_err(), session.has_failed());
            if let Ok(opened) = opened {
                assert!(opened.length <= incoming.len());
            }
            assert_eq!(session.encrypt(b"answer", &mut outgoing).is_ok(), session.is_established());
            if session.has_failed() {
                break;
            }
        }
        assert_eq!(session.finish(&mut outgoing).is_ok(), session.is_established());
        session.has_failed()
    };
    let (first, second) = bytes.split_at(cut);
    assert_eq!(has_failed(&[bytes]), has_failed(&[first, second]));
}

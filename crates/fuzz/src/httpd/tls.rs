//! TLS sessions and the redirect from http to https.

use std::sync::{Arc, LazyLock};

use httpd::proto::https_url::https_url as url_of;
use httpd::proto::request::{Parsed, parse};
use httpd::proto::target;
use httpd::tls::session::{Records, Session};
use httpd::tls::{CertificateReloader, config, self_signed};

/// The URL has the host, path and query of the request and the configured port, without control characters.
pub fn https_url(data: &[u8]) {
    let Ok(Parsed::Complete(head, _)) = parse(data) else { return };
    for port in [None, Some(443), Some(8443)] {
        let Some(url) = url_of(&head, port) else { continue };
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
        if let Ok(target::Target::Resource { raw_path, query, .. }) = target::parse(head.target, head.method) {
            let expected = query.map_or_else(|| raw_path.to_vec(), |query| [raw_path, b"?", query].concat());
            assert_eq!(origin, expected);
        }
    }
}

/// The result does not depend on how the bytes are split; a failed session is not used again.
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

//! Around a connection: proxies, channel bindings, pins.

use smtp_send::net::proxy::ProxyAddress;
use smtp_send::proto::auth::binding::Binding;
use smtp_send::proto::deliver_by::DeliverBy;
use smtp_send::proto::pin::Pin;
use smtp_send::proto::proxy::{ProxyError, ProxyHandshake, ProxyLogin, ProxyStep, Scheme, TunnelTarget};

/// Maximum number of buffered bytes of an incomplete answer: the head of an HTTP response.
const MAX_BUFFERED: usize = 17 * 1024;

/// A dialogue with a proxy has the same result in one piece and byte by byte; bytes behind the last answer are left
/// unread. The first byte of `data` chooses the scheme.
pub fn proxy(data: &[u8]) {
    let Some((choice, answers)) = data.split_first() else { return };
    let scheme = if choice % 2 == 0 { Scheme::Socks5 } else { Scheme::Http };
    let identity = (choice & 2 != 0).then_some(ProxyLogin { user: "joe", password: "secret" });
    let whole = held(scheme, identity, answers, answers.len().max(1));
    let single = held(scheme, identity, answers, 1);
    match (&whole, &single) {
        (Err(_), Err(_)) => {}
        (whole, single) => assert_eq!(whole, single, "a different result for the same bytes"),
    }
    if let (Scheme::Socks5, Ok(Some(taken))) = (scheme, whole) {
        assert!(taken <= 2 + 2 + 4 + 1 + 255 + 2, "more than three answers can have");
    }
}

/// The offset at which the tunnel begins, if it does; bytes arrive in pieces of `at_once`.
fn held(
    scheme: Scheme,
    identity: Option<ProxyLogin<'_>>,
    answers: &[u8],
    at_once: usize,
) -> Result<Option<usize>, ProxyError> {
    let target = TunnelTarget { host: "mail.example.com", port: 587 };
    let (mut handshake, _) = ProxyHandshake::begin(scheme, target, identity)?;
    let (mut taken, mut come) = (0, 0);
    loop {
        let (length, step) = handshake.take(&answers[taken..come])?;
        taken += length;
        assert!(taken <= come, "more taken than there was");
        match step {
            ProxyStep::Done => return Ok(Some(taken)),
            ProxyStep::Write(bytes) => assert!(length > 0 && !bytes.is_empty(), "an answer to nothing"),
            ProxyStep::Read if come == answers.len() => return Ok(None),
            ProxyStep::Read => {
                assert!(come - taken <= MAX_BUFFERED, "an answer without end is held");
                come = answers.len().min(come + at_once);
            }
        }
    }
}

/// The binding is a hash over all bytes of the certificate, or there is none.
pub fn binding(data: &[u8]) {
    let Some(binding) = Binding::end_point(data) else { return };
    assert_eq!(binding.kind(), "tls-server-end-point");
    assert!(matches!(binding.data().len(), 32 | 48 | 64), "no hash");
    let longer =
        Binding::end_point(&[data, b"x"].concat()).expect("bytes behind a certificate do not change its algorithm");
    assert_ne!(binding, longer, "bytes that are not part of the hash");
}

/// Writing and reading pins gives the same pins; a proxy option is a host with a port, without password.
pub fn pin(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(pins) = Pin::parse_list(&text) {
        let written = pins.iter().map(ToString::to_string).collect::<Vec<_>>().join(";");
        assert_eq!(Pin::parse_list(&written), Some(pins));
    }
    if let Ok(proxy) = ProxyAddress::parse(&text) {
        assert!(proxy.at.port > 0 && !proxy.at.host.is_empty());
        assert!(proxy.user.is_none_or(|user| !user.is_empty() && !user.contains(char::is_control)));
    }
    if let Some(by) = DeliverBy::parse(&text) {
        let value = by.to_string();
        assert!(value.is_ascii() && value.len() <= 12 && !value.contains(' '), "{value}");
    }
}

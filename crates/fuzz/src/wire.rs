//! What `smtp-send` hears before and beside the handshake: answers of proxies, certificates to bind a login to, pins, and SMTP on
//! standard input.
//!
//! Each function takes arbitrary bytes and panics when the code does, or when it contradicts its second opinion.

use smtp_send::net::proxy::ProxyAddress;
use smtp_send::proto::auth::binding::Binding;
use smtp_send::proto::deliver_by::DeliverBy;
use smtp_send::proto::dot::DotStuffing;
use smtp_send::proto::pin::Pin;
use smtp_send::proto::proxy::{ProxyError, ProxyHandshake, ProxyLogin, ProxyStep, Scheme, TunnelTarget};
use smtp_send::proto::server_session::text::DataText;
use smtp_send::proto::server_session::{self as reception, MAX_RECIPIENTS, SmtpServerSession};

/// The longest answer that is held without an end: a head of HTTP.
const LONGEST: usize = 17 * 1024;

/// A proxy that says `data` after one byte of choice leads to the same end in one piece and in single bytes; what is behind the
/// end of its last answer is left alone.
pub fn proxy(data: &[u8]) {
    let Some((choice, answers)) = data.split_first() else { return };
    let scheme = if choice % 2 == 0 { Scheme::Socks5 } else { Scheme::Http };
    let identity = (choice & 2 != 0).then_some(ProxyLogin { user: "joe", password: "secret" });
    let whole = held(scheme, identity, answers, answers.len().max(1));
    let single = held(scheme, identity, answers, 1);
    match (&whole, &single) {
        (Err(_), Err(_)) => {}
        (whole, single) => assert_eq!(whole, single, "the same bytes, another end"),
    }
    if let (Scheme::Socks5, Ok(Some(taken))) = (scheme, whole) {
        assert!(taken <= 2 + 2 + 4 + 1 + 255 + 2, "more than three answers can have");
    }
}

/// Where the tunnel begins, when it ever does; bytes come `at_once`.
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
                assert!(come - taken <= LONGEST, "an answer without end is held");
                come = answers.len().min(come + at_once);
            }
        }
    }
}

/// Whatever a program says to `sendmail -bs`: each reply is one reply, a message has recipients, and a message without a bare line
/// end is the same when it is sent on and read again.
pub fn receive(data: &[u8]) {
    let mut session = SmtpServerSession::new("host.example.com", "example.org");
    let mut rest = data;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = &rest[..end];
        rest = &rest[end + 2..];
        match session.command(line) {
            reception::ServerStep::Say(reply) => one_reply(&reply),
            reception::ServerStep::End(reply) => return one_reply(&reply),
            reception::ServerStep::Data(reply) => {
                one_reply(&reply);
                let (from, to) = session.take_envelope();
                assert!(!to.is_empty() && to.len() <= MAX_RECIPIENTS, "a message for nobody");
                assert!(from.iter().chain(&to).all(|one| !one.as_str().contains(['\r', '\n', '<', '>', '\0'])));
                let (mut text, mut message) = (DataText::default(), Vec::new());
                let (taken, ended) = text.push(rest, &mut message);
                rest = &rest[taken..];
                if ended && !text.has_bare_line_end() {
                    sent_on(&message);
                }
            }
        }
    }
}

/// One reply of one or more lines with one code.
fn one_reply(reply: &str) {
    let lines: Vec<&str> = reply.split("\r\n").collect();
    assert!(
        lines.iter().all(|line| line.len() > 4 && line[..3] == lines[0][..3] && !line.contains(['\r', '\n'])),
        "{reply}"
    );
    let (last, others) = lines.split_last().expect("a line");
    assert!(last.as_bytes()[3] == b' ' && others.iter().all(|line| line.as_bytes()[3] == b'-'), "{reply}");
}

fn sent_on(message: &[u8]) {
    let (mut stuffing, mut out) = (DotStuffing::default(), Vec::new());
    stuffing.push(message, &mut out);
    stuffing.finish(&mut out);
    let (mut text, mut again) = (DataText::default(), Vec::new());
    assert_eq!(text.push(&out, &mut again), (out.len(), true), "another end");
    assert!(!text.has_bare_line_end() && again == message, "another message");
}

/// Any bytes in place of a certificate bind a login to a hash of all of them, or to nothing.
pub fn binding(data: &[u8]) {
    let Some(binding) = Binding::end_point(data) else { return };
    assert_eq!(binding.kind(), "tls-server-end-point");
    assert!(matches!(binding.data().len(), 32 | 48 | 64), "no hash");
    let longer = Binding::end_point(&[data, b"x"].concat()).expect("what is behind a certificate changes no algorithm");
    assert_ne!(binding, longer, "bytes that are not part of the hash");
}

/// A pin is written as it is read, and a proxy that was typed is one host with a port and holds no password.
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

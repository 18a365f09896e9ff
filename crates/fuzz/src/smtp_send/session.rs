//! A whole SMTP session with an arbitrary server, and SASL exchanges (RFC 4954).

use std::collections::BTreeMap;

use smtp_send::proto::address::Address;
use smtp_send::proto::auth::binding::Binding;
use smtp_send::proto::auth::{Exchange, Login, Mechanism};
use smtp_send::proto::command::HeloName;
use smtp_send::proto::dsn::Dsn;
use smtp_send::proto::reply::{Reply, ReplyParser};
use smtp_send::session::{Action, Envelope, Event, Framing, RecipientStatus, Session, Settings, StartTls};

/// Messages to send.
const MESSAGES: usize = 3;

/// Far more steps than a session with that many messages has.
const MAX_STEPS: usize = 2000;

const SECRET: &str = "correct horse battery staple";

fn login(is_token: bool) -> Login {
    Login {
        user: "ann".into(),
        secret: SECRET.to_owned().into(),
        is_token,
        mechanism: None,
        in_clear: false,
        nonce: "rOprNGfwEbeRWgbNEkqO".into(),
        binding: Some(Binding::exporter([7; 32])),
    }
}

fn envelope() -> Envelope {
    let recipients = ["bob@example.com", "jürgen@example.com", "ann@example.com"];
    Envelope {
        reverse_path: Address::parse("me@example.org").ok(),
        recipients: recipients.iter().filter_map(|one| Address::parse(one).ok()).collect(),
        seven_bit_size: 120,
        eight_bit_size: Some(100),
        binary_size: Some(80),
        utf8_header: false,
        dsn: Dsn::default(),
        deliver_by: None,
        require_tls: false,
    }
}

/// The replies of a server, up to the first invalid one.
struct Replies<'a> {
    parser: ReplyParser,
    bytes: &'a [u8],
}

impl Replies<'_> {
    fn next(&mut self) -> Option<Reply> {
        let (used, reply) = self.parser.push(self.bytes).ok()?;
        self.bytes = self.bytes.get(used..)?;
        reply
    }
}

fn settings(mode: u8) -> Settings {
    Settings {
        helo: HeloName::parse("client.example").expect("a name"),
        starttls: [StartTls::Never, StartTls::Offered, StartTls::Required][usize::from(mode & 3).min(2)],
        lmtp: mode & 4 != 0,
        login: (mode & 8 != 0).then(|| login(mode & 16 != 0)),
        chunking: mode & 32 != 0,
        stop_after: None,
    }
}

/// With any server the session ends and each message has one result. A recipient is accepted only with an upload and a 2xx
/// reply, no command has a line break of the server, and the password is not in a plain command.
pub fn session(data: &[u8]) {
    let [mode, bytes @ ..] = data else { return };
    let mut tls = mode & 64 != 0;
    let mut session = Session::new(settings(*mode), tls);
    let mut replies = Replies { parser: ReplyParser::default(), bytes };
    let (mut given, mut uploads) = (0, 0);
    let mut statuses: BTreeMap<usize, Vec<RecipientStatus>> = BTreeMap::new();
    let mut event = Event::Connected;
    for step in 0.. {
        assert!(step < MAX_STEPS, "a session without end");
        let action = session.on(event);
        for result in session.take_finished() {
            assert!(result.number < given);
            assert!(statuses.insert(result.number, result.statuses).is_none(), "decided twice");
        }
        event = match action {
            Action::Close => break,
            Action::Next if given < MESSAGES => {
                given += 1;
                Event::Next(Some(envelope()))
            }
            Action::Next => Event::Next(None),
            Action::StartTls => {
                assert!(!std::mem::replace(&mut tls, true), "TLS in TLS");
                Event::TlsStarted
            }
            Action::Upload { framing, .. } => {
                uploads += 1;
                Event::Uploaded { chunks: usize::from(matches!(framing, Framing::Chunks { pipelined: true, .. })) }
            }
            Action::Await(_) => next_event(&mut replies),
            Action::Send(command, _) => {
                let text = String::from_utf8(command).expect("commands are text");
                for line in text.strip_suffix("\r\n").expect("whole lines").split("\r\n") {
                    assert!(!line.chars().any(char::is_control), "{line:?}");
                }
                assert!(!text.contains(SECRET));
                next_event(&mut replies)
            }
            Action::SendSecret(..) => {
                // Without TLS this is a proof, not the password.
                next_event(&mut replies)
            }
        };
    }
    assert_eq!(statuses.len(), given, "a message without a result");
    for statuses in statuses.values() {
        assert_eq!(statuses.len(), envelope().recipients.len());
        for status in statuses {
            if let RecipientStatus::Accepted(reply) = status {
                assert!(reply.is_positive() && uploads > 0, "{status:?}");
            }
        }
    }
}

/// The next reply, or the end of the connection.
fn next_event(replies: &mut Replies) -> Event {
    replies.next().map_or(Event::Lost { complete: false }, Event::Reply)
}

/// A mechanism sends at most two responses, and SCRAM finishes only with a valid signature of the server.
pub fn challenge(data: &[u8]) {
    let [which, challenges @ ..] = data else { return };
    let mechanisms =
        ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER", "EXTERNAL", "SCRAM-SHA-256-PLUS"];
    let name = mechanisms[usize::from(*which) % mechanisms.len()];
    let mechanism = Mechanism::of_name(name).expect("a known name");
    let mut exchange = Exchange::new(mechanism, login(mechanism.takes_token()), &[mechanism]);
    let _ = exchange.initial();
    let mut answered = 0;
    for challenge in String::from_utf8_lossy(challenges).split('\n').take(5) {
        let Ok(response) = exchange.respond(challenge) else { break };
        assert!(response.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)), "no base64");
        answered += 1;
    }
    assert!(answered <= 2);
    // A fuzzer does not find the signature, a hash.
    assert_eq!(exchange.finish().is_ok(), !name.starts_with("SCRAM"));
}

//! The dialogue of `smtp-send` as a whole: a server that says anything at any time, and challenges of a login (RFC 4954).
//!
//! Each function takes arbitrary bytes and panics when the code does, or when a property that it must have is broken.

use std::collections::BTreeMap;

use smtp_send::proto::address::Address;
use smtp_send::proto::auth::binding::Binding;
use smtp_send::proto::auth::{Exchange, Login, Mechanism};
use smtp_send::proto::command::HeloName;
use smtp_send::proto::dsn::Dsn;
use smtp_send::proto::reply::{Reply, ReplyParser};
use smtp_send::session::{Action, Envelope, Event, Framing, RecipientStatus, Session, Settings, StartTls};

/// Messages that wait to be sent.
const MESSAGES: usize = 3;
/// Far more than a dialogue of so many messages has.
const STEPS: usize = 2000;
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

/// What a server says, reply by reply, as long as it makes sense.
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

/// Whatever a server says, the dialogue ends, each message has one result, nobody has a message that was not uploaded and
/// taken with a 2xx, no command has a line of the server's making, and the password leaves under TLS only.
pub fn session(data: &[u8]) {
    let [mode, bytes @ ..] = data else { return };
    let settings = Settings {
        helo: HeloName::parse("client.example").expect("a name"),
        starttls: [StartTls::Never, StartTls::Offered, StartTls::Required][usize::from(mode & 3).min(2)],
        lmtp: mode & 4 != 0,
        login: (mode & 8 != 0).then(|| login(mode & 16 != 0)),
        chunking: mode & 32 != 0,
        stop_after: None,
    };
    let mut tls = mode & 64 != 0;
    let mut session = Session::new(settings, tls);
    let mut replies = Replies { parser: ReplyParser::default(), bytes };
    let (mut given, mut uploads) = (0, 0);
    let mut statuses: BTreeMap<usize, Vec<RecipientStatus>> = BTreeMap::new();
    let mut event = Event::Connected;
    for step in 0.. {
        assert!(step < STEPS, "a dialogue without end");
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
            Action::Await(_) => heard(&mut replies),
            Action::Send(command, _) => {
                let text = String::from_utf8(command).expect("commands are text");
                for line in text.strip_suffix("\r\n").expect("whole lines").split("\r\n") {
                    assert!(!line.chars().any(char::is_control), "{line:?}");
                }
                assert!(!text.contains(SECRET));
                heard(&mut replies)
            }
            Action::SendSecret(..) => {
                // Without TLS only what shows nothing: a proof, not the password itself.
                heard(&mut replies)
            }
        };
    }
    assert_eq!(statuses.len(), given, "a message without an result");
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
fn heard(replies: &mut Replies) -> Event {
    replies.next().map_or(Event::Lost { complete: false }, Event::Reply)
}

/// No challenge gets more than the mechanism has to say, and a login by SCRAM is done only when the server has proved itself.
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
    // The proof is a hash that a fuzzer does not find.
    assert_eq!(exchange.finish().is_ok(), !name.starts_with("SCRAM"));
}

//! The state machine without a network: replies are typed in, what it would send is read back.

use super::*;
use crate::proto::address::Address;
use crate::proto::auth::{AuthError, Login, Mechanism};
use crate::proto::command::HeloName;
use crate::proto::dsn::Dsn;
use crate::proto::reply::ReplyParser;

fn settings() -> Settings {
    Settings {
        helo: HeloName::parse("client.example").unwrap(),
        starttls: StartTls::Offered,
        lmtp: false,
        login: None,
        chunking: true,
        stop_after: None,
    }
}

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        reverse_path: Address::parse("me@example.com").ok(),
        recipients: recipients.iter().map(|one| Address::parse(&format!("{one}@example.com")).unwrap()).collect(),
        seven_bit_size: 120,
        eight_bit_size: Some(100),
        utf8_header: false,
        dsn: Dsn::default(),
        require_tls: false,
    }
}

/// A session with the messages that are still to come, and what became of the others.
struct Run {
    session: Session,
    waiting: VecDeque<Envelope>,
    outcomes: Vec<Outcome>,
}

impl Run {
    fn new(settings: Settings, messages: Vec<Envelope>) -> Self {
        Self { session: Session::new(settings, false), waiting: messages.into(), outcomes: Vec::new() }
    }

    /// One event; what the session does then, in the words of the dialogue. It is given the next message when it asks.
    fn on(&mut self, event: Event) -> String {
        let action = self.session.on(event);
        self.outcomes.append(&mut self.session.take_finished());
        match action {
            Action::Await(state) => format!("await {state:?}"),
            Action::Send(bytes, _) => String::from_utf8(bytes).unwrap().trim_end().replace("\r\n", " | "),
            Action::SendSecret(bytes, _) => format!("secret {}", String::from_utf8_lossy(&bytes).trim_end()),
            Action::StartTls => "start tls".into(),
            Action::Next => {
                let next = self.waiting.pop_front();
                self.on(Event::Next(next))
            }
            Action::Upload { eight_bit, framing: Framing::Dot } => format!("upload {}", if eight_bit { 8 } else { 7 }),
            Action::Upload { .. } => "upload chunks".into(),
            Action::Close => "close".into(),
        }
    }

    fn answer(&mut self, reply: &str) -> String {
        let bytes = format!("{}\r\n", reply.replace('\n', "\r\n"));
        let reply = ReplyParser::default().push(bytes.as_bytes()).unwrap().1.unwrap();
        self.on(Event::Reply(reply))
    }

    fn uploaded(&mut self) -> String {
        self.on(Event::Uploaded { chunks: 0 })
    }

    fn lost(&mut self) -> String {
        self.on(Event::Lost { complete: true })
    }

    fn trouble(&self) -> Option<&Trouble> {
        self.session.trouble().or(self.outcomes.iter().find_map(|outcome| outcome.trouble.as_ref()))
    }

    /// The fates of all messages in the order in which they were decided.
    fn fates(&self) -> Vec<String> {
        let told = |fate: &Fate| match fate {
            Fate::Unsent => "unsent".into(),
            Fate::Valid(_) => "valid".into(),
            Fate::Accepted(_) => "accepted".into(),
            Fate::Refused(state, reply) => format!("{} {}", state.name(), reply.code()),
            Fate::NeedsSmtpUtf8 => "needs SMTPUTF8".into(),
            Fate::Unknown => "unknown".into(),
        };
        self.outcomes.iter().flat_map(|outcome| &outcome.fates).map(told).collect()
    }
}

fn session(recipients: &[&str]) -> Run {
    Run::new(settings(), vec![envelope(recipients)])
}

fn session_with(recipients: &[&str], starttls: StartTls, stop_after: Option<StopAfter>) -> Run {
    Run::new(Settings { starttls, stop_after, ..settings() }, vec![envelope(recipients)])
}

/// Walks up to the reply to EHLO and gives what it leads to.
fn greeted(session: &mut Run, ehlo: &str) -> String {
    assert_eq!(session.on(Event::Connected), "await Greeting");
    assert_eq!(session.answer("220 hello"), "EHLO client.example");
    session.answer(ehlo)
}

#[test]
fn without_pipelining_each_command_waits_for_its_reply() {
    let mut session = session(&["a", "b"]);
    assert_eq!(greeted(&mut session, "250 plain"), "MAIL FROM:<me@example.com>");
    assert_eq!(session.answer("250 ok"), "RCPT TO:<a@example.com>");
    assert_eq!(session.answer("250 ok"), "RCPT TO:<b@example.com>");
    assert_eq!(session.answer("251 ok"), "DATA");
    assert_eq!(session.answer("354 go"), "upload 7");
    assert_eq!(session.uploaded(), "await Message");
    assert_eq!(session.answer("250 queued"), "QUIT");
    assert_eq!(session.answer("221 bye"), "close");
    assert_eq!(session.fates(), ["accepted", "accepted"]);
}

#[test]
fn with_pipelining_the_transaction_is_one_flight() {
    let mut session = session(&["a"]);
    let flight = greeted(&mut session, "250-x\n250-PIPELINING\n250-SIZE 500\n250 8BITMIME");
    let expected = "MAIL FROM:<me@example.com> SIZE=100 BODY=8BITMIME | RCPT TO:<a@example.com> | DATA";
    assert_eq!(flight, expected);
    assert_eq!(session.answer("250 ok"), "await Rcpt(0)");
    assert_eq!(session.answer("250 ok"), "await Data");
    assert_eq!(session.answer("354 go"), "upload 8");
}

#[test]
fn a_flight_ends_before_it_could_fill_a_window() {
    let many: Vec<String> = (0..1000).map(|number| format!("recipient{number}")).collect();
    let mut session = session(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let flight = greeted(&mut session, "250-x\n250 PIPELINING");
    assert!((MAX_FLIGHT / 2..MAX_FLIGHT + 512).contains(&flight.len()), "{}", flight.len());
    assert!(!flight.contains("DATA"));
}

#[test]
fn one_refused_recipient_does_not_stop_the_others() {
    let mut session = session(&["a", "b", "c"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "550 5.1.1 no", "450 later"] {
        session.answer(reply);
    }
    assert_eq!(session.answer("354 go"), "upload 7");
    session.uploaded();
    session.answer("250 queued");
    assert_eq!(session.fates(), ["accepted", "RCPT 550", "RCPT 450"]);
}

#[test]
fn when_all_are_refused_data_is_not_sent() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    session.answer("250 ok");
    assert_eq!(session.answer("550 no"), "QUIT");
}

#[test]
fn when_all_are_refused_in_a_flight_and_354_comes_a_lone_dot_is_sent() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250 PIPELINING");
    session.answer("250 ok");
    assert_eq!(session.answer("550 no"), "await Data");
    assert_eq!(session.answer("354 go"), ".");
    assert_eq!(session.answer("250 ok"), "QUIT");
    assert_eq!(session.fates(), ["RCPT 550"]);
}

#[test]
fn a_refused_mail_concerns_all_and_the_503_behind_it_nobody() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250 PIPELINING");
    session.answer("550 no mail from you");
    session.answer("503 MAIL first");
    assert_eq!(session.answer("503 RCPT first"), "QUIT");
    assert_eq!(session.fates(), ["unsent"]);
    assert!(matches!(session.trouble(), Some(Trouble::Refused { state: State::Mail, .. })));
}

#[test]
fn recipients_that_are_too_many_get_a_transaction_of_their_own() {
    let mut session = session(&["a", "b"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "452 4.5.3 too many"] {
        session.answer(reply);
    }
    session.answer("354 go");
    session.uploaded();
    assert_eq!(session.answer("250 queued"), "MAIL FROM:<me@example.com>");
    assert_eq!(session.answer("250 ok"), "RCPT TO:<b@example.com>");
    assert_eq!(session.answer("452 still"), "QUIT");
    assert_eq!(session.fates(), ["accepted", "RCPT 452"]);
}

#[test]
fn helo_follows_only_500_and_502() {
    for (reply, next) in [("500 what", "HELO client.example"), ("502 no", "HELO client.example"), ("550 no", "QUIT")] {
        assert_eq!(greeted(&mut session(&["a"]), reply), next, "{reply}");
    }
    assert_eq!(greeted(&mut session(&["a"]), "421 busy"), "close");
    assert_eq!(greeted(&mut session_with(&["a"], StartTls::Required, None), "500 what"), "QUIT");
}

#[test]
fn starttls_is_followed_by_ehlo_and_nothing_is_kept_from_before() {
    let mut session = session(&["a"]);
    assert_eq!(greeted(&mut session, "250-x\n250-PIPELINING\n250 STARTTLS"), "STARTTLS");
    assert_eq!(session.answer("220 go"), "start tls");
    assert_eq!(session.on(Event::TlsStarted), "EHLO client.example");
    assert_eq!(session.answer("250 x"), "MAIL FROM:<me@example.com>");
    assert_eq!(session.answer("250 ok"), "RCPT TO:<a@example.com>");
}

#[test]
fn an_advertised_starttls_that_fails_never_leads_back_to_clear() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250 STARTTLS");
    assert_eq!(session.answer("454 not now"), "QUIT");
    assert_eq!(session.waiting.len(), 1, "the message was not even asked for");
}

#[test]
fn required_tls_that_is_not_offered_ends_the_session() {
    let mut session = session_with(&["a"], StartTls::Required, None);
    assert_eq!(greeted(&mut session, "250 x"), "QUIT");
    assert_eq!(session.trouble(), Some(&Trouble::TlsNotOffered));
}

#[test]
fn a_message_over_the_announced_size_is_not_started() {
    let mut session = session(&["a"]);
    assert_eq!(greeted(&mut session, "250-x\n250 SIZE 119"), "QUIT");
    assert_eq!(session.trouble(), Some(&Trouble::TooLarge { size: 120, limit: 119 }));
}

#[test]
fn a_connection_lost_after_the_final_dot_leaves_the_fate_unknown() {
    let mut session = session(&["a", "b"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "550 no", "354 go"] {
        session.answer(reply);
    }
    session.uploaded();
    assert_eq!(session.lost(), "close");
    assert_eq!(session.fates(), ["unknown", "RCPT 550"]);
}

#[test]
fn a_connection_lost_during_the_upload_delivers_nothing() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "354 go"] {
        session.answer(reply);
    }
    session.lost();
    assert_eq!(session.fates(), ["unsent"]);
}

#[test]
fn a_connection_lost_after_the_250_changes_nothing() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "354 go"] {
        session.answer(reply);
    }
    session.uploaded();
    session.answer("250 queued");
    session.lost();
    assert_eq!(session.fates(), ["accepted"]);
}

#[test]
fn a_refusal_during_the_upload_ends_it() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "354 go"] {
        session.answer(reply);
    }
    assert_eq!(session.answer("552 enough"), "close");
    assert_eq!(session.fates(), ["the message 552"]);
}

#[test]
fn a_421_ends_the_session_at_every_point() {
    let replies = ["220 hi", "250 x", "250 ok", "250 ok", "354 go", "250 queued"];
    for point in 0..replies.len() {
        let mut session = session(&["a"]);
        session.on(Event::Connected);
        for reply in &replies[..point] {
            session.answer(reply);
        }
        if point == 5 {
            session.uploaded();
        }
        assert_eq!(session.answer("421 going down"), "close", "at {point}");
        assert!(session.trouble().is_some(), "at {point}");
    }
}

#[test]
fn a_probe_stops_where_it_was_told() {
    let probe = |stop| session_with(&["a"], StartTls::Offered, Some(stop));
    assert_eq!(greeted(&mut probe(StopAfter::Ehlo), "250 x"), "QUIT");
    let mut mail = probe(StopAfter::Mail);
    greeted(&mut mail, "250-x\n250 PIPELINING");
    assert_eq!(mail.answer("250 ok"), "QUIT");
    let mut rcpt = probe(StopAfter::Rcpt);
    greeted(&mut rcpt, "250 x");
    rcpt.answer("250 ok");
    assert_eq!(rcpt.answer("250 ok"), "QUIT");
    assert_eq!(rcpt.fates(), ["valid"]);
}

// Several messages over one connection.

const PIPELINED: &str = "250-x\n250 PIPELINING";

#[test]
fn the_next_message_rides_behind_the_end_of_the_last_one_and_so_does_quit() {
    let mut session = Run::new(settings(), vec![envelope(&["a"]), envelope(&["b"])]);
    greeted(&mut session, PIPELINED);
    session.answer("250 ok");
    session.answer("250 ok");
    assert_eq!(session.answer("354 go"), "upload 7");
    assert_eq!(session.uploaded(), "MAIL FROM:<me@example.com> | RCPT TO:<b@example.com> | DATA");
    assert_eq!(session.answer("250 queued"), "await Mail");
    assert_eq!(session.fates(), ["accepted"]);
    session.answer("250 ok");
    session.answer("250 ok");
    assert_eq!(session.answer("354 go"), "upload 7");
    assert_eq!(session.uploaded(), "QUIT");
    assert_eq!(session.answer("550 spam"), "await Quit");
    assert_eq!(session.answer("221 bye"), "close");
    assert_eq!(session.fates(), ["accepted", "the message 550"]);
}

#[test]
fn a_connection_lost_behind_a_message_leaves_that_one_unknown_and_the_next_one_unsent() {
    for (complete, expected) in [(true, ["unknown", "unsent"]), (false, ["unsent", "unsent"])] {
        let mut session = Run::new(settings(), vec![envelope(&["a"]), envelope(&["b"])]);
        greeted(&mut session, PIPELINED);
        for reply in ["250 ok", "250 ok", "354 go"] {
            session.answer(reply);
        }
        session.uploaded();
        assert_eq!(session.on(Event::Lost { complete }), "close");
        assert_eq!(session.fates(), expected);
    }
}

#[test]
fn a_transaction_that_came_to_nothing_is_reset_before_the_next() {
    let mut session = Run::new(settings(), vec![envelope(&["a"]), envelope(&["b"])]);
    greeted(&mut session, "250 x");
    session.answer("250 ok");
    assert_eq!(session.answer("550 no"), "RSET");
    assert_eq!(session.answer("250 ok"), "MAIL FROM:<me@example.com>");
    session.answer("250 ok");
    session.answer("250 ok");
    session.answer("354 go");
    assert_eq!(session.uploaded(), "await Message");
    assert_eq!(session.answer("250 queued"), "QUIT");
    assert_eq!(session.fates(), ["RCPT 550", "accepted"]);
}

#[test]
fn nothing_rides_behind_a_message_whose_recipients_were_too_many() {
    let mut session = Run::new(settings(), vec![envelope(&["a", "b"]), envelope(&["c"])]);
    greeted(&mut session, PIPELINED);
    for reply in ["250 ok", "250 ok", "452 too many", "354 go"] {
        session.answer(reply);
    }
    assert_eq!(session.uploaded(), "await Message");
    assert_eq!(session.answer("250 queued"), "MAIL FROM:<me@example.com> | RCPT TO:<b@example.com> | DATA");
}

// Extensions.

#[test]
fn chunks_take_the_place_of_data_and_are_answered_one_by_one() {
    let mut session = session(&["a"]);
    let flight = greeted(&mut session, "250-x\n250-PIPELINING\n250 CHUNKING");
    assert_eq!(flight, "MAIL FROM:<me@example.com> | RCPT TO:<a@example.com>");
    session.answer("250 ok");
    assert_eq!(session.answer("250 ok"), "upload chunks");
    assert_eq!(session.on(Event::Uploaded { chunks: 2 }), "QUIT");
    assert_eq!(session.answer("250 got it"), "await Chunk");
    assert_eq!(session.answer("250 got it"), "await Message");
    session.answer("250 queued");
    assert_eq!(session.fates(), ["accepted"]);
}

#[test]
fn a_refused_chunk_refuses_the_message_whatever_is_said_to_the_others() {
    let mut session = Run::new(settings(), vec![envelope(&["a"]), envelope(&["b"])]);
    greeted(&mut session, "250-x\n250-PIPELINING\n250 CHUNKING");
    session.answer("250 ok");
    session.answer("250 ok");
    // What comes next begins anew in any case.
    let behind = session.on(Event::Uploaded { chunks: 1 });
    assert_eq!(behind, "RSET | MAIL FROM:<me@example.com> | RCPT TO:<b@example.com>");
    session.answer("552 too large");
    assert_eq!(session.answer("250 queued"), "await Rset");
    assert_eq!(session.fates(), ["the message 552"]);
}

#[test]
fn without_recipients_no_chunk_is_sent() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250-PIPELINING\n250 CHUNKING");
    session.answer("250 ok");
    assert_eq!(session.answer("550 no"), "QUIT");
}

#[test]
fn lmtp_greets_by_its_own_word_and_answers_for_each_recipient() {
    let mut session = Run::new(Settings { lmtp: true, ..settings() }, vec![envelope(&["a", "b", "c"])]);
    session.on(Event::Connected);
    assert_eq!(session.answer("220 hello"), "LHLO client.example");
    session.answer(PIPELINED);
    for reply in ["250 ok", "250 ok", "550 no", "250 ok", "354 go"] {
        session.answer(reply);
    }
    assert_eq!(session.uploaded(), "QUIT");
    assert_eq!(session.answer("250 a has it"), "await Delivery(2)");
    assert_eq!(session.answer("452 c is full"), "await Quit");
    assert_eq!(session.fates(), ["accepted", "RCPT 550", "the message 452"]);
}

#[test]
fn an_unanswered_recipient_of_lmtp_is_unknown() {
    let mut session = Run::new(Settings { lmtp: true, ..settings() }, vec![envelope(&["a", "b"])]);
    session.on(Event::Connected);
    for reply in ["220 hello", PIPELINED, "250 ok", "250 ok", "250 ok", "354 go"] {
        session.answer(reply);
    }
    session.uploaded();
    session.answer("250 a has it");
    session.lost();
    assert_eq!(session.fates(), ["accepted", "unknown"]);
}

#[test]
fn lmtp_never_falls_back_to_helo() {
    let mut session = Run::new(Settings { lmtp: true, ..settings() }, vec![envelope(&["a"])]);
    session.on(Event::Connected);
    session.answer("220 hello");
    assert_eq!(session.answer("500 what"), "QUIT");
}

#[test]
fn smtputf8_is_declared_when_an_address_needs_it_and_an_address_without_it_refused_alone() {
    let both = || Run::new(settings(), vec![Envelope { recipients: international(), ..envelope(&[]) }]);
    let mut session = both();
    let flight = greeted(&mut session, "250-x\n250-PIPELINING\n250-8BITMIME\n250 SMTPUTF8");
    let expected = "MAIL FROM:<me@example.com> BODY=8BITMIME SMTPUTF8 | RCPT TO:<jörg@example.com> | \
        RCPT TO:<b@example.com> | DATA";
    assert_eq!(flight, expected);
    let mut session = both();
    let flight = greeted(&mut session, PIPELINED);
    assert_eq!(flight, "MAIL FROM:<me@example.com> | RCPT TO:<b@example.com> | DATA");
    for reply in ["250 ok", "250 ok", "354 go"] {
        session.answer(reply);
    }
    session.uploaded();
    session.answer("250 queued");
    assert_eq!(session.fates(), ["needs SMTPUTF8", "accepted"]);
}

fn international() -> Vec<Address> {
    vec![Address::parse("jörg@example.com").unwrap(), Address::parse("b@example.com").unwrap()]
}

#[test]
fn what_a_message_needs_and_nobody_offers_ends_it_before_anything_is_sent() {
    let dsn = Dsn { envid: crate::proto::dsn::Envid::parse("x"), ..Dsn::default() };
    let cases = [
        (Envelope { utf8_header: true, ..envelope(&["a"]) }, "SMTPUTF8"),
        (Envelope { require_tls: true, ..envelope(&["a"]) }, "REQUIRETLS"),
        (Envelope { dsn, ..envelope(&["a"]) }, "DSN"),
    ];
    for (envelope, missing) in cases {
        let mut session = Run::new(settings(), vec![envelope]);
        assert_eq!(greeted(&mut session, "250 x"), "QUIT");
        assert!(matches!(session.trouble(), Some(Trouble::NotOffered { keyword, .. }) if *keyword == missing));
    }
}

// Logging in.

fn with_login(mechanism: Option<Mechanism>, in_clear: bool) -> Run {
    let login = Login {
        user: "tim".into(),
        secret: "s3cret".to_owned().into(),
        is_token: false,
        mechanism,
        in_clear,
        nonce: "abc".into(),
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
fn without_tls_nobody_logs_in_unless_it_is_allowed() {
    let mut session = with_login(None, false);
    assert_eq!(greeted(&mut session, "250-x\n250 AUTH PLAIN"), "QUIT");
    assert_eq!(session.trouble(), Some(&Trouble::LoginNeedsTls));
    assert!(greeted(&mut with_login(None, true), "250-x\n250 AUTH PLAIN").starts_with("secret AUTH PLAIN "));
    assert_eq!(greeted(&mut with_login(None, true), "250 x"), "QUIT");
    assert_eq!(greeted(&mut with_login(None, true), "500 what"), "QUIT");
}

#[test]
fn a_refused_login_is_not_tried_in_another_way() {
    let mut session = with_login(None, true);
    greeted(&mut session, "250-x\n250 AUTH PLAIN LOGIN CRAM-MD5");
    assert_eq!(session.answer("535 5.7.8 wrong"), "QUIT");
    assert!(matches!(session.trouble(), Some(Trouble::LoginRefused { mechanism: Mechanism::Plain, .. })));
}

#[test]
fn a_login_in_steps_is_answered_step_by_step_and_a_broken_one_given_up() {
    let mut session = with_login(Some(Mechanism::Login), true);
    assert_eq!(greeted(&mut session, "250-x\n250 AUTH LOGIN"), "secret AUTH LOGIN");
    assert_eq!(session.answer("334 VXNlcm5hbWU6"), "secret dGlt");
    assert_eq!(session.answer("334 UGFzc3dvcmQ6"), "secret czNjcmV0");
    assert_eq!(session.answer("334 more"), "*");
    assert_eq!(session.answer("501 cancelled"), "QUIT");
    assert!(matches!(session.trouble(), Some(Trouble::Login(AuthError::Challenge(..)))));
}

#[test]
fn a_server_that_does_not_prove_itself_is_not_believed() {
    let mut session = with_login(Some(Mechanism::ScramSha256), true);
    assert_eq!(
        greeted(&mut session, "250-x\n250 AUTH SCRAM-SHA-256"),
        "secret AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmM="
    );
    assert_eq!(session.answer("235 welcome"), "QUIT");
    assert_eq!(session.trouble(), Some(&Trouble::Login(AuthError::Unproved)));
}

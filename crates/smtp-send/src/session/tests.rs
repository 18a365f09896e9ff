//! The state machine without a network: replies in, commands out.

use super::*;
use crate::proto::address::Address;
use crate::proto::command::HeloName;
use crate::proto::dsn::Dsn;
use crate::proto::reply::ReplyParser;

mod extensions;
mod login;

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
        binary_size: Some(80),
        utf8_header: false,
        dsn: Dsn::default(),
        deliver_by: None,
        require_tls: false,
    }
}

/// A session, its remaining messages, and the results of the others.
struct Run {
    session: Session,
    waiting: VecDeque<Envelope>,
    results: Vec<TransactionResult>,
}

impl Run {
    fn new(settings: Settings, messages: Vec<Envelope>) -> Self {
        Self { session: Session::new(settings, false), waiting: messages.into(), results: Vec::new() }
    }

    /// Handles one event and returns the action as text; supplies the next message on request.
    fn on(&mut self, event: Event) -> String {
        let action = self.session.on(event);
        self.results.append(&mut self.session.take_finished());
        match action {
            Action::Await(state) => format!("await {state:?}"),
            Action::Send(bytes, _) => String::from_utf8(bytes).unwrap().trim_end().replace("\r\n", " | "),
            Action::SendSecret(bytes, _) => format!("secret {}", String::from_utf8_lossy(&bytes).trim_end()),
            Action::StartTls => "start tls".into(),
            Action::Next => {
                let next = self.waiting.pop_front();
                self.on(Event::Next(next))
            }
            Action::Upload { form: BodyForm::Binary, .. } => "upload binary".into(),
            Action::Upload { form, framing: Framing::Dot } => {
                format!("upload {}", if form == BodyForm::EightBit { 8 } else { 7 })
            }
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

    fn error(&self) -> Option<&SessionError> {
        self.session.error().or(self.results.iter().find_map(|result| result.error.as_ref()))
    }

    /// The statuses of all messages in the order of their results.
    fn statuses(&self) -> Vec<String> {
        let text = |status: &RecipientStatus| match status {
            RecipientStatus::Unsent => "unsent".into(),
            RecipientStatus::Valid(_) => "valid".into(),
            RecipientStatus::Accepted(_) => "accepted".into(),
            RecipientStatus::Refused(state, reply) => format!("{} {}", state.name(), reply.code()),
            RecipientStatus::NeedsSmtpUtf8 => "needs SMTPUTF8".into(),
            RecipientStatus::Unknown => "unknown".into(),
        };
        self.results.iter().flat_map(|result| &result.statuses).map(text).collect()
    }
}

fn session(recipients: &[&str]) -> Run {
    Run::new(settings(), vec![envelope(recipients)])
}

fn session_with(recipients: &[&str], starttls: StartTls, stop_after: Option<StopAfter>) -> Run {
    Run::new(Settings { starttls, stop_after, ..settings() }, vec![envelope(recipients)])
}

/// Proceeds to the reply to EHLO and returns the following action.
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
    assert_eq!(session.statuses(), ["accepted", "accepted"]);
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
    assert_eq!(session.statuses(), ["accepted", "RCPT 550", "RCPT 450"]);
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
    assert_eq!(session.statuses(), ["RCPT 550"]);
}

#[test]
fn a_refused_mail_concerns_all_recipients_and_a_following_503_none() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250 PIPELINING");
    session.answer("550 no mail from you");
    session.answer("503 MAIL first");
    assert_eq!(session.answer("503 RCPT first"), "QUIT");
    assert_eq!(session.statuses(), ["unsent"]);
    assert!(matches!(session.error(), Some(SessionError::Refused { state: State::Mail, .. })));
}

#[test]
fn recipients_beyond_the_limit_get_another_transaction() {
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
    assert_eq!(session.statuses(), ["accepted", "RCPT 452"]);
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
fn starttls_is_followed_by_ehlo_and_discards_earlier_capabilities() {
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
    assert_eq!(session.error(), Some(&SessionError::TlsNotOffered));
}

#[test]
fn a_message_over_the_announced_size_is_not_started() {
    let mut session = session(&["a"]);
    assert_eq!(greeted(&mut session, "250-x\n250 SIZE 119"), "QUIT");
    assert_eq!(session.error(), Some(&SessionError::TooLarge { size: 120, limit: 119 }));
}

#[test]
fn a_connection_lost_after_the_final_dot_leaves_the_status_unknown() {
    let mut session = session(&["a", "b"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "550 no", "354 go"] {
        session.answer(reply);
    }
    session.uploaded();
    assert_eq!(session.lost(), "close");
    assert_eq!(session.statuses(), ["unknown", "RCPT 550"]);
}

#[test]
fn a_connection_lost_during_the_upload_delivers_nothing() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "354 go"] {
        session.answer(reply);
    }
    session.lost();
    assert_eq!(session.statuses(), ["unsent"]);
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
    assert_eq!(session.statuses(), ["accepted"]);
}

#[test]
fn a_refusal_during_the_upload_ends_it() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "354 go"] {
        session.answer(reply);
    }
    assert_eq!(session.answer("552 enough"), "close");
    assert_eq!(session.statuses(), ["the message 552"]);
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
        assert!(session.error().is_some(), "at {point}");
    }
}

#[test]
fn a_probe_stops_at_its_last_step() {
    let probe = |stop| session_with(&["a"], StartTls::Offered, Some(stop));
    assert_eq!(greeted(&mut probe(StopAfter::Ehlo), "250 x"), "QUIT");
    let mut mail = probe(StopAfter::Mail);
    greeted(&mut mail, "250-x\n250 PIPELINING");
    assert_eq!(mail.answer("250 ok"), "QUIT");
    let mut rcpt = probe(StopAfter::Rcpt);
    greeted(&mut rcpt, "250 x");
    rcpt.answer("250 ok");
    assert_eq!(rcpt.answer("250 ok"), "QUIT");
    assert_eq!(rcpt.statuses(), ["valid"]);
}

// Several messages over one connection.

const PIPELINED: &str = "250-x\n250 PIPELINING";

#[test]
fn the_next_message_and_quit_follow_directly_behind_the_end_of_a_message() {
    let mut session = Run::new(settings(), vec![envelope(&["a"]), envelope(&["b"])]);
    greeted(&mut session, PIPELINED);
    session.answer("250 ok");
    session.answer("250 ok");
    assert_eq!(session.answer("354 go"), "upload 7");
    assert_eq!(session.uploaded(), "MAIL FROM:<me@example.com> | RCPT TO:<b@example.com> | DATA");
    assert_eq!(session.answer("250 queued"), "await Mail");
    assert_eq!(session.statuses(), ["accepted"]);
    session.answer("250 ok");
    session.answer("250 ok");
    assert_eq!(session.answer("354 go"), "upload 7");
    assert_eq!(session.uploaded(), "QUIT");
    assert_eq!(session.answer("550 spam"), "await Quit");
    assert_eq!(session.answer("221 bye"), "close");
    assert_eq!(session.statuses(), ["accepted", "the message 550"]);
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
        assert_eq!(session.statuses(), expected);
    }
}

#[test]
fn a_failed_transaction_is_reset_before_the_next() {
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
    assert_eq!(session.statuses(), ["RCPT 550", "accepted"]);
}

#[test]
fn nothing_follows_directly_behind_a_message_with_recipients_beyond_the_limit() {
    let mut session = Run::new(settings(), vec![envelope(&["a", "b"]), envelope(&["c"])]);
    greeted(&mut session, PIPELINED);
    for reply in ["250 ok", "250 ok", "452 too many", "354 go"] {
        session.answer(reply);
    }
    assert_eq!(session.uploaded(), "await Message");
    assert_eq!(session.answer("250 queued"), "MAIL FROM:<me@example.com> | RCPT TO:<b@example.com> | DATA");
}

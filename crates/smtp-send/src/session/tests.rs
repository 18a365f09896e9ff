//! The state machine without a network: replies are typed in, what it would send is read back.

use super::*;
use crate::proto::command::HeloName;
use crate::proto::reply::ReplyParser;

fn session(recipients: &[&str]) -> Session {
    session_with(recipients, StartTls::Offered, None)
}

fn session_with(recipients: &[&str], starttls: StartTls, stop_after: Option<StopAfter>) -> Session {
    let settings = Settings { helo: HeloName::parse("client.example").unwrap(), starttls, stop_after };
    let envelope = Envelope {
        reverse_path: Address::parse("me@example.com").ok(),
        recipients: recipients.iter().map(|one| Address::parse(&format!("{one}@example.com")).unwrap()).collect(),
        seven_bit_size: 120,
        eight_bit_size: Some(100),
    };
    Session::new(settings, envelope, false)
}

/// What the session does when `reply` comes, in the words of the dialogue.
fn answer(session: &mut Session, reply: &str) -> String {
    let bytes = format!("{}\r\n", reply.replace('\n', "\r\n"));
    let reply = ReplyParser::default().push(bytes.as_bytes()).unwrap().1.unwrap();
    told(session.on(Event::Reply(reply)))
}

fn told(action: Action) -> String {
    match action {
        Action::Await(state) => format!("await {state:?}"),
        Action::Send(bytes, _) => String::from_utf8(bytes).unwrap().trim_end().replace("\r\n", " | "),
        Action::StartTls => "start tls".into(),
        Action::Upload { eight_bit } => format!("upload {}", if eight_bit { 8 } else { 7 }),
        Action::Close => "close".into(),
    }
}

/// Walks up to the reply to EHLO and gives it.
fn greeted(session: &mut Session, ehlo: &str) -> String {
    assert_eq!(told(session.on(Event::Connected)), "await Greeting");
    assert_eq!(answer(session, "220 hello"), "EHLO client.example");
    answer(session, ehlo)
}

fn fates(session: &Session) -> Vec<String> {
    session
        .fates()
        .map(|(_, fate)| match fate {
            Fate::Unsent => "unsent".into(),
            Fate::Valid(_) => "valid".into(),
            Fate::Accepted(_) => "accepted".into(),
            Fate::Refused(state, reply) => format!("{} {}", state.name(), reply.code()),
            Fate::Unknown => "unknown".into(),
        })
        .collect()
}

#[test]
fn without_pipelining_each_command_waits_for_its_reply() {
    let mut session = session(&["a", "b"]);
    assert_eq!(greeted(&mut session, "250 plain"), "MAIL FROM:<me@example.com>");
    assert_eq!(answer(&mut session, "250 ok"), "RCPT TO:<a@example.com>");
    assert_eq!(answer(&mut session, "250 ok"), "RCPT TO:<b@example.com>");
    assert_eq!(answer(&mut session, "251 ok"), "DATA");
    assert_eq!(answer(&mut session, "354 go"), "upload 7");
    assert_eq!(told(session.on(Event::Uploaded)), "await Message");
    assert_eq!(answer(&mut session, "250 queued"), "QUIT");
    assert_eq!(answer(&mut session, "221 bye"), "close");
    assert_eq!(fates(&session), ["accepted", "accepted"]);
}

#[test]
fn with_pipelining_the_transaction_is_one_flight() {
    let mut session = session(&["a"]);
    let flight = greeted(&mut session, "250-x\n250-PIPELINING\n250-SIZE 500\n250 8BITMIME");
    let expected = "MAIL FROM:<me@example.com> SIZE=100 BODY=8BITMIME | RCPT TO:<a@example.com> | DATA";
    assert_eq!(flight, expected);
    assert_eq!(answer(&mut session, "250 ok"), "await Rcpt(0)");
    assert_eq!(answer(&mut session, "250 ok"), "await Data");
    assert_eq!(answer(&mut session, "354 go"), "upload 8");
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
        answer(&mut session, reply);
    }
    assert_eq!(answer(&mut session, "354 go"), "upload 7");
    session.on(Event::Uploaded);
    answer(&mut session, "250 queued");
    assert_eq!(fates(&session), ["accepted", "RCPT 550", "RCPT 450"]);
}

#[test]
fn when_all_are_refused_data_is_not_sent() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    answer(&mut session, "250 ok");
    assert_eq!(answer(&mut session, "550 no"), "QUIT");
}

#[test]
fn when_all_are_refused_in_a_flight_and_354_comes_a_lone_dot_is_sent() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250 PIPELINING");
    answer(&mut session, "250 ok");
    assert_eq!(answer(&mut session, "550 no"), "await Data");
    assert_eq!(answer(&mut session, "354 go"), ".");
    assert_eq!(answer(&mut session, "250 ok"), "QUIT");
    assert_eq!(fates(&session), ["RCPT 550"]);
}

#[test]
fn a_refused_mail_concerns_all_and_the_503_behind_it_nobody() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250 PIPELINING");
    answer(&mut session, "550 no mail from you");
    answer(&mut session, "503 MAIL first");
    assert_eq!(answer(&mut session, "503 RCPT first"), "QUIT");
    assert_eq!(fates(&session), ["unsent"]);
    assert!(matches!(session.trouble(), Some(Trouble::Refused { state: State::Mail, .. })));
}

#[test]
fn recipients_that_are_too_many_get_a_transaction_of_their_own() {
    let mut session = session(&["a", "b"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "452 4.5.3 too many"] {
        answer(&mut session, reply);
    }
    answer(&mut session, "354 go");
    session.on(Event::Uploaded);
    assert_eq!(answer(&mut session, "250 queued"), "MAIL FROM:<me@example.com>");
    assert_eq!(answer(&mut session, "250 ok"), "RCPT TO:<b@example.com>");
    assert_eq!(answer(&mut session, "452 still"), "QUIT");
    assert_eq!(fates(&session), ["accepted", "RCPT 452"]);
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
    assert_eq!(answer(&mut session, "220 go"), "start tls");
    assert_eq!(told(session.on(Event::TlsStarted)), "EHLO client.example");
    assert_eq!(answer(&mut session, "250 x"), "MAIL FROM:<me@example.com>");
    assert_eq!(answer(&mut session, "250 ok"), "RCPT TO:<a@example.com>");
}

#[test]
fn an_advertised_starttls_that_fails_never_leads_back_to_clear() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250 STARTTLS");
    assert_eq!(answer(&mut session, "454 not now"), "QUIT");
    assert_eq!(fates(&session), ["unsent"]);
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
        answer(&mut session, reply);
    }
    session.on(Event::Uploaded);
    assert_eq!(told(session.on(Event::Lost)), "close");
    assert_eq!(fates(&session), ["unknown", "RCPT 550"]);
}

#[test]
fn a_connection_lost_during_the_upload_delivers_nothing() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "354 go"] {
        answer(&mut session, reply);
    }
    session.on(Event::Lost);
    assert_eq!(fates(&session), ["unsent"]);
}

#[test]
fn a_connection_lost_after_the_250_changes_nothing() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "354 go"] {
        answer(&mut session, reply);
    }
    session.on(Event::Uploaded);
    answer(&mut session, "250 queued");
    session.on(Event::Lost);
    assert_eq!(fates(&session), ["accepted"]);
}

#[test]
fn a_refusal_during_the_upload_ends_it() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250 x");
    for reply in ["250 ok", "250 ok", "354 go"] {
        answer(&mut session, reply);
    }
    assert_eq!(answer(&mut session, "552 enough"), "close");
    assert_eq!(fates(&session), ["the message 552"]);
}

#[test]
fn a_421_ends_the_session_at_every_point() {
    let replies = ["220 hi", "250 x", "250 ok", "250 ok", "354 go", "250 queued"];
    for point in 0..replies.len() {
        let mut session = session(&["a"]);
        session.on(Event::Connected);
        for reply in &replies[..point] {
            answer(&mut session, reply);
        }
        if point == 5 {
            session.on(Event::Uploaded);
        }
        assert_eq!(answer(&mut session, "421 going down"), "close", "at {point}");
        assert!(session.trouble().is_some(), "at {point}");
    }
}

#[test]
fn a_probe_stops_where_it_was_told() {
    let probe = |stop| session_with(&["a"], StartTls::Offered, Some(stop));
    assert_eq!(greeted(&mut probe(StopAfter::Ehlo), "250 x"), "QUIT");
    let mut mail = probe(StopAfter::Mail);
    greeted(&mut mail, "250-x\n250 PIPELINING");
    assert_eq!(answer(&mut mail, "250 ok"), "QUIT");
    let mut rcpt = probe(StopAfter::Rcpt);
    greeted(&mut rcpt, "250 x");
    answer(&mut rcpt, "250 ok");
    assert_eq!(answer(&mut rcpt, "250 ok"), "QUIT");
    assert_eq!(fates(&rcpt), ["valid"]);
}

//! CHUNKING, LMTP, SMTPUTF8, and requirements that the server does not offer.

use super::*;
use crate::proto::deliver_by::DeliverBy;

#[test]
fn chunks_replace_data_and_have_one_reply_each() {
    let mut session = session(&["a"]);
    let flight = greeted(&mut session, "250-x\n250-PIPELINING\n250 CHUNKING");
    assert_eq!(flight, "MAIL FROM:<me@example.com> | RCPT TO:<a@example.com>");
    session.answer("250 ok");
    assert_eq!(session.answer("250 ok"), "upload chunks");
    assert_eq!(session.on(Event::Uploaded { chunks: 2 }), "QUIT");
    assert_eq!(session.answer("250 got it"), "await Chunk");
    assert_eq!(session.answer("250 got it"), "await Message");
    session.answer("250 queued");
    assert_eq!(session.statuses(), ["accepted"]);
}

#[test]
fn a_refused_chunk_refuses_the_message_whatever_the_other_replies_are() {
    let mut session = Run::new(settings(), vec![envelope(&["a"]), envelope(&["b"])]);
    greeted(&mut session, "250-x\n250-PIPELINING\n250 CHUNKING");
    session.answer("250 ok");
    session.answer("250 ok");
    // The next transaction is independent of it.
    let behind = session.on(Event::Uploaded { chunks: 1 });
    assert_eq!(behind, "RSET | MAIL FROM:<me@example.com> | RCPT TO:<b@example.com>");
    session.answer("552 too large");
    assert_eq!(session.answer("250 queued"), "await Rset");
    assert_eq!(session.statuses(), ["the message 552"]);
}

#[test]
fn without_recipients_no_chunk_is_sent() {
    let mut session = session(&["a"]);
    greeted(&mut session, "250-x\n250-PIPELINING\n250 CHUNKING");
    session.answer("250 ok");
    assert_eq!(session.answer("550 no"), "QUIT");
}

#[test]
fn lmtp_sends_lhlo_and_reads_a_reply_for_each_recipient() {
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
    assert_eq!(session.statuses(), ["accepted", "RCPT 550", "the message 452"]);
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
    assert_eq!(session.statuses(), ["accepted", "unknown"]);
}

#[test]
fn lmtp_never_falls_back_to_helo() {
    let mut session = Run::new(Settings { lmtp: true, ..settings() }, vec![envelope(&["a"])]);
    session.on(Event::Connected);
    session.answer("220 hello");
    assert_eq!(session.answer("500 what"), "QUIT");
}

#[test]
fn smtputf8_is_declared_when_an_address_needs_it_and_only_that_address_fails_without_it() {
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
    assert_eq!(session.statuses(), ["needs SMTPUTF8", "accepted"]);
}

fn international() -> Vec<Address> {
    vec![Address::parse("jörg@example.com").unwrap(), Address::parse("b@example.com").unwrap()]
}

#[test]
fn a_requirement_that_is_not_offered_fails_before_anything_is_sent() {
    let dsn = Dsn { envid: crate::proto::dsn::Envid::parse("x"), ..Dsn::default() };
    let cases = [
        (Envelope { utf8_header: true, ..envelope(&["a"]) }, "SMTPUTF8"),
        (Envelope { require_tls: true, ..envelope(&["a"]) }, "REQUIRETLS"),
        (Envelope { dsn, ..envelope(&["a"]) }, "DSN"),
    ];
    for (envelope, missing) in cases {
        let mut session = Run::new(settings(), vec![envelope]);
        assert_eq!(greeted(&mut session, "250 x"), "QUIT");
        assert!(matches!(session.error(), Some(SessionError::NotOffered { keyword, .. }) if *keyword == missing));
    }
}

#[test]
fn attachments_are_not_encoded_with_binarymime_and_chunking() {
    let mut session = Run::new(settings(), vec![envelope(&["a"])]);
    let mail = greeted(&mut session, "250-x\n250-SIZE\n250-CHUNKING\n250-8BITMIME\n250 BINARYMIME");
    assert_eq!(mail, "MAIL FROM:<me@example.com> SIZE=80 BODY=BINARYMIME");
    session.answer("250 ok");
    assert_eq!(session.answer("250 ok"), "upload binary");
    // Without chunks the end of a binary message could not be marked.
    let without = [(settings(), "250-x\n250-8BITMIME\n250 BINARYMIME")];
    let unwanted = [(Settings { chunking: false, ..settings() }, "250-x\n250-CHUNKING\n250-8BITMIME\n250 BINARYMIME")];
    for (settings, offer) in without.into_iter().chain(unwanted) {
        let mut session = Run::new(settings, vec![envelope(&["a"])]);
        assert_eq!(greeted(&mut session, offer), "MAIL FROM:<me@example.com> BODY=8BITMIME");
    }
}

#[test]
fn a_by_time_is_sent_or_rejected_with_the_reason() {
    let timed = |text| Envelope { deliver_by: DeliverBy::parse(text), ..envelope(&["a"]) };
    let mut session = Run::new(settings(), vec![timed("120,return")]);
    let mail = greeted(&mut session, "250-x\n250 DELIVERBY 60");
    assert_eq!(mail, "MAIL FROM:<me@example.com> BY=120;R");
    let mut session = Run::new(settings(), vec![timed("59,return")]);
    assert_eq!(greeted(&mut session, "250-x\n250 DELIVERBY 60"), "QUIT");
    assert_eq!(session.results[0].error, Some(SessionError::TooSoon { seconds: 59, least: 60 }));
    let mut session = Run::new(settings(), vec![timed("59")]);
    assert_eq!(greeted(&mut session, "250-x\n250 DELIVERBY 60"), "MAIL FROM:<me@example.com> BY=59;N");
    let mut session = Run::new(settings(), vec![timed("59")]);
    assert_eq!(greeted(&mut session, "250-x\n250 SIZE"), "QUIT");
    let missing = SessionError::NotOffered { keyword: "DELIVERBY", what: "--deliver-by" };
    assert_eq!(session.results[0].error, Some(missing));
}

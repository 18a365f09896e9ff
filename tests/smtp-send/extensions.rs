//! CHUNKING, LMTP, SMTPUTF8, DSN, REQUIRETLS: used when offered and needed, an error when missing.

use testkit::smtp::{Behaviour, Script, Server};

use crate::support::{assert_fails, assert_sent, send, send_to};

fn offering(extensions: &[&str]) -> Server {
    Server::start(Script::default().extensions(extensions))
}

#[test]
fn with_chunking_the_message_goes_in_chunks_as_it_is() {
    for extensions in [&["CHUNKING", "PIPELINING"][..], &["CHUNKING"]] {
        let server = offering(extensions);
        let text = ".\n..two\n".repeat(200_000);
        assert_sent(&send(&server, &[], text.as_bytes()));
        let chunks: Vec<_> = server.lines().into_iter().filter(|line| line.starts_with("BDAT")).collect();
        assert!(chunks.len() > 3 && chunks.last().unwrap().ends_with(" LAST"), "{chunks:?}");
        assert!(!server.lines().contains(&"DATA".to_owned()));
        let message = String::from_utf8(server.mail().message).unwrap();
        assert!(message.ends_with(&text.replace('\n', "\r\n")[..10_000]), "dots are not stuffed in chunks");
    }
}

#[test]
fn without_chunking_or_on_demand_the_message_goes_by_data() {
    let server = offering(&["CHUNKING", "PIPELINING"]);
    assert_sent(&send(&server, &["--no-chunking"], b".\n"));
    assert!(server.lines().contains(&"DATA".to_owned()));
    assert!(server.mail().raw.ends_with(b"\r\n..\r\n.\r\n"));
}

#[test]
fn a_refused_chunk_ends_the_upload_and_refuses_the_recipient() {
    let refusal = Behaviour::Reply("552 5.3.4 Too much".into());
    let server = Server::start(Script::default().extensions(&["CHUNKING", "PIPELINING"]).at("BDAT", 1, refusal));
    let finished = send(&server, &[], "line\n".repeat(2_000_000).as_bytes());
    assert_fails(&finished, 69, &["552 5.3.4 Too much"]);
    assert!(server.mails().is_empty());
}

#[test]
fn lmtp_tells_the_fate_of_each_recipient() {
    let full = Behaviour::Reply("452 4.2.2 Full".into());
    let server = Server::start(Script::default().at("MESSAGE", 2, full));
    let finished = send_to(&server, &["--lmtp", "--to", "a@example.com, b@example.com, c@example.com"], b"x\n");
    assert_fails(&finished, 75, &["1 of 3 recipients refused", "b@example.com", "452 4.2.2 Full"]);
    assert!(server.lines()[0].starts_with("LHLO "));
    let lines: Vec<_> = finished.stdout.lines().map(|line| &line[..24]).collect();
    assert_eq!(lines, ["a@example.com: accepted,", "b@example.com: refused t", "c@example.com: accepted,"]);
}

#[test]
fn lmtp_lost_between_two_answers_leaves_only_the_rest_unknown() {
    let server = Server::start(Script::default().at("MESSAGE", 2, Behaviour::Close));
    let finished = send_to(&server, &["--lmtp", "--to", "a@example.com, b@example.com"], b"x\n");
    assert_fails(&finished, 75, &["may have been delivered"]);
    assert!(
        finished.stdout.starts_with("a@example.com: accepted") && finished.stdout.contains("b@example.com: unknown")
    );
}

#[test]
fn an_address_in_another_script_needs_smtputf8_and_its_domain_alone_does_not() {
    let server = offering(&["SMTPUTF8", "8BITMIME"]);
    assert_sent(&send_to(&server, &["--to", "Jörg <jörg@bücher.example>"], b"x\n"));
    assert!(server.mail().from.ends_with(" SMTPUTF8"), "{:?}", server.lines());
    assert!(server.lines().contains(&"RCPT TO:<jörg@xn--bcher-kva.example>".to_owned()), "{:?}", server.lines());

    let server = offering(&["8BITMIME"]);
    let finished = send_to(&server, &["--to", "jörg@example.com"], b"x\n");
    assert_fails(&finished, 69, &["does not offer SMTPUTF8"]);
    assert_sent(&send_to(&server, &["--to", "joerg@bücher.example"], b"x\n"));
    assert!(server.lines().contains(&"RCPT TO:<joerg@xn--bcher-kva.example>".to_owned()), "{:?}", server.lines());
}

#[test]
fn options_for_delivery_reports_are_passed_on() {
    let server = offering(&["DSN"]);
    let args = ["--dsn-notify", "success,delay", "--dsn-ret", "full", "--dsn-envid", "a+b"];
    assert_sent(&send(&server, &args, b"x\n"));
    assert_eq!(server.mail().from, "<me@example.org> RET=FULL ENVID=a+2Bb");
    assert_eq!(server.mail().to, ["<bob@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@example.com"]);
    let server = offering(&["8BITMIME"]);
    assert_fails(&send(&server, &args, b"x\n"), 69, &["does not offer DSN"]);
}

#[test]
fn wrong_options_are_named_before_anything_is_sent() {
    let server = offering(&["DSN"]);
    assert_fails(&send(&server, &["--dsn-notify", "always"], b"x\n"), 64, &["--dsn-notify always", "never"]);
    assert_fails(&send(&server, &["--dsn-envid", "a\nb"], b"x\n"), 65, &["--dsn-envid"]);
    assert_fails(&send(&server, &["--require-tls", "--tls", "off"], b"x\n"), 64, &["--require-tls"]);
    assert_fails(&send(&server, &["--require-tls"], b"x\n"), 77, &["does not offer STARTTLS"]);
    assert!(server.mails().is_empty());
}

#[test]
fn files_arrive_as_they_are_where_binary_bodies_are_offered() {
    let server = offering(&["8BITMIME", "SIZE", "CHUNKING", "BINARYMIME", "PIPELINING"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("photo.jpg");
    // Bare CR and LF, dots, a lone dot, NUL, what looks like a boundary; more than one chunk; no line end at its end.
    let piece = b"\r\n.\r\n\n..\r\r\0\xff--=_m_\r\n--=_m_1--\r\nBDAT 0 LAST\r\n\r";
    let content = piece.repeat(10_000);
    std::fs::write(&file, &content).unwrap();
    let attach = file.to_str().unwrap();
    assert_sent(&send(&server, &["--attach", attach, "--attach", attach, "--body", "Grüße"], b""));
    let mail = server.mail();
    assert!(mail.from.ends_with(&format!(" SIZE={} BODY=BINARYMIME", mail.message.len())), "{}", mail.from);
    let head = b"Content-Transfer-Encoding: binary\r\n\r\n";
    let starts: Vec<usize> =
        mail.message.windows(head.len()).enumerate().filter(|(_, at)| at == head).map(|(at, _)| at).collect();
    assert_eq!(starts.len(), 3, "the multipart and two files");
    for start in &starts[1..] {
        let part = &mail.message[start + head.len()..];
        assert!(part.starts_with(&content));
        assert!(part[content.len()..].starts_with(b"\r\n--=_m_"));
    }
    assert!(mail.message.ends_with(b"--\r\n"));
    // A text alone gains nothing.
    let server = offering(&["8BITMIME", "CHUNKING", "BINARYMIME"]);
    assert_sent(&send(&server, &[], b"x\n"));
    assert!(!server.mail().from.contains("BODY="), "{}", server.mail().from);
    // Where chunks are not wanted, base64 is.
    let server = offering(&["8BITMIME", "CHUNKING", "BINARYMIME"]);
    assert_sent(&send(&server, &["--attach", attach, "--body", "x", "--no-chunking"], b""));
    assert!(!server.mail().message.contains(&0));
}

#[test]
fn a_time_for_delivery_goes_to_servers_that_know_of_it() {
    let server = offering(&["DELIVERBY 60"]);
    assert_sent(&send(&server, &["--deliver-by", "3600,return,trace"], b"x\n"));
    assert!(server.mail().from.ends_with("BY=3600;RT"), "{}", server.mail().from);
    assert_fails(&send(&server, &["--deliver-by", "30,return"], b"x\n"), 69, &["--deliver-by under 60 seconds"]);
    assert_fails(&send(&offering(&[]), &["--deliver-by", "3600"], b"x\n"), 69, &["DELIVERBY", "--deliver-by"]);
    assert_fails(&send(&server, &["--deliver-by", "soon"], b"x\n"), 64, &["--deliver-by soon", "SECONDS"]);
}

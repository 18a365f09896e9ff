//! SMTP (RFC 5321): replies, capabilities, addresses, dot-stuffing.

use smtp_send::proto::address::{self, Address};
use smtp_send::proto::capability::Capabilities;
use smtp_send::proto::dot::DotStuffing;
use smtp_send::proto::header;
use smtp_send::proto::reply::{Reply, ReplyParser};

/// Replies read the same in one piece and in two, with valid codes.
pub fn reply(data: &[u8]) {
    let Some((place, bytes)) = data.split_last() else { return };
    let whole = replies(&[bytes]);
    let (first, second) = bytes.split_at(bytes.len() * usize::from(*place) / 256);
    assert_eq!(replies(&[first, second]), whole);
    for reply in whole.0 {
        assert!((200..600).contains(&reply.code()));
        let classes = [reply.is_positive(), reply.is_intermediate(), reply.is_transient(), reply.is_permanent()];
        assert_eq!(classes.iter().filter(|class| **class).count(), 1);
        let _ = (reply.to_string(), reply.queue_id());
    }
}

/// All replies in these pieces, and whether an error followed.
fn replies(pieces: &[&[u8]]) -> (Vec<Reply>, bool) {
    let (mut parser, mut all, mut held) = (ReplyParser::default(), Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let Ok((used, reply)) = parser.push(&held) else { return (all, true) };
            held.drain(..used);
            let Some(reply) = reply else { break };
            all.push(reply);
        }
    }
    (all, false)
}

/// Capabilities do not depend on the order of the lines of the reply.
pub fn capability(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| matches!(byte, b'\r' | b'\n')).take(100).collect();
    let text = |lines: &mut dyn Iterator<Item = &&[u8]>| {
        let mut text = b"250-mail.example.com\r\n".to_vec();
        for line in lines {
            text.extend([b"250-", *line, b"\r\n"].concat());
        }
        [text, b"250 OK\r\n".to_vec()].concat()
    };
    let read = |text: &[u8]| ReplyParser::default().push(text).ok().and_then(|(_, reply)| reply);
    let Some(forward) = read(&text(&mut lines.iter())) else { return };
    let backward = read(&text(&mut lines.iter().rev())).expect("the same lines");
    let (one, other) = (Capabilities::of(&forward), Capabilities::of(&backward));
    assert_eq!(
        (one.starttls, one.pipelining, one.eight_bit_mime),
        (other.starttls, other.pipelining, other.eight_bit_mime)
    );
    assert_eq!((one.size, one.chunking, one.smtputf8), (other.size, other.chunking, other.smtputf8));
    assert_eq!(one.auth.is_some(), other.auth.is_some());
    assert!(one.size || one.size_limit.is_none());
}

/// An accepted address cannot leave its angle brackets; address lists and header fields give the same mailboxes.
pub fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(address) = Address::parse(&text) {
        assert!(!address.as_str().chars().any(|one| one.is_control() || "<>".contains(one)));
        assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address));
        assert!(!address.domain().is_empty() && address.domain().is_ascii());
        assert_eq!(address.needs_smtputf8(), !address.as_str().is_ascii());
    }
    if let Ok(list) = address::parse_list(&text) {
        for mailbox in &list {
            assert_eq!(address::parse_list(&format!("<{}>", mailbox.address)).map(|list| list.len()), Ok(1));
        }
        if !text.contains([':', ';', '[', ']']) {
            assert_eq!(header::mailboxes(&text), Ok(list));
        }
    }
    let _ = header::mailboxes(&text);
}

/// Removing the dots gives the message with canonical line ends; no line of the message ends the data early.
pub fn dot_stuffing(data: &[u8]) {
    let Some((place, message)) = data.split_last() else { return };
    let (first, second) = message.split_at(message.len() * usize::from(*place) / 256);
    let (mut stuffing, mut sent) = (DotStuffing::default(), Vec::new());
    stuffing.push(first, &mut sent);
    stuffing.push(second, &mut sent);
    stuffing.finish(&mut sent);
    let mut lines = Vec::new();
    let mut rest = sent.as_slice();
    let end = loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("every line ends with CRLF");
        let (line, behind) = (&rest[..end], &rest[end + 2..]);
        assert!(!line.contains(&b'\r') && !line.contains(&b'\n'), "a bare CR or LF");
        if line == b"." {
            break behind;
        }
        lines.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        lines.extend_from_slice(b"\r\n");
        rest = behind;
    };
    assert!(end.is_empty(), "bytes behind the final dot");
    assert_eq!(lines, canonical(message));
}

/// A slow reference: CR, LF and CRLF become CRLF, also at the end of the last line.
fn canonical(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, byte) in message.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && message[at - 1] == b'\r' => {}
            b'\r' | b'\n' => out.extend_from_slice(b"\r\n"),
            _ => out.push(*byte),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

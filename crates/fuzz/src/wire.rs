//! What `smtp-send` hears before and beside the dialogue: answers of proxies.
//!
//! Each function takes arbitrary bytes and panics when the code does, or when it contradicts its second opinion.

use smtp_send::proto::proxy::{Dialogue, Identity, Refusal, Scheme, Step, Target};

/// The longest answer that is held without an end: a head of HTTP.
const LONGEST: usize = 17 * 1024;

/// A proxy that says `data` after one byte of choice leads to the same end in one piece and in single bytes; what is behind the
/// end of its last answer is left alone.
pub fn proxy(data: &[u8]) {
    let Some((choice, answers)) = data.split_first() else { return };
    let scheme = if choice % 2 == 0 { Scheme::Socks5 } else { Scheme::Http };
    let identity = (choice & 2 != 0).then_some(Identity { user: "joe", password: "secret" });
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
    identity: Option<Identity<'_>>,
    answers: &[u8],
    at_once: usize,
) -> Result<Option<usize>, Refusal> {
    let target = Target { host: "mail.example.com", port: 587 };
    let (mut dialogue, _) = Dialogue::begin(scheme, target, identity)?;
    let (mut taken, mut come) = (0, 0);
    loop {
        let (length, step) = dialogue.take(&answers[taken..come])?;
        taken += length;
        assert!(taken <= come, "more taken than there was");
        match step {
            Step::Done => return Ok(Some(taken)),
            Step::Write(bytes) => assert!(length > 0 && !bytes.is_empty(), "an answer to nothing"),
            Step::Read if come == answers.len() => return Ok(None),
            Step::Read => {
                assert!(come - taken <= LONGEST, "an answer without end is held");
                come = answers.len().min(come + at_once);
            }
        }
    }
}

//! The login of `httpd`: what a client sends as its credentials, and the file that says who may come in.
//!
//! Each function takes arbitrary bytes and panics when the parser does, or when a property that it must have is broken.

use std::collections::HashSet;

use httpd::auth::htpasswd::{HtpasswdError, MAX_COST, Users};
use httpd::proto::credentials::{Basic, MAX_CREDENTIALS};

/// A name holds no colon, neither part a control character, and both together are what was sent.
pub fn credentials(data: &[u8]) {
    let Some(basic) = Basic::parse(data) else { return };
    assert!(!basic.user().contains(&b':'));
    assert_eq!([basic.user(), b":", basic.password()].concat(), basic.whole());
    assert!(basic.whole().len() <= MAX_CREDENTIALS && !basic.whole().iter().any(u8::is_ascii_control));
    assert!(data[..6].eq_ignore_ascii_case(b"basic "));
    assert_eq!(format!("{basic:?}"), "Basic(..)");
}

/// Every user stands once in a line of the file, with a hash that can be compared; a mistake names a line and shows no hash.
pub fn htpasswd(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    match Users::parse(data) {
        Ok(users) => {
            let mut names = HashSet::new();
            for number in 0..users.count() as u64 {
                let record = users.any(number).expect("there is one of each number");
                assert!(names.insert(record.name.clone()), "twice");
                assert_eq!(users.find(&record.name), Some(record));
                assert!(record.hash.len() == 60 && record.hash[4..6].parse::<u32>().is_ok_and(|cost| cost <= MAX_COST));
                let start = [&record.name, b":".as_slice(), record.hash.as_bytes()].concat();
                assert!(lines.iter().any(|line| line.starts_with(&start)));
            }
            assert!(users.count() > 0);
        }
        Err(HtpasswdError::Line { line, what }) => {
            assert!((1..=lines.len()).contains(&line));
            assert!(!what.chars().any(char::is_control), "{what:?}");
            let mut parts = lines[line - 1].split(|byte| *byte == b':').map(String::from_utf8_lossy);
            let (name, hash) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            // Anything may stand in the place of a hash, also words of the message, and in that of a name a hash.
            let is_hash = hash.len() >= 12 && hash.starts_with(['$', '{']) && !name.contains(&*hash);
            assert!(!is_hash || !what.contains(&*hash), "{what}");
        }
        Err(HtpasswdError::Empty) => {}
    }
}

//! Login: credentials of a request (RFC 7617) and password files in the format of htpasswd.

use std::collections::HashSet;

use httpd::auth::htpasswd::{HtpasswdError, MAX_COST, Users};
use httpd::proto::credentials::{Basic, MAX_CREDENTIALS};

/// The user has no colon, neither part a control character, and both together are the decoded credentials.
pub fn credentials(data: &[u8]) {
    let Some(basic) = Basic::parse(data) else { return };
    assert!(!basic.user().contains(&b':'));
    assert_eq!([basic.user(), b":", basic.password()].concat(), basic.whole());
    assert!(basic.whole().len() <= MAX_CREDENTIALS && !basic.whole().iter().any(u8::is_ascii_control));
    assert!(data[..6].eq_ignore_ascii_case(b"basic "));
    assert_eq!(format!("{basic:?}"), "Basic(..)");
}

/// Each user is listed once, with a valid bcrypt hash; an error names its line and shows no hash.
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
            // The text in place of a hash may also be a word of the message, and a user name may look like a hash.
            let is_hash = hash.len() >= 12 && hash.starts_with(['$', '{']) && !name.contains(&*hash);
            assert!(!is_hash || !what.contains(&*hash), "{what}");
        }
        Err(HtpasswdError::Empty) => {}
    }
}

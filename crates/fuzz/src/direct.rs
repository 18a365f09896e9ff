//! What `smtp-send` reads when it finds the way to a recipient by itself: answers of name servers.
//!
//! Each function takes arbitrary bytes and panics when the code does, or when it contradicts its second opinion.

use smtp_send::proto::dns::{self, MAX_ALIASES, Record, RecordType, Reply};

/// An answer has records of the wanted type only, with names that can be asked for; what the header alone says is believed
/// in no other way.
pub fn dns_answer(data: &[u8]) {
    let types = [RecordType::A, RecordType::Aaaa, RecordType::Mx, RecordType::Srv, RecordType::Tlsa];
    for wanted in types {
        let Ok(reply) = dns::reply(data, 7, "example.com", wanted) else { continue };
        assert_eq!(&data[..2], [0, 7], "the number of another question");
        assert!(data[2] & 0x80 != 0, "a question");
        let Reply::Found(answer) = reply else { continue };
        assert!(data[3] & 0x0f == 0 && data[2] & 0x02 == 0);
        assert_eq!(answer.authentic, data[3] & 0x20 != 0);
        assert!(answer.aliases <= MAX_ALIASES && (answer.aliases > 0 || answer.name == "example.com"));
        assert_name(&answer.name);
        for record in answer.records {
            match (wanted, record) {
                (RecordType::A, Record::A(_)) | (RecordType::Aaaa, Record::Aaaa(_)) => {}
                (RecordType::Mx, Record::Mx { exchange: name, .. })
                | (RecordType::Srv, Record::Srv { target: name, .. }) => assert_name(&name),
                (RecordType::Tlsa, Record::Tlsa { data: bytes, .. }) => assert!(bytes.len() < data.len()),
                (wanted, record) => panic!("{record:?} for {wanted:?}"),
            }
        }
    }
}

fn assert_name(name: &str) {
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{name:?}");
    assert!(dns::question(1, name, RecordType::A, true).is_ok(), "{name:?} cannot be asked for");
}

//! Input of bulk runs: mbox files, CSV tables, templates, journals, control files of the queue.

use std::io::Read;

use smtp_send::journal::record::{JournalHeader, JournalRecord};
use smtp_send::message::headers::Headers;
use smtp_send::message::mbox::{MboxScanner, Unquoted};
use smtp_send::message::template::{Columns, Template};
use smtp_send::message::{Edits, ExistingMessage};
use smtp_send::proto::header;
use smtp_send::sendmail::queue::control_file::QueueControlFile;
use smtp_send::source::csv_table::CsvTable;

/// Messages follow each other without overlap, however the file is split; unquoting removes at most one byte per line.
pub fn mbox(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let (first, second) = data.split_at(usize::from(*cut).min(data.len()));
    let (mut whole, mut parts) = (MboxScanner::default(), MboxScanner::default());
    whole.push(data);
    parts.push(first);
    parts.push(second);
    let whole = whole.finish();
    assert_eq!(whole, parts.finish());
    assert!(whole.iter().all(|place| place.start <= place.end && place.end <= data.len() as u64));
    assert!(whole.windows(2).all(|pair| pair[0].end < pair[1].start));
    let (mut plain, mut again) = (Vec::new(), Vec::new());
    Unquoted::new(data).read_to_end(&mut plain).expect("bytes can be read");
    Unquoted::new(first.chain(second)).read_to_end(&mut again).expect("bytes can be read");
    assert_eq!(plain, again);
    let quoted = data.split(|byte| *byte == b'\n').filter(|line| {
        let text = line.iter().position(|byte| *byte != b'>').unwrap_or(line.len());
        (1..=256).contains(&text) && line[text..].starts_with(b"From ")
    });
    assert_eq!(data.len() - plain.len(), quoted.count());
}

/// A row that is read by its offset is the same as in a sequential pass with the crate csv.
pub fn csv_table(data: &[u8]) {
    let Some((separator, data)) = data.split_first() else { return };
    let separator = if separator.is_ascii_punctuation() && *separator != b'"' { *separator } else { b',' };
    let Ok((rows, bad)) = CsvTable::keep(data, separator) else { return };
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.delimiter(separator).has_headers(false).flexible(true).from_reader(text);
    let records = reader.byte_records().map_while(Result::ok).skip(1);
    let good = |record: &csv::ByteRecord| {
        record.len() == rows.columns().len() && record.iter().all(|field| str::from_utf8(field).is_ok())
    };
    let expected: Vec<csv::ByteRecord> = records.filter(good).collect();
    assert_eq!(rows.len(), expected.len(), "{bad:?}");
    for (number, expected) in expected.iter().enumerate() {
        let row = rows.read(number).expect("the row is there");
        // A byte order mark before a row is skipped when the row is read alone; one in quotes is not.
        let is_same = |(at, (field, expected)): (usize, (&String, &[u8]))| {
            let unmarked = expected.strip_prefix(b"\xef\xbb\xbf").filter(|_| at == 0);
            field.as_bytes() == expected || Some(field.as_bytes()) == unmarked
        };
        assert!(row.len() == expected.len() && row.iter().zip(expected.iter()).enumerate().all(is_same), "{row:?}");
        assert!(rows.line(number) <= text.split(|byte| *byte == b'\n').count() as u64);
    }
}

/// A value cannot add a header field, and the filled message can be sent.
pub fn template(data: &[u8]) {
    let columns = Columns::new(["email", "name"].map(str::to_owned).to_vec());
    let Ok(template) = Template::parse(data, columns) else { return };
    let fields = |message: &[u8]| {
        let header = header::parse(message, true).expect("a complete header has an end");
        header.fields.iter().map(|field| field.name().to_ascii_lowercase()).collect::<Vec<_>>()
    };
    let mut known = None;
    for (email, name) in [
        ("a@example.com", "Ann"),
        ("a@example.com", "Jörg, \"Jo\" <evil@example.com>"),
        ("a@example.com", "x\r\nInjected: y"),
        ("a@example.com>\r\nInjected: <y@z", "=?utf-8?q?=0AInjected:_y?="),
        ("", "\u{2028}\0\x7f"),
    ] {
        let row = |column: usize| if column == 0 { email.to_owned() } else { name.to_owned() };
        let checked = template.check(&row);
        let filled = template.fill(&row, &Headers::default());
        assert_eq!(checked.is_ok(), filled.is_ok());
        let Ok(message) = filled else { continue };
        let names = fields(&message);
        // An address list without members is left out.
        let own = known.get_or_insert_with(|| names.clone());
        assert!(names.len() == own.len() && !names.iter().any(|name| name == b"injected" && !own.contains(name)));
        let _ = ExistingMessage::own(message, &Edits::default());
    }
}

/// Each line that can be read is written as it was.
pub fn journal(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for line in text.split('\n') {
        if let Some(heading) = JournalHeader::parse(line) {
            assert_eq!(heading.line().trim_end_matches('\n'), line);
        }
        if let Some(record) = JournalRecord::parse(line) {
            assert_eq!(record.line(), format!("{line}\n"));
        }
    }
}

/// Writing and reading a control file gives the same values; none has a line break.
pub fn control_file(data: &[u8]) {
    let Ok(ticket) = QueueControlFile::parse(data) else { return };
    let again = QueueControlFile::parse(ticket.json().as_bytes()).expect("what was written can be read");
    assert_eq!(again, ticket);
    let edits = ticket.edits().expect("it was checked");
    let id = edits.message_id.unwrap_or_default();
    let name = edits.from.and_then(|from| from.name).unwrap_or_default();
    assert!(!id.contains(char::is_control) && !name.contains(char::is_control));
    for address in
        ticket.recipients().expect("it was checked").into_iter().chain(ticket.reverse_path().expect("checked"))
    {
        assert!(!address.as_str().contains(char::is_control));
    }
}

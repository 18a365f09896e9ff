//! A table of recipients in CSV (RFC 4180), the column names in its first row.
//!
//! One pass finds the columns and the position of each row; a row is read again when it is needed, so a table needs a
//! few bytes of memory for each row. A byte order mark and empty lines are skipped.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Position, Reader, ReaderBuilder};

use common::sync::Mutex;

use crate::message::regular_file::{FileVersion, FileWindow};

/// Windows programs write it in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Longest row in bytes; a longer one is a file of another kind.
const MAX_ROW: u64 = 4 << 20;

/// A CSV table.
#[derive(Debug)]
pub struct CsvTable {
    file: File,
    /// Its path, and its version when it was opened.
    path: PathBuf,
    version: FileVersion,
    separator: u8,
    columns: Vec<String>,
    places: Vec<RowPosition>,
    /// One reader for all rows: to create one costs more than to read a row.
    reader: Mutex<Reader<File>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowPosition {
    start: u64,
    line: u64,
}

/// A row that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The line of the file where it begins, from 1.
    pub line: u64,
    /// The reason.
    pub why: String,
}

/// Why a file is not a table.
#[derive(Debug, thiserror::Error)]
pub enum CsvTableError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It has no usable first row.
    #[error("{0}")]
    NoTable(String),
}

impl CsvTable {
    /// Opens a table. Rows that cannot be used are returned beside it.
    pub fn open(path: &Path, separator: u8) -> Result<(Self, Vec<BadRow>), CsvTableError> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file").into());
        }
        Self::look(file, path, separator)
    }

    /// Opens a table from a stream, which is kept in a temporary file.
    pub fn keep(mut stream: impl Read, separator: u8) -> Result<(Self, Vec<BadRow>), CsvTableError> {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut stream, &mut file)?;
        Self::look(file, Path::new("standard input"), separator)
    }

    fn look(mut file: File, path: &Path, separator: u8) -> Result<(Self, Vec<BadRow>), CsvTableError> {
        let facts = file.metadata()?;
        let mut start = [0; BYTE_ORDER_MARK.len()];
        let marked = file.read_at(&mut start, 0)? == start.len() && start == BYTE_ORDER_MARK;
        let skipped = if marked { start.len() as u64 } else { 0 };
        file.seek(SeekFrom::Start(skipped))?;
        let mut rows = Self {
            path: path.to_owned(),
            version: FileVersion::of(&facts)?,
            separator,
            columns: Vec::new(),
            places: Vec::new(),
            reader: Mutex::new(builder(separator).from_reader(file.try_clone()?)),
            file,
        };
        let bad = rows.scan(skipped)?;
        Ok((rows, bad))
    }

    fn scan(&mut self, skipped: u64) -> Result<Vec<BadRow>, CsvTableError> {
        let mut bad = Vec::new();
        let mut reader = builder(self.separator).from_reader(&self.file);
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record).map_err(io::Error::from)? {
            return Err(CsvTableError::NoTable("it is empty; its first row names the columns".into()));
        }
        let columns = record.iter().map(|name| std::str::from_utf8(name).map(|name| name.trim().to_owned()));
        let columns = columns.collect::<Result<Vec<_>, _>>();
        self.columns = columns.map_err(|_| CsvTableError::NoTable("its first row is not UTF-8".into()))?;
        if let Some(twice) = (1..self.columns.len()).find(|at| self.columns[..*at].contains(&self.columns[*at])) {
            return Err(CsvTableError::NoTable(format!("two columns are called '{}'", self.columns[twice])));
        }
        while reader.read_byte_record(&mut record).map_err(io::Error::from)? {
            let (start, line) = record.position().map_or((0, 0), |place| (place.byte() + skipped, place.line()));
            let RowPosition { start, line } = self.behind_line_ends(RowPosition { start, line })?;
            let length = (reader.position().byte() + skipped).saturating_sub(start);
            match self.fault(&record, length) {
                None => self.places.push(RowPosition { start, line }),
                Some(why) => bad.push(BadRow { line, why }),
            }
        }
        Ok(bad)
    }

    /// Skips the line ends in front of a row.
    fn behind_line_ends(&self, mut place: RowPosition) -> io::Result<RowPosition> {
        let mut bytes = [0; 16];
        loop {
            let length = self.file.read_at(&mut bytes, place.start)?;
            let ends = bytes[..length].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            place.line += memchr::memchr_iter(b'\n', &bytes[..ends]).count() as u64;
            place.start += ends as u64;
            if ends < bytes.len() {
                return Ok(place);
            }
        }
    }

    fn fault(&self, record: &ByteRecord, length: u64) -> Option<String> {
        if record.len() != self.columns.len() {
            return Some(format!("{} fields in {} columns", record.len(), self.columns.len()));
        }
        if length > MAX_ROW {
            return Some("too long for a row; a quote may not be closed".into());
        }
        record.iter().any(|field| std::str::from_utf8(field).is_err()).then(|| "not UTF-8".into())
    }

    /// The column names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Number of usable rows.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no row is usable.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The line where a row begins, from 1.
    pub fn line(&self, number: usize) -> u64 {
        self.places.get(number).map_or(0, |place| place.line)
    }

    /// Removes rows.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut number = 0;
        self.places.retain(|_| {
            number += 1;
            keep(number - 1)
        });
    }

    /// The fields of a row.
    ///
    /// # Errors
    /// The file cannot be read, or has changed.
    pub fn read(&self, number: usize) -> io::Result<Vec<String>> {
        let changed = || io::Error::other("the file has changed since it was first read");
        let is_same = || Ok::<_, io::Error>(FileVersion::of(&self.file.metadata()?)? == self.version);
        let place = self.places.get(number).filter(|_| is_same().unwrap_or(false)).ok_or_else(changed)?;
        // A reader skips a byte order mark at its start: it begins at the line end before the row.
        let mut start = Position::new();
        start.set_byte(place.start.saturating_sub(1));
        let mut record = ByteRecord::new();
        let mut reader = self.reader.lock();
        reader.seek_raw(SeekFrom::Start(start.byte()), start).map_err(io::Error::from)?;
        let found = reader.read_byte_record(&mut record).map_err(io::Error::from)?;
        drop(reader);
        if !found || !is_same()? || record.len() != self.columns.len() {
            return Err(changed());
        }
        record.iter().map(|field| String::from_utf8(field.to_vec()).map_err(|_| changed())).collect()
    }

    /// The path of the table.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> impl Read + '_ {
        FileWindow::new(&self.file, 0, u64::MAX)
    }
}

fn builder(separator: u8) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(separator).has_headers(false).flexible(true);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, separator: u8) -> (CsvTable, Vec<BadRow>) {
        CsvTable::keep(text.as_bytes(), separator).unwrap()
    }

    fn all(rows: &CsvTable) -> Vec<Vec<String>> {
        (0..rows.len()).map(|number| rows.read(number).unwrap()).collect()
    }

    #[test]
    fn rows_are_read_from_their_places() {
        let text = "\u{feff}a,b c\r\n1,\"two\r\nlines, \"\"quoted\"\"\"\r\n\r\n3,\r\n\"\",ü";
        let (rows, bad) = table(text, b',');
        assert_eq!((rows.columns(), bad), (&["a".to_owned(), "b c".to_owned()][..], vec![]));
        assert_eq!(all(&rows), [["1", "two\r\nlines, \"quoted\""], ["3", ""], ["", "ü"]]);
        assert_eq!([0, 1, 2].map(|number| rows.line(number)), [2, 5, 6]);
        assert_eq!(all(&table("a;b\n1,5;\n", b';').0), [["1,5", ""]]);
        assert_eq!(all(&table("a\n\u{feff}\nb\n", b',').0), [["\u{feff}"], ["b"]]);
    }

    #[test]
    fn rows_that_are_wrong_are_named_by_their_line() {
        let (rows, bad) = table("a,b\n1,2\n3\n4,5,6\n7,8\n", b',');
        assert_eq!(all(&rows), [["1", "2"], ["7", "8"]]);
        assert_eq!(bad.iter().map(|row| row.line).collect::<Vec<_>>(), [3, 4]);
        let (rows, bad) = CsvTable::keep(&b"a\n\xff\n"[..], b',').unwrap();
        assert_eq!((rows.len(), bad[0].why.as_str()), (0, "not UTF-8"));
    }

    #[test]
    fn a_file_that_is_not_a_table_is_refused() {
        for text in ["", "\n\n", "a,a\n1,2\n"] {
            assert!(CsvTable::keep(text.as_bytes(), b',').is_err(), "{text:?}");
        }
    }
}

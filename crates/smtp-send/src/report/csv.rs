//! The report in CSV (RFC 4180): a row for each recipient, the column names in the first.

use std::io::{self, Write};

use common::SafeText;

use super::Report;

const COLUMNS: [&str; 10] =
    ["message", "recipient", "status", "code", "enhanced", "text", "queue_id", "refused_at", "message_id", "error"];
/// The characters that begin a formula in a spreadsheet.
const FORMULA: [char; 4] = ['=', '+', '-', '@'];

/// Writes a row for each recipient.
pub struct CsvReport<W: Write> {
    rows: csv::Writer<W>,
    /// Whether the column names are still to be written.
    begins: bool,
}

impl<W: Write> CsvReport<W> {
    /// A table in `out`; `begins` writes the column names first.
    pub fn new(out: W, begins: bool) -> Self {
        let rows = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        Self { rows, begins }
    }

    /// Adds the rows of a message; one without recipients gets a row with its error.
    pub fn write(&mut self, report: &Report) -> io::Result<()> {
        if std::mem::take(&mut self.begins) {
            self.rows.write_record(COLUMNS)?;
        }
        let source = report.source.as_deref().unwrap_or_default();
        let error = report.error.as_deref().unwrap_or_default();
        if report.recipients.is_empty() {
            self.row([source, "", "unsent", "", "", "", "", "", &report.message_id, error])?;
        }
        for one in &report.recipients {
            let code = one.code.map(|code| code.to_string());
            let cell = |text: &'_ Option<String>| text.clone().unwrap_or_default();
            self.row([
                source,
                &one.address,
                one.status.name(),
                &cell(&code),
                &cell(&one.enhanced),
                &cell(&one.text),
                &cell(&one.queue_id),
                one.refused_at.unwrap_or_default(),
                &report.message_id,
                error,
            ])?;
        }
        self.rows.flush()
    }

    fn row(&mut self, cells: [&str; COLUMNS.len()]) -> io::Result<()> {
        let cells = cells.map(|cell| {
            let safe = SafeText(cell.as_bytes()).to_string();
            if safe.starts_with(FORMULA) { format!("'{safe}") } else { safe }
        });
        Ok(self.rows.write_record(cells)?)
    }
}

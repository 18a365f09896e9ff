//! The output of a run: lines or JSON on standard output, CSV rows, and a progress bar.
//!
//! A report that cannot be written is a warning only: what was delivered stays delivered.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use common::{Error, Kind};

use crate::config::{FileSource, ReportStyle};
use crate::progress_bar::{ProgressBar, Unit};
use crate::report::{CsvReport, Report};

/// Smallest run with a progress bar; smaller ones end at once.
const MIN_BAR_MESSAGES: usize = 20;

/// Writes the results of a run.
pub struct Output {
    style: ReportStyle,
    csv: Option<CsvReport<Box<dyn Write + Send>>>,
    progress: Option<ProgressBar>,
    warned: bool,
}

impl Output {
    /// The output of a run with `messages` messages, if they are to be counted. `goes_on` appends to the report of an
    /// earlier run.
    ///
    /// # Errors
    /// The file of the report cannot be written.
    pub fn new(
        style: ReportStyle,
        csv: Option<&FileSource>,
        messages: Option<usize>,
        goes_on: bool,
    ) -> Result<Self, Error> {
        let to_stdout = csv == Some(&FileSource::Stdin);
        let csv = csv.map(|target| match target {
            FileSource::Stdin => Ok(CsvReport::new(Box::new(io::stdout()) as Box<dyn Write + Send>, true)),
            FileSource::File(path) => table(path, goes_on),
        });
        let style = if to_stdout { ReportStyle::Quiet } else { style };
        let messages = messages.filter(|messages| *messages >= MIN_BAR_MESSAGES);
        let progress = messages.and_then(|messages| ProgressBar::new(Unit::Messages, messages as u64));
        Ok(Self { style, csv: csv.transpose()?, progress, warned: false })
    }

    /// Writes the report of a message.
    pub fn show(&mut self, report: &Report) {
        if let Some(progress) = &mut self.progress
            && io::stdout().is_terminal()
        {
            progress.clear();
        }
        let written = self.write(report);
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
            && !std::mem::replace(&mut self.warned, true)
        {
            log::warn!("the report is not complete: {}", Error::output(error));
        }
        if let Some(progress) = &mut self.progress {
            progress.add(1);
        }
    }

    fn write(&mut self, report: &Report) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let shown = match self.style {
            ReportStyle::Lines => report.write_lines(&mut out),
            ReportStyle::Json => report.write_json(&mut out),
            ReportStyle::Quiet => Ok(()),
        };
        let shown = shown.and_then(|()| out.flush());
        drop(out);
        let csv = self.csv.as_mut().map_or(Ok(()), |csv| csv.write(report));
        shown.and(csv)
    }
}

fn table(path: &Path, goes_on: bool) -> Result<CsvReport<Box<dyn Write + Send>>, Error> {
    let open = || -> io::Result<_> {
        let file = File::options().create(true).write(true).append(goes_on).truncate(!goes_on).open(path)?;
        let is_new = file.metadata()?.len() == 0;
        Ok(CsvReport::new(Box::new(BufWriter::new(file)) as Box<dyn Write + Send>, is_new))
    };
    open().map_err(|error| Error::io("write", path.display(), error).with_kind(Kind::System))
}

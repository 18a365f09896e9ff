//! `--csv` (RFC 4180): a header, then one record per event, without a summary.

use std::io::Write;
use std::time::Instant;

use common::{Error, SafeText};

use super::json::record;
use super::{Event, Report, ReportContext, write};
use crate::config::TimeStyle;
use crate::single::scheduler::Scheduler;

const HEADER: &str = "time,event,target,address,seq,from,bytes,ttl,rtt_ms,rtt_source,reordered,reason\r\n";

/// Writes CSV records.
pub(super) struct Csv<'a, W> {
    context: ReportContext<'a>,
    out: W,
}

impl<'a, W: Write> Csv<'a, W> {
    /// A report to `out`.
    pub(super) fn new(context: ReportContext<'a>, out: W) -> Self {
        Self { context, out }
    }
}

impl<W: Write> Report for Csv<'_, W> {
    fn start(&mut self) -> Result<(), Error> {
        write(&mut self.out, HEADER.as_bytes())
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), Error> {
        if let Event::Resolved { address, source } = event {
            (self.context.address, self.context.source) = (*address, *source);
        }
        if self.context.config.quiet {
            return Ok(());
        }
        let mut reason = String::new();
        let Some(event) = record(&self.context, event, &mut reason)? else { return Ok(()) };
        // Names and numbers are those of the JSON records.
        let fields = serde_json::to_value(&event).map_err(|cause| Error::output(cause.into()))?;
        let names = HEADER.trim_end().split(',');
        let record: Vec<String> = names
            .map(|name| match (name, &fields[name]) {
                ("reason", _) => quoted(&reason),
                ("time", serde_json::Value::Number(time)) if self.context.config.timestamps != Some(TimeStyle::Iso) => {
                    format!("{:.6}", time.as_f64().unwrap_or_default())
                }
                (_, serde_json::Value::Null) => String::new(),
                (_, serde_json::Value::String(text)) => quoted(text),
                (_, other) => other.to_string(),
            })
            .collect();
        write(&mut self.out, format!("{}\r\n", record.join(",")).as_bytes())
    }

    fn rest(&mut self, _: &Scheduler) -> Result<(), Error> {
        Ok(())
    }

    fn summary(&mut self, _: &Scheduler, _: Instant) -> Result<(), Error> {
        Ok(())
    }
}

/// A quoted field (RFC 4180); control characters are escaped, so that a record is one line.
fn quoted(text: &str) -> String {
    let text = SafeText(text.as_bytes()).to_string();
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_quotes_are_quoted_and_lines_never_broken() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\\n\"");
    }
}

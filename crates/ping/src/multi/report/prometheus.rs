//! Metrics in the Prometheus text format, for the textfile collector of the node exporter.
//!
//! The file is replaced by a rename, so that a reader never sees a partial file.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::Error;

use crate::multi::target_stats::TargetStats;
use crate::multi::tracker::ProbeTracker;

/// A file that is replaced as a whole.
#[derive(Debug)]
pub(crate) struct TextFile {
    path: PathBuf,
    /// The temporary file in the same folder; its name is ignored by the collector.
    beside: PathBuf,
}

impl TextFile {
    /// Checks that the file can be written.
    pub(crate) fn new(path: &Path) -> Result<Self, Error> {
        let mut name = OsString::from(".");
        name.push(
            path.file_name().ok_or_else(|| Error::io("write", path.display(), io::ErrorKind::IsADirectory.into()))?,
        );
        name.push(format!(".{}", std::process::id()));
        let file = Self { path: path.to_owned(), beside: path.with_file_name(name) };
        File::create(&file.beside).map_err(|cause| file.failed(cause))?;
        let _ = fs::remove_file(&file.beside);
        Ok(file)
    }

    /// Writes all metrics; `wall` is the time in nanoseconds since 1970.
    pub(crate) fn write(&self, tracker: &ProbeTracker<'_>, wall: u64) -> Result<(), Error> {
        let written = File::create(&self.beside).and_then(|file| {
            let mut out = BufWriter::new(file);
            write_all(&mut out, tracker, wall)?;
            out.into_inner().map_err(io::IntoInnerError::into_error)?;
            fs::rename(&self.beside, &self.path)
        });
        written.map_err(|cause| {
            let _ = fs::remove_file(&self.beside);
            self.failed(cause)
        })
    }

    fn failed(&self, cause: io::Error) -> Error {
        Error::io("write", self.path.display(), cause)
    }
}

/// Name, type, help text and value of a metric.
type Metric = (&'static str, &'static str, &'static str, fn(&TargetStats) -> Option<f64>);

const METRICS: [Metric; 8] = [
    ("ping_up", "gauge", "Whether the latest settled probe was answered", |o| Some(f64::from(u8::from(o.is_up)))),
    ("ping_probes_total", "counter", "Settled probes", |stats| Some(stats.sent.into())),
    ("ping_replies_total", "counter", "Answered probes", |stats| Some(stats.received.into())),
    ("ping_lost_total", "counter", "Probes without a reply or an error", |o| Some(o.lost.into())),
    ("ping_failures_total", "counter", "ICMP errors, local send errors and corrupt replies", |o| {
        Some(o.failures() as f64)
    }),
    ("ping_rtt_min_seconds", "gauge", "Shortest round-trip time", |o| o.times().map(|times| seconds(times.minimum))),
    ("ping_rtt_avg_seconds", "gauge", "Mean round-trip time", |o| o.times().map(|times| seconds(times.average))),
    ("ping_rtt_max_seconds", "gauge", "Longest round-trip time", |o| o.times().map(|times| seconds(times.maximum))),
];

fn write_all(out: &mut impl Write, tracker: &ProbeTracker<'_>, wall: u64) -> io::Result<()> {
    for (name, kind, help, value) in METRICS {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
        for index in 0..tracker.targets.count() {
            if let Some(value) = value(tracker.stats(index)) {
                let address = tracker.targets.address(index).0;
                let target = tracker.targets.name(index).map_or_else(|| address.to_string(), escaped);
                writeln!(out, "{name}{{target=\"{target}\",address=\"{address}\"}} {value}")?;
            }
        }
    }
    let name = "ping_written_timestamp_seconds";
    writeln!(out, "# HELP {name} When these figures were written\n# TYPE {name} gauge")?;
    writeln!(out, "{name} {}", seconds(Duration::from_nanos(wall)))
}

fn seconds(time: Duration) -> f64 {
    // Dividing exact nanoseconds gives the shortest decimal text.
    time.as_nanos() as f64 / 1e9
}

/// Escapes a label value: backslash, quote and line feed.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_early() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }

    #[test]
    fn a_folder_is_no_file_and_a_missing_one_is_reported() {
        assert!(TextFile::new(Path::new("/")).unwrap_err().to_string().starts_with("write /: "));
        let reported = TextFile::new(Path::new("/nosuch/x.prom")).unwrap_err().to_string();
        assert_eq!(reported, "write /nosuch/x.prom: No such file or directory");
    }
}

//! Opens the site in a browser (`--open`); failures are only logged.
//!
//! The browser is started before the process is confined, because it would inherit that, and in a new process group, because
//! Ctrl-C is for the server.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::banner::Url;

/// A browser that was started.
pub(crate) struct Browser {
    name: String,
    child: Child,
}

/// Opens the first HTTP URL in the first browser of `$BROWSER` that starts, else with `xdg-open`.
pub(crate) fn open(urls: &[Url]) -> Option<Browser> {
    let Some(url) = urls.iter().map(|url| &url.text).find(|url| url.starts_with("http")) else {
        log::warn!("open a browser: there is no HTTP URL");
        return None;
    };
    let wanted = env::var("BROWSER").unwrap_or_default();
    let names = wanted.split(':').filter(|name| !name.trim().is_empty()).chain(["xdg-open"]);
    let mut last_error = None;
    for name in names {
        match start(name, url) {
            Ok(child) => return Some(Browser { name: name.to_owned(), child }),
            Err(error) => last_error = Some((name, error)),
        }
    }
    if let Some((name, error)) = last_error {
        log::warn!("open {url} by {name}: {}", common::error::reason(&error));
    }
    None
}

/// Starts a browser without a shell; `%s` in its arguments is replaced by the URL, which else is the last argument.
fn start(name: &str, url: &str) -> io::Result<Child> {
    let mut words: Vec<String> = name.split_whitespace().map(|word| word.replace("%s", url)).collect();
    if !name.contains("%s") {
        words.push(url.to_owned());
    }
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
}

impl Browser {
    /// Waits for the browser on a new thread, to reap the process and log a failure.
    pub(crate) fn watch(self) {
        let Self { name, mut child } = self;
        let wait = move || match child.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => log::warn!("open a browser by {name}: {status}"),
            Err(error) => log::warn!("open a browser by {name}: {}", common::error::reason(&error)),
        };
        if let Err(error) = thread::Builder::new().name("browser".into()).spawn(wait) {
            log::warn!("wait for the browser: {}", common::error::reason(&error));
        }
    }
}

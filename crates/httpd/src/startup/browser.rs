//! Opening a browser for whoever started the server. Whatever goes wrong with it is told and otherwise ignored.
//!
//! It is started before the process is confined, because a browser must not inherit that, and in a process group of its own,
//! because Ctrl-C is for the server.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A browser that was started.
pub(crate) struct Browser {
    name: String,
    child: Child,
}

/// Starts the first browser of `$BROWSER` that can be started, else `xdg-open`, with the first of these addresses that it
/// understands.
pub(crate) fn open(urls: &[String]) -> Option<Browser> {
    let Some(url) = urls.iter().find(|url| url.starts_with("http")) else {
        log::warn!("open a browser: no address is one for browsers");
        return None;
    };
    let wanted = env::var("BROWSER").unwrap_or_default();
    let names = wanted.split(':').filter(|name| !name.trim().is_empty()).chain(["xdg-open"]);
    let mut outcome = None;
    for name in names {
        match start(name, url) {
            Ok(child) => return Some(Browser { name: name.to_owned(), child }),
            Err(error) => outcome = Some((name, error)),
        }
    }
    if let Some((name, error)) = outcome {
        log::warn!("open {url} by {name}: {}", common::error::reason(&error));
    }
    None
}

/// Starts one; `%s` in its words stands for the URL, which else comes last. No shell has a part in it.
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
    /// Waits for its end in the background, so that it leaves no process behind and a failure is told.
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

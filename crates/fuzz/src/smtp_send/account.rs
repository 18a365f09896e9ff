//! Accounts in the configuration file, and values of options that name a server or request reports.

use std::path::Path;

use smtp_send::account::file::{PathBases, read};
use smtp_send::net::address::Server;
use smtp_send::proto::dsn::{Envid, Notify};

/// An error names an existing line; each key becomes the argument of the option with its name.
pub fn account(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let places = PathBases { folder: Path::new("/etc/smtp-send"), home: Some(Path::new("/home/ann")) };
    match read(text, "default", places) {
        Ok((names, settings)) => {
            assert_eq!(settings.is_some(), names.iter().any(|name| name == "default"));
            for setting in settings.unwrap_or_default() {
                assert!((1..=text.lines().count()).contains(&setting.line), "{setting:?}");
                let Some(argument) = setting.argument else { continue };
                let argument = argument.into_string().expect("text");
                let rest = argument.strip_prefix(&format!("--{}", setting.key)).expect("the option of its key");
                assert!(rest.is_empty() || rest.starts_with('='), "{argument}");
            }
        }
        Err(error) => {
            assert!((1..=text.lines().count().max(1) + 1).contains(&error.line), "{error:?}");
            assert!(!error.what.is_empty() && !error.what.contains('\n'), "{error:?}");
        }
    }
}

/// A parsed server is a host name or an address; values of DSN parameters fit into a command.
pub fn server_address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(Server { host, port }) = Server::parse(&text) {
        assert!(!host.is_empty() && port != Some(0));
        assert!(!host.chars().any(|one| one.is_control() || one.is_whitespace()), "{host:?}");
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let again = if host.contains(':') { format!("[{host}]{port}") } else { format!("{host}{port}") };
        assert_eq!(Server::parse(&again).map(|server| server.host), Ok(host));
    }
    if let Some(envelope) = Envid::parse(&text) {
        let written = envelope.to_string();
        assert!(written.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'='), "{written}");
    }
    if let Some(notify) = Notify::parse(&text) {
        assert_eq!(Notify::parse(&notify.to_string()), Some(notify));
    }
}

//! Reads passwords: from an htpasswd file, the environment, or the terminal. Never from an argument.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use common::{Error, Kind, SafeText};
use zeroize::Zeroizing;

use super::htpasswd::Users;
use super::reexec::{DESCRIPTOR, password_from_pipe};
use crate::proto::credentials::MAX_CREDENTIALS;

/// The environment variable with the password of `--auth`.
pub const VARIABLE: &str = "HTTPD_PASSWORD";
/// Largest htpasswd file: some hundred thousand users. The limit protects memory from endless files such as devices.
const MAX_FILE: u64 = 32 << 20;

/// Reads an htpasswd file.
pub(crate) fn users(path: &Path) -> Result<Users, Error> {
    let fail = |error: io::Error| Error::io("open password file", path.display(), error).with_kind(Kind::Config);
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text)).map_err(fail)?;
    if text.len() as u64 > MAX_FILE {
        return Err(Error::new(Kind::Config, "password file", path.display(), "is larger than 32 MiB"));
    }
    Users::parse(&text).map_err(|error| Error::new(Kind::Config, "password file", path.display(), error))
}

/// The password of the single user: from the environment, else from a prompt.
pub(crate) fn password(user: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let user = SafeText(user.as_bytes());
    let fail = |why: &'static str| Error::new(Kind::Config, "password of", user, why);
    let from_pipe =
        password_from_pipe().map_err(|error| Error::io("read", DESCRIPTOR, error).with_kind(Kind::Config))?;
    let in_environment = || std::env::var_os(VARIABLE).map(|text| Zeroizing::new(text.into_vec()));
    let password = match from_pipe.or_else(in_environment) {
        Some(password) => password,
        None if io::stdin().is_terminal() => {
            let typed = rpassword::prompt_password(format!("password of {user}: "))
                .map_err(|error| Error::io("ask for the password of", user, error).with_kind(Kind::Config))?;
            Zeroizing::new(typed.into_bytes())
        }
        None => return Err(fail("is missing; set HTTPD_PASSWORD or start httpd on a terminal")),
    };
    if password.is_empty() {
        return Err(fail("is empty"));
    }
    if password.iter().any(u8::is_ascii_control) {
        return Err(fail("contains a control character, which no client can send"));
    }
    if password.len() > MAX_CREDENTIALS / 2 {
        return Err(fail("is longer than 512 bytes"));
    }
    Ok(password)
}

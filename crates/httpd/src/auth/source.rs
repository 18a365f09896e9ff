//! Where passwords come from: an htpasswd file, the environment, or the terminal. Never an argument.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use common::{Failure, Kind, SafeText};
use zeroize::Zeroizing;

use super::htpasswd::Users;
use super::reexec::{DESCRIPTOR, hidden};
use crate::proto::credentials::MAX_CREDENTIALS;

/// The variable of the environment that holds the password of `--auth`.
pub const VARIABLE: &str = "HTTPD_PASSWORD";
/// The largest file: some hundred thousand users. A file without end, such as a device, must not fill the memory.
const MAX_FILE: u64 = 32 << 20;

/// Reads an htpasswd file.
pub(crate) fn users(path: &Path) -> Result<Users, Failure> {
    let fail = |error: io::Error| Failure::io("open password file", path.display(), error).with_kind(Kind::Config);
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text)).map_err(fail)?;
    if text.len() as u64 > MAX_FILE {
        return Err(Failure::new(Kind::Config, "password file", path.display(), "is larger than 32 MiB"));
    }
    Users::parse(&text).map_err(|mistake| Failure::new(Kind::Config, "password file", path.display(), mistake))
}

/// The password of the one user of `--auth`: from the environment, else from whoever sits at the terminal.
pub(crate) fn password(user: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let user = SafeText(user.as_bytes());
    let fail = |why: &'static str| Failure::new(Kind::Config, "password of", user, why);
    let hidden = hidden().map_err(|error| Failure::io("read", DESCRIPTOR, error).with_kind(Kind::Config))?;
    let shown = || std::env::var_os(VARIABLE).map(|text| Zeroizing::new(text.into_vec()));
    let password = match hidden.or_else(shown) {
        Some(password) => password,
        None if io::stdin().is_terminal() => {
            let typed = rpassword::prompt_password(format!("password of {user}: "))
                .map_err(|error| Failure::io("ask for the password of", user, error).with_kind(Kind::Config))?;
            Zeroizing::new(typed.into_bytes())
        }
        None => return Err(fail("there is none: set HTTPD_PASSWORD, or start it at a terminal")),
    };
    if password.is_empty() {
        return Err(fail("it is empty"));
    }
    if password.iter().any(u8::is_ascii_control) {
        return Err(fail("it holds a control character, which no client can send"));
    }
    if password.len() > MAX_CREDENTIALS / 2 {
        return Err(fail("it is longer than 512 bytes"));
    }
    Ok(password)
}

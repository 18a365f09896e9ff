//! Options of the login.

use common::Error;

use super::usage;
use crate::auth::Login;
use crate::cli::Cli;

/// Who can log in; `None` without a login.
pub(super) fn login(cli: &Cli) -> Result<Option<Login>, Error> {
    if let Some(path) = &cli.auth_file {
        return Ok(Some(Login::File(path.clone())));
    }
    let Some(user) = &cli.auth else { return Ok(None) };
    match user.split_once(':') {
        // The message does not repeat the password.
        Some((user, _)) => {
            Err(usage("--auth", user, "takes no password; set HTTPD_PASSWORD or enter it at the prompt"))
        }
        None if user.is_empty() => Err(usage("--auth", "\"\"", "is not the name of a user")),
        None if user.chars().any(char::is_control) => Err(usage("--auth", user, "contains a control character")),
        None => Ok(Some(Login::SingleUser(user.clone()))),
    }
}

//! The options of the login.

use anyhow::{Result, ensure};
use common::{Error, random};
use zeroize::Zeroizing;

use super::usage;
use crate::cli::{Auth, LoginArgs};
use crate::proto::auth::{Login, Mechanism};
use crate::secret::{Fallback, Secret, SecretSource};

/// Random bytes of a nonce; it has twice as many hexadecimal digits.
const NONCE: usize = 18;

/// User, secret and mechanism of a login.
#[derive(Debug)]
pub struct Credentials {
    user: String,
    secret: Secret,
    is_token: bool,
    mechanism: Option<Mechanism>,
    in_clear: bool,
}

impl Credentials {
    /// Checks the options and reads the secret, possibly by a prompt; `None` without a login.
    pub(super) fn new(args: &LoginArgs, host: &str) -> Result<Option<Self>> {
        let mechanism = args.auth.map(mechanism);
        let external = mechanism == Some(Mechanism::External);
        let secret_given =
            args.password_file.is_some() || args.password_fd.is_some() || args.password_command.is_some();
        let Some(user) = args.user.clone().or_else(|| external.then(String::new)) else {
            ensure!(!secret_given && args.token_command.is_none(), usage("--password-...", "requires --user NAME"));
            ensure!(mechanism.is_none(), usage("--auth", "requires --user NAME"));
            ensure!(!args.allow_cleartext_login, usage("--allow-cleartext-login", "requires --user NAME"));
            return Ok(None);
        };
        ensure!(!user.contains(char::is_control), Error::bad_data("--user", "a control character in the name"));
        let is_token = args.token_command.is_some() || mechanism.is_some_and(Mechanism::takes_token);
        ensure!(
            args.token_command.is_none() || mechanism.is_none_or(Mechanism::takes_token),
            usage("--token-command", "requires --auth xoauth2 or oauthbearer")
        );
        let secret = if external { Secret::from("") } else { secret(args, &user, host)? };
        Ok(Some(Self { user, secret, is_token, mechanism, in_clear: args.allow_cleartext_login }))
    }

    /// The login of one session.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn begin(&self) -> Result<Login, Error> {
        Ok(Login {
            user: self.user.clone(),
            secret: Zeroizing::new(self.secret.expose().to_owned()),
            is_token: self.is_token,
            mechanism: self.mechanism,
            in_clear: self.in_clear,
            binding: None,
            nonce: random::hex::<NONCE>()?,
        })
    }
}

/// Reads the secret from the source that an option names, else from the environment, ~/.netrc or a prompt.
fn secret(args: &LoginArgs, user: &str, host: &str) -> Result<Secret, Error> {
    if let Some(path) = &args.password_file {
        return SecretSource::File(path).read("--password-file");
    }
    if let Some(number) = args.password_fd {
        return SecretSource::Descriptor(number).read("--password-fd");
    }
    if let Some(command) = &args.password_command {
        return SecretSource::Command(command).read("--password-command");
    }
    if let Some(command) = &args.token_command {
        return SecretSource::Command(command).read("--token-command");
    }
    let is_token = matches!(args.auth, Some(Auth::Xoauth2 | Auth::Oauthbearer));
    Fallback::login(is_token).obtain(user, host, &format!("{user} at {host}"))
}

fn mechanism(typed: Auth) -> Mechanism {
    match typed {
        Auth::Plain => Mechanism::Plain,
        Auth::Login => Mechanism::Login,
        Auth::CramMd5 => Mechanism::CramMd5,
        Auth::ScramSha256 => Mechanism::ScramSha256,
        Auth::ScramSha256Plus => Mechanism::ScramSha256Plus,
        Auth::Xoauth2 => Mechanism::Xoauth2,
        Auth::Oauthbearer => Mechanism::OauthBearer,
        Auth::External => Mechanism::External,
    }
}

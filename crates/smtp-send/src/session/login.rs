//! The login of a session (RFC 4954).
//!
//! One attempt with one mechanism: a weaker one after a refusal would permit a downgrade attack.

use super::{Action, SentSecrets, Session, SessionError, State, StopAfter};
use crate::proto::auth::{self, AuthError, Exchange, Wiped};
use crate::proto::command::Command;
use crate::proto::reply::Reply;

/// Maximum number of characters of error details for a refused token.
const MAX_DETAIL: usize = 200;

impl Session {
    pub(super) fn log_in(&mut self) -> Action {
        let Some(login) = self.settings.login.clone() else { return self.ask() };
        let mechanism = match auth::choose(&login, self.offered.auth.as_deref(), self.tls) {
            Ok(mechanism) => mechanism,
            Err(error) => {
                self.error = Some(SessionError::Login(error));
                return self.quit();
            }
        };
        let mut exchange = Exchange::new(mechanism, login, self.offered.auth.as_deref().unwrap_or_default());
        let mut bytes = Wiped::new(Command::Auth(mechanism).to_string().into_bytes());
        if let Some(initial) = exchange.initial() {
            bytes.push(b' ');
            bytes.extend_from_slice(&initial);
        }
        self.exchange = Some(exchange);
        self.say_secret(bytes)
    }

    pub(super) fn auth_answered(&mut self, reply: Reply) -> Action {
        let Some(mut exchange) = self.exchange.take() else { return self.out_of_step(reply) };
        if reply.code() == 334 {
            let challenge = reply.text();
            return match exchange.respond(&challenge) {
                Ok(response) => {
                    if exchange.mechanism().takes_token() {
                        self.login_detail =
                            auth::readable(&challenge, MAX_DETAIL).map(|detail| self.without_secret(&detail));
                    }
                    self.exchange = Some(exchange);
                    self.say_secret(response)
                }
                Err(error) => self.give_up(error),
            };
        }
        if reply.is_positive() {
            if let Err(error) = exchange.finish() {
                self.error = Some(SessionError::Login(error));
                return self.quit();
            }
            self.logged_in = true;
            return match self.settings.stop_after {
                Some(StopAfter::Auth) => self.quit(),
                _ => self.ask(),
            };
        }
        if reply.is_intermediate() {
            return self.out_of_step(reply);
        }
        let user = self.settings.login.as_ref().map(|login| login.user.clone()).unwrap_or_default();
        let (mechanism, detail) = (exchange.mechanism(), self.login_detail.take());
        self.error = Some(SessionError::LoginRefused { user, mechanism, reply, detail });
        self.quit()
    }

    /// A text of the server with the secret of the login masked.
    fn without_secret(&self, text: &str) -> String {
        let mut secrets = SentSecrets::default();
        if let Some(login) = &self.settings.login {
            secrets.add(login.secret.as_bytes());
        }
        String::from_utf8_lossy(&secrets.mask_bytes(text.as_bytes())).into_owned()
    }

    /// Cancels the exchange with `*` (RFC 4954, section 4).
    fn give_up(&mut self, error: AuthError) -> Action {
        self.error = Some(SessionError::Login(error));
        self.state = State::AuthCancel;
        Action::Send(b"*\r\n".to_vec(), State::AuthCancel)
    }

    fn say_secret(&mut self, mut line: Wiped) -> Action {
        line.extend_from_slice(b"\r\n");
        self.state = State::Auth;
        Action::SendSecret(line, State::Auth)
    }
}

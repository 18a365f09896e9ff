//! The netrc file of ftp(1), with the syntax of curl and Python: `machine NAME` or `default` begins an entry of
//! `login`, `password` and `account`; `macdef` is a macro up to a blank line, `#` a comment. Words may be quoted,
//! with a backslash before quotes and backslashes.
//!
//! Pure. Errors name the line, never its words: one may be a password.

use zeroize::Zeroizing;

/// The entry to find.
#[derive(Debug, Clone, Copy)]
pub struct NetrcSearch<'a> {
    /// The host of the login.
    pub machine: &'a str,
    /// The user name.
    pub login: &'a str,
}

/// A syntax error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetrcError {
    /// A quoted word without its end.
    #[error("a quote that is not closed")]
    Quote,
    /// A word that is not a keyword.
    #[error("expected machine, default, login, password, account or macdef; quote words with spaces")]
    Keyword,
    /// The file ends before a value.
    #[error("the file ends where a value is missing")]
    Value,
}

/// The password of the first entry for this machine, or the default entry, that has this login or none.
///
/// # Errors
/// The number of the line, from 1, and the error in it.
pub fn password(text: &str, search: &NetrcSearch<'_>) -> Result<Option<Zeroizing<String>>, (usize, NetrcError)> {
    let mut words = Tokens { rest: text, line: 1 };
    let mut entry = NetrcEntry::default();
    while let Some(word) = words.keyword()? {
        match word.as_str() {
            "machine" | "default" => {
                if entry.fits(search) {
                    break;
                }
                let anywhere = *word == "default";
                let here = anywhere || words.value()?.eq_ignore_ascii_case(search.machine);
                entry = NetrcEntry { here, ..NetrcEntry::default() };
            }
            "login" => entry.login = Some(words.value()?),
            "password" => entry.password = Some(words.value()?),
            "account" => drop(words.value()?),
            "macdef" => words.skip_macro(),
            _ => return Err((words.line, NetrcError::Keyword)),
        }
    }
    Ok(if entry.fits(search) { entry.password } else { None })
}

#[derive(Default)]
struct NetrcEntry {
    here: bool,
    login: Option<Zeroizing<String>>,
    password: Option<Zeroizing<String>>,
}

impl NetrcEntry {
    fn fits(&self, search: &NetrcSearch<'_>) -> bool {
        let for_user = self.login.as_ref().is_none_or(|login| login.as_str() == search.login);
        self.here && for_user && self.password.is_some()
    }
}

struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl Tokens<'_> {
    /// The next keyword; comments are skipped.
    fn keyword(&mut self) -> Result<Option<Zeroizing<String>>, (usize, NetrcError)> {
        loop {
            self.skip_blanks();
            if !self.rest.starts_with('#') {
                return self.word();
            }
            self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
        }
    }

    /// The next word, used as a value.
    fn value(&mut self) -> Result<Zeroizing<String>, (usize, NetrcError)> {
        self.skip_blanks();
        self.word()?.ok_or((self.line, NetrcError::Value))
    }

    fn word(&mut self) -> Result<Option<Zeroizing<String>>, (usize, NetrcError)> {
        if let Some(rest) = self.rest.strip_prefix('"') {
            self.rest = rest;
            return self.quoted().map(Some);
        }
        let end = self.rest.find(|character: char| character.is_ascii_whitespace()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok((!word.is_empty()).then(|| Zeroizing::new(word.to_owned())))
    }

    /// The rest of a quoted word; it ends on its line.
    fn quoted(&mut self) -> Result<Zeroizing<String>, (usize, NetrcError)> {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let mut word = Zeroizing::new(String::with_capacity(line.len()));
        let mut characters = line.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(word);
                }
                '\\' => word.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => word.push(character),
            }
        }
        Err((self.line, NetrcError::Quote))
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest.trim_start_matches(|character: char| character.is_ascii_whitespace());
        let blanks = &self.rest[..self.rest.len() - rest.len()];
        self.line += blanks.matches('\n').count();
        self.rest = rest;
    }

    /// A macro ends at the first blank line.
    fn skip_macro(&mut self) {
        while let Some((line, rest)) = self.rest.split_once('\n') {
            self.rest = rest;
            self.line += 1;
            if line.trim_end_matches('\r').is_empty() {
                return;
            }
        }
        self.rest = "";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<Option<String>, (usize, NetrcError)> {
        let search = NetrcSearch { machine: "mail.example.com", login: "bob" };
        password(text, &search).map(|found| found.map(|password| password.to_string()))
    }

    #[test]
    fn the_entry_of_machine_and_login_is_found_among_others() {
        let text = "machine other login bob password no\nmachine MAIL.example.com\n\tlogin ann password no\n\
                    machine mail.example.com login bob account x password yes machine z";
        assert_eq!(found(text), Ok(Some("yes".into())));
    }

    #[test]
    fn an_entry_without_login_is_for_every_user_and_default_for_every_machine() {
        assert_eq!(found("machine mail.example.com password yes"), Ok(Some("yes".into())));
        assert_eq!(found("machine x password no default login bob password yes"), Ok(Some("yes".into())));
        assert_eq!(found("default login ann password no"), Ok(None));
        assert_eq!(found("login bob password stray"), Ok(None));
        assert_eq!(found("machine mail.example.com login bob"), Ok(None));
        assert_eq!(found(""), Ok(None));
    }

    #[test]
    fn words_can_be_quoted_and_hash_signs_start_comments_only_between_entries() {
        assert_eq!(found("default password \"a \\\"b\\\" \\\\c\""), Ok(Some("a \"b\" \\c".into())));
        assert_eq!(found("# machine x\n default # all\n password #1"), Ok(Some("#1".into())));
        assert_eq!(found("default password \"\""), Ok(Some(String::new())));
    }

    #[test]
    fn a_macro_ends_with_a_blank_line() {
        let text = "macdef init\ncd /x\npassword no\n\nmachine mail.example.com password yes\n";
        assert_eq!(found(text), Ok(Some("yes".into())));
        assert_eq!(found("macdef init\nmachine mail.example.com password no"), Ok(None));
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(found("machine a\nlogin b\npassword my secret"), Err((3, NetrcError::Keyword)));
        assert_eq!(found("\n\nmachine"), Err((3, NetrcError::Value)));
        assert_eq!(found("machine x\npassword \"a\nb\""), Err((2, NetrcError::Quote)));
        assert_eq!(found("machine x password \"a\"b"), Err((1, NetrcError::Keyword)));
    }
}

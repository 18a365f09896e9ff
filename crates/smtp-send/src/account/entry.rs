//! Appends a table `[account.NAME]` to the text of a configuration file.
//!
//! Pure. The existing text stays as it is, and the result is parsed again.

use std::fmt::Write as _;

use super::file::{self, PathBases};

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// Its name.
    pub name: String,
    /// Its keys and values, in this order.
    pub keys: Vec<(&'static str, String)>,
}

/// `text` with the account behind it.
///
/// # Errors
/// `text` cannot be parsed or has an account of this name; or a value cannot be written.
pub fn append(text: &str, entry: &AccountEntry, places: PathBases<'_>) -> Result<String, String> {
    let line = |error: file::AccountFileError| format!("line {}: {}", error.line, error.what);
    let (names, _) = file::read(text, "", places).map_err(line)?;
    if names.contains(&entry.name) {
        return Err(format!("the account {} exists already; choose another name with --name", entry.name));
    }
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let mut whole = format!("{text}{gap}[account.{}]\n", key(&entry.name));
    for (name, value) in &entry.keys {
        // Writing into a String cannot fail.
        let _ = writeln!(whole, "{name} = {}", quoted(value));
    }
    let (_, found) = file::read(&whole, &entry.name, places).map_err(line)?;
    if found.is_some() { Ok(whole) } else { Err("the account cannot be written".into()) }
}

/// A key, in quotes if TOML requires them.
fn key(name: &str) -> String {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if plain { name.to_owned() } else { quoted(name) }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn places() -> PathBases<'static> {
        PathBases { folder: Path::new("/etc/smtp-send"), home: None }
    }

    fn entry(name: &str, from: &str) -> AccountEntry {
        AccountEntry { name: name.into(), keys: vec![("server", "mail.example.com:465".into()), ("from", from.into())] }
    }

    #[test]
    fn an_account_is_put_behind_what_is_there() {
        let old = "# mine\n[account.default] # the first\nserver = 'x'";
        let new = append(old, &entry("work", "Ann <ann@example.org>"), places()).unwrap();
        let expected = "\n\n[account.work]\nserver = \"mail.example.com:465\"\nfrom = \"Ann <ann@example.org>\"\n";
        assert_eq!(new.strip_prefix(old), Some(expected));
        assert_eq!(append("", &entry("default", "a@b"), places()).unwrap().lines().next(), Some("[account.default]"));
    }

    #[test]
    fn every_text_is_read_again_as_it_was() {
        for text in ["a \"b\" \\ c", "tab\there", "é ü", "[x]\n= y", "\u{7f}"] {
            let whole = append("", &entry("example.org", text), places()).unwrap();
            let settings = file::read(&whole, "example.org", places()).unwrap().1.unwrap();
            assert_eq!(
                settings.iter().find(|one| one.key == "from").map(|one| one.value.as_str()),
                Some(text),
                "{whole}"
            );
        }
    }

    #[test]
    fn nothing_is_put_behind_a_mistake_or_a_second_time() {
        assert!(append("[account.work]\n", &entry("work", "x"), places()).unwrap_err().contains("--name"));
        assert!(append("[account\n", &entry("work", "x"), places()).unwrap_err().starts_with("line "));
    }
}

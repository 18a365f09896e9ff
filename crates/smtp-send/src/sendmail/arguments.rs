//! Parses the command line of sendmail(8) as Postfix and Sendmail do: values glued or separate, combined letters,
//! options before and behind the addresses, up to `--`.
//!
//! Pure. Options without a meaning here are ignored; those that request another program (`-bp`, `-bd`, `-q` ...) are
//! refused.

use std::collections::VecDeque;

use crate::proto::dsn::{Envid, Notify};

/// Ignored options without a value.
const IGNORED: &str = "cGmnsUux";
/// Ignored options with a value: `-A` is a file of Sendmail, `-o` and `-O` its options, `-e` its error mode, `-L` a
/// log tag, `-X` a traffic log, `-h` and `-p` describe how the message arrived.
const IGNORED_WITH_VALUE: &str = "AeLOohpX";

/// The arguments of sendmail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a letter that can be typed")]
pub struct Arguments {
    /// The recipients; each may be a list.
    pub recipients: Vec<String>,
    /// `-t`: also the recipients in the header.
    pub from_header: bool,
    /// `-bs`: SMTP on standard input.
    pub smtp: bool,
    /// `-i` or `-oi`: a line with a single dot does not end the input.
    pub dots_are_text: bool,
    /// `-f` or `-r`: where bounces go; empty or `<>` for nowhere.
    pub sender: Option<String>,
    /// `-F`: the name of the sender, for a message without From.
    pub name: Option<String>,
    /// `-N`: when to report on the delivery.
    pub notify: Option<String>,
    /// `-R`: the content of a report.
    pub ret: Option<String>,
    /// `-V`: the identifier of the message in reports.
    pub envelope_id: Option<String>,
    /// `-v`: log the dialogue.
    pub verbose: bool,
    /// `--account` of smtp-send.
    pub account: Option<String>,
    /// `--queue` of smtp-send.
    pub queue: bool,
    /// `--help`.
    pub help: bool,
}

/// Why the arguments cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// An unknown option.
    #[error("{0}: not an option of sendmail")]
    Unknown(String),
    /// An option without its value.
    #[error("{0}: a value is missing")]
    Value(String),
    /// An invalid value.
    #[error("{0} {1}: {2}")]
    Wrong(&'static str, String, &'static str),
    /// An option that requests another program.
    #[error("{0}: {1}")]
    Refused(String, &'static str),
    /// No recipient.
    #[error("no recipient: give an address, or -t for those in the header")]
    NoRecipient,
}

impl Arguments {
    /// Parses the arguments behind the program name.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, ArgumentError> {
        let mut waiting: VecDeque<String> = arguments.into_iter().collect();
        let mut found = Self::default();
        while let Some(argument) = waiting.pop_front() {
            if argument == "--" {
                found.recipients.extend(waiting.drain(..));
            } else if let Some(word) = argument.strip_prefix("--") {
                found.long(word, &mut waiting)?;
            } else if let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                found.bunch(letters, &mut waiting)?;
            } else {
                found.recipients.push(argument);
            }
        }
        if found.smtp && (found.from_header || !found.recipients.is_empty()) {
            let why = "with -bs recipients are given by RCPT";
            return Err(ArgumentError::Refused("-bs".into(), why));
        }
        if found.recipients.is_empty() && !found.from_header && !found.help && !found.smtp {
            return Err(ArgumentError::NoRecipient);
        }
        Ok(found)
    }

    fn long(&mut self, word: &str, waiting: &mut VecDeque<String>) -> Result<(), ArgumentError> {
        match word.split_once('=').unwrap_or((word, "")) {
            ("help", "") => self.help = true,
            ("queue", "") => self.queue = true,
            ("account", "") => self.account = Some(next("--account", waiting)?),
            ("account", name) => self.account = Some(name.to_owned()),
            _ => return Err(ArgumentError::Unknown(format!("--{word}"))),
        }
        Ok(())
    }

    /// Parses combined letters; the first one that takes a value takes the rest.
    fn bunch(&mut self, letters: &str, waiting: &mut VecDeque<String>) -> Result<(), ArgumentError> {
        for (at, letter) in letters.char_indices() {
            let glued = &letters[at + letter.len_utf8()..];
            match letter {
                't' => self.from_header = true,
                'i' => self.dots_are_text = true,
                'v' => self.verbose = true,
                _ if IGNORED.contains(letter) => {}
                'q' => {
                    let why = "there is no queue: a message is sent at once, or kept in a file that the error names";
                    return Err(ArgumentError::Refused(format!("-q{glued}"), why));
                }
                // A separate argument is never their value: it may be an address.
                'b' if glued == "s" => {
                    self.smtp = true;
                    return Ok(());
                }
                'b' => return mode(glued),
                'd' => return Ok(()),
                'I' => return mode("i"),
                _ => {
                    let option = format!("-{letter}");
                    let value = if glued.is_empty() { None } else { Some(glued.to_owned()) };
                    return self.valued(letter, || value.map_or_else(|| next(&option, waiting), Ok));
                }
            }
        }
        Ok(())
    }

    fn valued(
        &mut self,
        letter: char,
        value: impl FnOnce() -> Result<String, ArgumentError>,
    ) -> Result<(), ArgumentError> {
        match letter {
            'f' | 'r' => self.sender = Some(value()?),
            'F' => self.name = Some(value()?),
            'N' => {
                let wanted = "never, or a list of success, failure, delay";
                self.notify = Some(checked("-N", value()?, Notify::parse, wanted)?);
            }
            'V' => {
                let wanted = "1 to 100 printable ASCII characters";
                self.envelope_id = Some(checked("-V", value()?, Envid::parse, wanted)?);
            }
            'R' => {
                let known = one_of(&["full", "hdrs"]);
                self.ret = Some(checked("-R", value()?.to_ascii_lowercase(), known, "full or hdrs")?);
            }
            'B' => {
                let known = one_of(&["7bit", "8bitmime"]);
                checked("-B", value()?.to_ascii_lowercase(), known, "7BIT or 8BITMIME")?;
            }
            'C' => {
                let why =
                    "Sendmail configurations are not read; --account NAME or SMTP_SEND_ACCOUNT selects an account";
                return Err(ArgumentError::Refused(format!("-C {}", value()?), why));
            }
            'o' => self.dots_are_text |= value()? == "i",
            _ if IGNORED_WITH_VALUE.contains(letter) => drop(value()?),
            _ => return Err(ArgumentError::Unknown(format!("-{letter}"))),
        }
        Ok(())
    }
}

fn next(option: &str, waiting: &mut VecDeque<String>) -> Result<String, ArgumentError> {
    waiting.pop_front().ok_or_else(|| ArgumentError::Value(option.to_owned()))
}

/// `value`, if `parse` accepts it.
fn checked<T>(
    option: &'static str,
    value: String,
    parse: impl Fn(&str) -> Option<T>,
    wanted: &'static str,
) -> Result<String, ArgumentError> {
    if parse(&value).is_some() { Ok(value) } else { Err(ArgumentError::Wrong(option, value, wanted)) }
}

fn one_of(words: &'static [&'static str]) -> impl Fn(&str) -> Option<()> {
    move |value| words.contains(&value).then_some(())
}

/// `-bX`: the mode of the program.
fn mode(letter: &str) -> Result<(), ArgumentError> {
    let why = match letter {
        "m" | "a" => return Ok(()),
        "" => return Err(ArgumentError::Value("-b".into())),
        "p" => "use smtp-send queue list; dead letters are in the files that errors have named",
        "d" | "D" | "l" => "this program receives no mail",
        "i" => "there are no aliases",
        "v" | "t" => "addresses are checked only by sending; smtp-send --stop-after rcpt asks a server",
        _ => "not a mode of sendmail",
    };
    Err(ArgumentError::Refused(format!("-b{letter}"), why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, ArgumentError> {
        Arguments::parse(line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned))
    }

    fn good(line: &str) -> Arguments {
        parsed(line).unwrap_or_else(|mistake| panic!("{line}: {mistake}"))
    }

    #[test]
    fn the_ways_in_which_programs_call_it_are_understood() {
        let cron = good("-FCronDaemon -i -B8BITMIME -oem root");
        assert_eq!((cron.name.as_deref(), cron.dots_are_text, cron.from_header), (Some("CronDaemon"), true, false));
        assert_eq!(cron.recipients, ["root"]);
        let git = good("-f me@example.org -i bob@example.com ann@example.com");
        assert_eq!((git.sender.as_deref(), git.recipients.len()), (Some("me@example.org"), 2));
        let php = good("-t -i -fme@example.org");
        assert!(php.from_header && php.dots_are_text && php.sender.as_deref() == Some("me@example.org"));
        let mutt = good("-oem -oi -N failure,delay -R hdrs -- -odd@example.com");
        assert_eq!((mutt.notify.as_deref(), mutt.ret.as_deref()), (Some("failure,delay"), Some("hdrs")));
        assert_eq!(mutt.recipients, ["-odd@example.com"]);
        let nail = good("-i -r me@example.org -- bob@example.com");
        assert_eq!(nail.sender.as_deref(), Some("me@example.org"));
    }

    #[test]
    fn letters_can_stand_in_bunches_and_behind_addresses() {
        let bunch = good("-tiv");
        assert!(bunch.from_header && bunch.dots_are_text && bunch.verbose);
        assert_eq!(good("bob@x -tf me@x").sender.as_deref(), Some("me@x"));
        assert_eq!(good("-ifme@x bob").sender.as_deref(), Some("me@x"));
        assert_eq!(Arguments::parse(["-f", "", "bob"].map(str::to_owned)).unwrap().sender.as_deref(), Some(""));
        assert_eq!(good("- bob").recipients, ["-", "bob"]);
    }

    #[test]
    fn what_means_nothing_here_is_passed_over() {
        let line =
            "-bm -om -oem -odb -oQ/x -O DeliveryMode=b -Ac -Am -L tag -X /log -U -G -m -n -e p -h 1 -pESMTP:x -d bob";
        assert_eq!(good(line), Arguments { recipients: vec!["bob".into()], ..Arguments::default() });
        assert!(good("-oi bob").dots_are_text && !good("-om bob").dots_are_text);
    }

    #[test]
    fn an_account_can_be_named() {
        assert_eq!(good("--account work bob").account.as_deref(), Some("work"));
        assert_eq!(good("--account=work -t").account.as_deref(), Some("work"));
    }

    #[test]
    fn what_asks_for_another_program_is_refused_with_words() {
        for line in
            ["-bp", "-bs bob", "-bs -t", "-bd", "-bi", "-I", "-bv bob", "-q", "-q30m", "-bz", "-C /etc/sendmail.cf -t"]
        {
            assert!(matches!(parsed(line), Err(ArgumentError::Refused(..))), "{line}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parsed("-t -f"), Err(ArgumentError::Value("-f".into())));
        assert_eq!(parsed("-t -b"), Err(ArgumentError::Value("-b".into())));
        assert_eq!(parsed("-Z bob"), Err(ArgumentError::Unknown("-Z".into())));
        assert_eq!(parsed("-tZ"), Err(ArgumentError::Unknown("-Z".into())));
        assert_eq!(parsed("-ü bob"), Err(ArgumentError::Unknown("-ü".into())));
        assert_eq!(parsed("--to bob"), Err(ArgumentError::Unknown("--to".into())));
        assert_eq!(parsed("-R some bob"), Err(ArgumentError::Wrong("-R", "some".into(), "full or hdrs")));
        assert_eq!(parsed("-B x bob"), Err(ArgumentError::Wrong("-B", "x".into(), "7BIT or 8BITMIME")));
        assert!(matches!(parsed("-N sometimes bob"), Err(ArgumentError::Wrong("-N", ..))));
        assert!(matches!(parsed("-V ü bob"), Err(ArgumentError::Wrong("-V", ..))));
        assert_eq!(parsed(""), Err(ArgumentError::NoRecipient));
        assert_eq!(parsed("-i"), Err(ArgumentError::NoRecipient));
    }
}

//! Man pages and shell completions, made from the definitions of `--help`.
//!
//! The results are kept in `crates/PROGRAM/dist`: the tests compare them, `UPDATE_GOLDEN=1 cargo test -p PROGRAM dist` writes
//! them. The text of a page is `PROGRAM.SECTION.in`: man(7) with placeholders such as `@OPTIONS@` on separate lines.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;

use crate::golden;

/// A help text written by hand, for a command line that clap does not parse.
pub struct HelpText {
    rows: Vec<(String, String)>,
    usages: Vec<String>,
    paragraphs: Vec<String>,
}

/// Compares `crates/PROGRAM/dist/PROGRAM.SECTION` with its `.in` file, filled in from `command`. `more` are further placeholders
/// with their text.
///
/// # Panics
/// When the two differ, or a placeholder is missing.
pub fn compare_man_page(command: &Command, section: u8, more: &[(&str, String)]) {
    let name = command.get_name();
    let file = format!("{name}.{section}");
    let template_path = folder(name).join(format!("{file}.in"));
    let template =
        std::fs::read_to_string(&template_path).unwrap_or_else(|error| panic!("{}: {error}", template_path.display()));
    let mut command = command.clone();
    command.build();
    let mut page = format!(
        ".\\\" Made from {file}.in and the definitions of --help: UPDATE_GOLDEN=1 cargo test -p {name} dist\n{template}"
    );
    let version = command.get_version().and_then(|version| version.split(' ').next()).expect("a version");
    page = page.replace("@VERSION@", version);
    for (placeholder, text) in [("@SYNOPSIS@", synopsis(&mut command)), ("@OPTIONS@", options(&command))]
        .into_iter()
        .chain(more.iter().map(|(placeholder, text)| (*placeholder, text.clone())))
    {
        assert!(page.contains(&format!("\n{placeholder}\n")), "{} has no line {placeholder}", template_path.display());
        page = page.replace(&format!("{placeholder}\n"), &text);
    }
    golden::compare_file(&folder(name).join(&file), &page);
}

/// Compares the completions for bash, zsh and fish in `crates/PROGRAM/dist`.
///
/// # Panics
/// When one differs.
pub fn compare_completions(command: &Command) {
    let name = command.get_name();
    for (shell, file) in
        [(Shell::Bash, format!("{name}.bash")), (Shell::Zsh, format!("_{name}")), (Shell::Fish, format!("{name}.fish"))]
    {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), name, &mut script);
        let script = String::from_utf8(script).expect("scripts are UTF-8");
        golden::compare_file(&folder(name).join(file), &corrected(&script, command));
    }
}

/// Corrects two mistakes of `clap_complete` in programs with subcommands.
///
/// fish: the function that looks for the subcommand fails while the value of an option is missing, so no value is offered.
/// bash: a program name with a hyphen is spelled in two ways, so nothing is offered after a subcommand.
fn corrected(script: &str, command: &Command) -> String {
    let name = command.get_name();
    let fish = format!("__fish_{}_", name.replace('-', "_"));
    let subcommands: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
    script
        .replace(
            &format!("\"{fish}needs_command\""),
            &format!("\"not __fish_seen_subcommand_from {}\"", subcommands.join(" ")),
        )
        .replace(&format!("\"{fish}using_subcommand "), "\"__fish_seen_subcommand_from ")
        .replace(
            &format!("{}__subcmd__", name.replace('-', "__subcmd__")),
            &format!("{}__subcmd__", name.replace('-', "__")),
        )
}

fn folder(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates").join(program).join("dist")
}

/// The usage lines, with the name of the program in bold.
fn synopsis(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    let name = command.get_name();
    let lines = usage.trim_start_matches("Usage:").lines().map(|line| {
        let rest = line.trim().strip_prefix(name).expect("a usage begins with the name");
        format!("\\fB{}\\fR{}\n", escaped(name), escaped(rest))
    });
    lines.collect::<Vec<_>>().join(".br\n")
}

/// All options in the order of `--help`, with its headings as subsections.
fn options(command: &Command) -> String {
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set());
    let mut headings = Vec::new();
    for heading in shown().map(Arg::get_help_heading) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    let mut page = String::new();
    for heading in headings {
        if let Some(heading) = heading {
            let _ = writeln!(page, ".SS \"{}\"", escaped(heading));
        }
        shown().filter(|arg| arg.get_help_heading() == heading).for_each(|arg| page.push_str(&entry(arg)));
    }
    page
}

/// The entry of one option: names, value, description, possible values.
fn entry(arg: &Arg) -> String {
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("\\fB\\-{short}\\fR")));
    names.extend(arg.get_long().map(|long| format!("\\fB\\-\\-{}\\fR", escaped(long))));
    let mut head = names.join(", ");
    let range = arg.get_num_args().unwrap_or_default();
    if range.takes_values() {
        let values = arg.get_value_names().map_or_else(|| arg.get_id().to_string(), |names| names.join(" "));
        let many = if range.max_values() > 1 { "..." } else { "" };
        let value = format!("\\fI{}\\fR{many}", escaped(&values));
        let value = match (arg.is_positional(), range.min_values() > 0) {
            (true, _) => value,
            (false, true) => format!(" {value}"),
            (false, false) => format!("[={value}]"),
        };
        head.push_str(&value);
    }
    let mut page = format!(".TP\n{head}\n{}", filled(&description(arg)));
    let values = arg.get_possible_values();
    if values.iter().any(|value| value.get_help().is_some()) {
        page.push_str(".RS\n");
        for value in values.iter().filter(|value| !value.is_hide_set()) {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = write!(page, ".TP\n.B {}\n{}", escaped(value.get_name()), filled(&help));
        }
        page.push_str(".RE\n");
    }
    page
}

/// The description of an option, with its default and its possible values.
fn description(arg: &Arg) -> String {
    let help = match arg.get_id().as_str() {
        "help" => "Print help.".to_owned(), // without the mention of -h by clap
        _ => arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default(),
    };
    let mut text = if help.ends_with(['.', ']']) { help } else { help + "." };
    let takes_values = arg.get_num_args().is_some_and(|range| range.takes_values());
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_values && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        let _ = write!(text, " [default: {}]", defaults.join(", "));
    }
    let values = arg.get_possible_values();
    if takes_values && !values.is_empty() && values.iter().all(|value| value.get_help().is_none()) {
        let names: Vec<_> = values.iter().map(PossibleValue::get_name).collect();
        let _ = write!(text, " One of {}.", names.join(", "));
    }
    text
}

impl HelpText {
    /// Parses usage lines after `Usage:`, options as rows that begin with two spaces and a dash, and paragraphs.
    pub fn parse(help: &str) -> Self {
        let mut parsed = Self { rows: Vec::new(), usages: Vec::new(), paragraphs: Vec::new() };
        for block in help.split("\n\n") {
            if let Some(usages) = block.strip_prefix("Usage:") {
                parsed.usages.extend(usages.lines().map(|line| line.trim().to_owned()));
            } else if block.starts_with("  -") {
                block.lines().for_each(|line| parsed.row(line));
            } else {
                parsed.paragraphs.push(block.trim_end().to_owned());
            }
        }
        parsed
    }

    fn row(&mut self, line: &str) {
        if let Some(row) = line.strip_prefix("  -") {
            let (option, text) = row.split_once("  ").expect("an option and its description");
            self.rows.push((format!("-{option}"), text.trim().to_owned()));
        } else {
            let (_, text) = self.rows.last_mut().expect("a continuation of a row");
            text.push(' ');
            text.push_str(line.trim());
        }
    }

    /// The help text as part of a man page.
    ///
    /// # Panics
    /// When the help text has no paragraph.
    pub fn page(&self) -> String {
        let mut page = String::new();
        for usage in &self.usages {
            let _ = writeln!(page, "{}\n.br", escaped(usage));
        }
        let (first, others) = self.paragraphs.split_first().expect("a paragraph that describes the program");
        let _ = write!(page, ".PP\n{}", filled(first));
        for (option, text) in &self.rows {
            let _ = write!(page, ".TP\n\\fB{}\\fR\n{}", escaped(option), filled(text));
        }
        for paragraph in others {
            let _ = write!(page, ".PP\n{}", filled(paragraph));
        }
        page
    }

    /// The options as clap arguments, for completions.
    pub fn arguments(&self) -> Vec<Arg> {
        self.rows.iter().flat_map(|(option, text)| arguments_of(option, text)).collect()
    }
}

/// The arguments of a row such as `-f, -r ADDRESS`, without those like `-oi`, which clap cannot express.
fn arguments_of(option: &str, text: &str) -> Vec<Arg> {
    // Leaked, because clap demands names of static lifetime.
    let option: &'static str = option.to_owned().leak();
    let (names, value) = match option.rsplit_once(' ') {
        Some((names, value)) if !value.starts_with('-') => (names, Some(value)),
        _ => (option, None),
    };
    let mut found = Vec::new();
    for name in names.split(", ") {
        let arg = Arg::new(name).help(text.to_owned());
        let arg = match (name.strip_prefix("--"), name.as_bytes()) {
            (Some(long), _) => arg.long(long),
            (None, [_, short]) => arg.short(char::from(*short)),
            _ => continue,
        };
        found.push(match value {
            Some(value) => arg.value_name(value),
            None => arg.action(ArgAction::SetTrue),
        });
    }
    found
}

/// Escapes backslashes and hyphens for man(7).
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Fills a paragraph to lines of at most 79 bytes and escapes lines that begin like a man(7) request.
fn filled(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in escaped(text).split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() < 80 {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    let mut paragraph = String::new();
    for line in lines {
        if line.starts_with(['.', '\'']) {
            paragraph.push_str("\\&");
        }
        paragraph.push_str(&line);
        paragraph.push('\n');
    }
    paragraph
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Reads.\n\nUsage: a [X]\n       a -t\n\n  -t         Send to\n             all\n  \
                        -f, -r ADDRESS  Where\n\n.dot files\nand 'quotes'\n";

    #[test]
    fn a_help_text_becomes_part_of_a_man_page() {
        let page = HelpText::parse(HELP).page();
        assert_eq!(
            page,
            "a [X]\n.br\na \\-t\n.br\n.PP\nReads.\n.TP\n\\fB\\-t\\fR\nSend to all\n.TP\n\\fB\\-f, \\-r ADDRESS\\fR\nWhere\n\
             .PP\n\\&.dot files and 'quotes'\n"
        );
    }

    #[test]
    fn options_are_listed_below_their_headings_with_values_and_defaults() {
        let command = Command::new("a").disable_help_flag(true).args([
            Arg::new("file").help("A file"),
            Arg::new("port")
                .short('p')
                .long("my-port")
                .value_name("N")
                .default_value("1")
                .help("Port")
                .help_heading("Net"),
            Arg::new("mode").long("mode").value_name("M").value_parser(["x", "y"]).help("How").help_heading("Net"),
        ]);
        let mut command = command;
        command.build();
        assert_eq!(
            options(&command),
            ".TP\n\\fIfile\\fR\nA file.\n.SS \"Net\"\n.TP\n\\fB\\-p\\fR, \\fB\\-\\-my\\-port\\fR \\fIN\\fR\nPort. [default: 1]\n\
             .TP\n\\fB\\-\\-mode\\fR \\fIM\\fR\nHow. One of x, y.\n"
        );
        assert_eq!(synopsis(&mut command), "\\fBa\\fR [OPTIONS] [file]\n");
    }

    #[test]
    fn rows_become_arguments_with_and_without_a_value() {
        let arguments = HelpText::parse(HELP).arguments();
        let shorts: Vec<_> = arguments.iter().map(|arg| (arg.get_short(), arg.get_value_names().is_some())).collect();
        assert_eq!(shorts, [(Some('t'), false), (Some('f'), true), (Some('r'), true)]);
    }
}

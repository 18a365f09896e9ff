//! Man pages and shell completions, made from the same definitions as `--help`.
//!
//! What is made is committed in `crates/PROGRAM/dist`; the test of each program compares the two and
//! `UPDATE_GOLDEN=1 cargo test -p PROGRAM dist` writes the files anew. The prose of a page is `PROGRAM.SECTION.in` beside it:
//! man(7) with words between `@` on lines of their own, which stand for what is made.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::golden;

/// A table of options written by hand in a help text, for a command line that clap does not read.
pub struct HandWritten {
    rows: Vec<(String, String)>,
    usages: Vec<String>,
    paragraphs: Vec<String>,
}

/// Compares `crates/PROGRAM/dist/PROGRAM.SECTION` with the prose beside it, filled in from `command` and `more`, which are
/// further words with what they stand for.
///
/// # Panics
/// When the two differ, or a word stands for nothing.
pub fn compare_page(command: &Command, section: u8, more: &[(&str, String)]) {
    let name = command.get_name();
    let file = format!("{name}.{section}");
    let prose_path = folder(name).join(format!("{file}.in"));
    let prose =
        std::fs::read_to_string(&prose_path).unwrap_or_else(|error| panic!("{}: {error}", prose_path.display()));
    let man = Man::new(command.clone());
    let mut page = format!(
        ".\\\" Made from {file}.in and the definitions of --help: UPDATE_GOLDEN=1 cargo test -p {name} dist\n{prose}"
    );
    page = page.replace("@VERSION@", command.get_version().expect("a version"));
    for (word, text) in [("@SYNOPSIS@", synopsis(&man)), ("@OPTIONS@", options(&man))]
        .into_iter()
        .chain(more.iter().map(|(word, text)| (*word, text.clone())))
    {
        assert!(page.contains(&format!("\n{word}\n")), "{} has no line {word}", prose_path.display());
        page = page.replace(&format!("{word}\n"), &text);
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
        golden::compare_file(&folder(name).join(file), &String::from_utf8(script).expect("scripts are UTF-8"));
    }
}

fn folder(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates").join(program).join("dist")
}

fn synopsis(man: &Man) -> String {
    rendered(|out| man.render_synopsis_section(out)).replacen(".SH SYNOPSIS\n", "", 1)
}

/// The options, those of `--help` under no heading first; a heading of `--help` is a subsection.
fn options(man: &Man) -> String {
    let text = rendered(|out| man.render_options_section(out));
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.strip_prefix(".SH ") {
            Some("OPTIONS") => {}
            Some(heading) => lines.push(format!(".SS {heading}")),
            None => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

fn rendered(render: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    render(&mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("pages are UTF-8")
}

impl HandWritten {
    /// Reads a help text: lines behind `Usage:`, rows that begin with two spaces and a dash, and paragraphs.
    pub fn read(help: &str) -> Self {
        let mut read = Self { rows: Vec::new(), usages: Vec::new(), paragraphs: Vec::new() };
        for block in help.split("\n\n") {
            if let Some(usages) = block.strip_prefix("Usage:") {
                read.usages.extend(usages.lines().map(|line| line.trim().to_owned()));
            } else if block.starts_with("  -") {
                block.lines().for_each(|line| read.row(line));
            } else {
                read.paragraphs.push(block.trim_end().to_owned());
            }
        }
        read
    }

    fn row(&mut self, line: &str) {
        if let Some(row) = line.strip_prefix("  -") {
            let (option, text) = row.split_once("  ").expect("an option and what it does");
            self.rows.push((format!("-{option}"), text.trim().to_owned()));
        } else {
            let (_, text) = self.rows.last_mut().expect("a line that goes on");
            text.push(' ');
            text.push_str(line.trim());
        }
    }

    /// The same as part of a man page.
    pub fn page(&self) -> String {
        let mut page = String::new();
        for usage in &self.usages {
            page.push_str(&format!("{}\n.br\n", escaped(usage)));
        }
        let (first, others) = self.paragraphs.split_first().expect("a help text says what the program does");
        page.push_str(&format!(".PP\n{}\n", escaped(first)));
        for (option, text) in &self.rows {
            page.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", escaped(option), escaped(text)));
        }
        for paragraph in others {
            page.push_str(&format!(".PP\n{}\n", escaped(paragraph)));
        }
        page
    }

    /// The options as clap has them, for completions.
    pub fn arguments(&self) -> Vec<Arg> {
        self.rows.iter().flat_map(|(option, text)| arguments_of(option, text)).collect()
    }
}

/// What a row such as `-f, -r ADDRESS` says; words like `-oi` cannot be said to clap.
fn arguments_of(option: &str, text: &str) -> Vec<Arg> {
    // Names live as long as the program for clap, and a test program is short-lived.
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

/// Text that is shown as it is: backslashes and hyphens are themselves, no line is taken for a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines =
        text.lines().map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Reads.\n\nUsage: a [X]\n       a -t\n\n  -t         Send to\n             all\n  \
                        -f, -r ADDRESS  Where\n\n.dot files\nand 'quotes'\n";

    #[test]
    fn a_help_text_becomes_part_of_a_page() {
        let page = HandWritten::read(HELP).page();
        assert_eq!(
            page,
            "a [X]\n.br\na \\-t\n.br\n.PP\nReads.\n.TP\n\\fB\\-t\\fR\nSend to all\n.TP\n\\fB\\-f, \\-r ADDRESS\\fR\nWhere\n\
             .PP\n\\&.dot files\nand 'quotes'\n"
        );
    }

    #[test]
    fn rows_become_options_with_and_without_a_value() {
        let arguments = HandWritten::read(HELP).arguments();
        let shorts: Vec<_> = arguments.iter().map(|arg| (arg.get_short(), arg.get_value_names().is_some())).collect();
        assert_eq!(shorts, [(Some('t'), false), (Some('f'), true), (Some('r'), true)]);
    }
}

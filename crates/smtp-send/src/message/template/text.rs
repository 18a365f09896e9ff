//! Text with placeholders: `{column}` is the value of a row in that column, `{{` and `}}` are braces.
//!
//! A brace that is alone and closes nothing is text. In HTML so is everything between `<style>` or `<script>` and its end,
//! where braces mean something else.

use std::collections::BTreeSet;

/// Elements of HTML whose content is no text.
const RAW_ELEMENTS: [&str; 2] = ["style", "script"];
/// A longer name is an error: a brace was not doubled.
const MAX_NAME: usize = 200;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateText {
    pieces: Vec<TemplatePiece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePiece {
    Literal(String),
    /// The number of a column.
    Column(usize),
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateTextError {
    /// A brace that nothing closes, or no name between braces.
    #[error("'{{{0}' is no {{column}}; write '{{{{' for a brace")]
    Brace(String),
    /// A value that does not fit into one line.
    #[error("a line break or control character, and a header field has one line")]
    Control,
}

/// The columns of a table, and the names not found in it.
#[derive(Debug, Default)]
pub struct Columns {
    names: Vec<String>,
    /// Names that no column has.
    pub missing: BTreeSet<String>,
}

impl Columns {
    /// The columns with these names.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, missing: BTreeSet::new() }
    }

    /// All names in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of a column by its name: as it is written, or else in any case.
    pub fn find(&self, name: &str) -> Option<usize> {
        let exactly = self.names.iter().position(|one| one == name);
        exactly.or_else(|| self.names.iter().position(|one| one.to_lowercase() == name.to_lowercase()))
    }

    fn place(&mut self, name: &str) -> TemplatePiece {
        if let Some(number) = self.find(name) {
            return TemplatePiece::Column(number);
        }
        self.missing.insert(name.to_owned());
        TemplatePiece::Literal(String::new())
    }
}

impl TemplateText {
    /// Reads a text. Names that no column has are noted in `columns`.
    pub fn parse(text: &str, html: bool, columns: &mut Columns) -> Result<Self, TemplateTextError> {
        let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}', '<']) {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push_str(&rest[..1]);
                rest = &rest[2..];
            } else if rest.starts_with('{') {
                let name =
                    name_of(rest).ok_or_else(|| TemplateTextError::Brace(rest.chars().skip(1).take(20).collect()))?;
                pieces.push(TemplatePiece::Literal(std::mem::take(&mut literal)));
                pieces.push(columns.place(name.trim()));
                rest = &rest[name.len() + 2..];
            } else {
                let length = if html { raw_element(rest) } else { 1 };
                literal.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
        literal.push_str(rest);
        pieces.push(TemplatePiece::Literal(literal));
        pieces.retain(|piece| *piece != TemplatePiece::Literal(String::new()));
        Ok(Self { pieces })
    }

    /// Whether there is any placeholder in it.
    pub fn has_places(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, TemplatePiece::Column(_)))
    }

    /// The text with what a row has, each value as `write` writes it.
    pub fn fill(&self, row: &dyn Fn(usize) -> String, write: impl Fn(&str, &mut String)) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                TemplatePiece::Literal(text) => out.push_str(text),
                TemplatePiece::Column(number) => write(&row(*number), &mut out),
            }
        }
        out
    }

    /// The text on one line.
    pub fn line(&self, row: &dyn Fn(usize) -> String) -> Result<String, TemplateTextError> {
        let line = self.fill(row, |value, out| out.push_str(value));
        let breaks = |character: char| character.is_control() && character != '\t';
        if line.contains(breaks) { Err(TemplateTextError::Control) } else { Ok(line) }
    }
}

/// What stands between the braces at the start of `text`.
fn name_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('{')?;
    let end = rest.find(['{', '}', '\n', '\r'])?;
    let name = &rest[..end];
    (rest[end..].starts_with('}') && !name.trim().is_empty() && name.len() <= MAX_NAME).then_some(name)
}

/// The length of what stands at the start of `text` and holds no placeholders: an element as a whole, or one character.
fn raw_element(text: &str) -> usize {
    let starts = |name: &&&str| {
        let tag = text.get(1..=name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name));
        tag && text.as_bytes().get(name.len() + 1).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    let Some(name) = RAW_ELEMENTS.iter().find(starts) else { return 1 };
    let end = format!("</{name}");
    let bytes = text.as_bytes();
    let found = memchr::memchr_iter(b'<', bytes)
        .find(|at| bytes.get(*at..at + end.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(end.as_bytes())));
    found.unwrap_or(text.len())
}

/// Writes a value as HTML shows it.
pub(super) fn escape_html(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, html: bool) -> Result<String, TemplateTextError> {
        let mut columns = Columns::new(["name", "E Mail"].map(str::to_owned).to_vec());
        let text = TemplateText::parse(text, html, &mut columns)?;
        assert!(columns.missing.is_empty(), "{columns:?}");
        let row = |number: usize| ["<Jörg>", "j@x"][number].to_owned();
        Ok(text.fill(&row, |value, out| if html { escape_html(value, out) } else { out.push_str(value) }))
    }

    #[test]
    fn places_are_filled_and_doubled_braces_are_braces() {
        for (text, expected) in [
            ("Dear {name}, {e mail}", "Dear <Jörg>, j@x"),
            ("{ name }{NAME}", "<Jörg><Jörg>"),
            ("{{name}} {{{name}}} } }}", "{name} {<Jörg>} } }"),
            ("", ""),
        ] {
            assert_eq!(filled(text, false).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn in_html_values_are_escaped_and_styles_are_left_alone() {
        let text =
            "<STYLE type=x>p {color: red}</style><p title='{name}'>{name}</p><script>{}</script><styled>{{</styled>";
        let expected = "<STYLE type=x>p {color: red}</style><p title='&lt;Jörg&gt;'>&lt;Jörg&gt;</p><script>{}</script>\
                        <styled>{</styled>";
        assert_eq!(filled(text, true).unwrap(), expected);
        assert_eq!(filled("<style>{", true).unwrap(), "<style>{");
    }

    #[test]
    fn what_is_no_placeholder_is_reported() {
        for text in ["{", "{}", "a { b", "{name", "{na{me}", "{na\nme}"] {
            assert!(matches!(filled(text, false), Err(TemplateTextError::Brace(_))), "{text}");
        }
        let mut columns = Columns::new(vec!["a".into()]);
        TemplateText::parse("{b} {a} {c} {b}", false, &mut columns).unwrap();
        assert_eq!(columns.missing.into_iter().collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn no_value_brings_a_line_into_a_header() {
        let text = TemplateText::parse("Hi {a}", false, &mut Columns::new(vec!["a".into()])).unwrap();
        for value in ["x\r\nBcc: y@z", "x\ny", "\0", "\u{85}"] {
            assert_eq!(text.line(&|_| value.to_owned()), Err(TemplateTextError::Control));
        }
        assert_eq!(text.line(&|_| "a\tb".to_owned()).unwrap(), "Hi a\tb");
    }
}

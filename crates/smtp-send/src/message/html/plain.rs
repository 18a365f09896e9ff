//! A plain text for people who do not read HTML: paragraphs, lists, quotations, links, in lines of 76 characters.

use super::token::{Token, attribute, decode_entities, tag_name, tokens};

/// Longest line, as mail has it by habit.
const WIDTH: usize = 76;
/// Lists and quotations within each other are indented so often.
const MAX_INDENT: usize = 8;

/// The text of an HTML text; it ends with a line end unless it is empty.
pub(super) fn text(html: &str) -> String {
    let mut plain = Plain::default();
    let mut unseen: Option<&str> = None;
    for token in tokens(html) {
        match (token, unseen) {
            (Token::Tag(tag), Some(name)) => {
                let seen = tag_name(tag);
                // A head that is never closed ends where the body begins.
                if seen.strip_prefix('/') == Some(name) || seen == "body" {
                    unseen = None;
                }
            }
            (Token::Text(_), Some(_)) => {}
            (Token::Tag(tag), None) => {
                let name = tag_name(tag);
                unseen = ["head", "script", "style", "title", "template"].into_iter().find(|one| *one == name);
                plain.tag(&name, tag);
            }
            (Token::Text(text), None) => plain.text(&decode_entities(text)),
        }
    }
    plain.finish()
}

#[derive(Default)]
struct Plain {
    out: String,
    line: String,
    word: String,
    /// Line ends before the next line: 1, or 2 for an empty line between.
    breaks: u8,
    /// What the next line begins with.
    bullet: Option<String>,
    /// The lists around, with the number of the last item.
    lists: Vec<Option<u32>>,
    quotes: usize,
    preformatted: bool,
    link: Option<Link>,
}

struct Link {
    target: String,
    shown: String,
}

impl Plain {
    fn text(&mut self, text: &str) {
        if let Some(link) = &mut self.link {
            link.shown.push_str(text);
        }
        for character in text.chars() {
            match character {
                '\n' if self.preformatted => self.br(),
                '\t' if self.preformatted => self.word.push(character),
                '\u{a0}' => self.word.push(' '),
                _ if character.is_whitespace() && !self.preformatted => self.end_word(),
                _ if character.is_control() => {}
                _ => self.word.push(character),
            }
        }
    }

    fn tag(&mut self, name: &str, tag: &str) {
        match name {
            "br" => self.br(),
            "p" | "/p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "/h1" | "/h2" | "/h3" | "/h4" | "/h5" | "/h6"
            | "table" | "/table" | "dl" | "/dl" => self.new_block(2),
            "div" | "/div" | "tr" | "/tr" | "dt" | "dd" | "section" | "article" | "header" | "footer" | "center"
            | "/li" | "form" | "body" => self.new_block(1),
            "td" | "th" => {
                self.end_word();
                if !self.line.is_empty() {
                    self.line.push(' ');
                }
            }
            "ul" => self.open_list(None),
            "ol" => self.open_list(Some(0)),
            "/ul" | "/ol" => {
                self.new_block(1);
                self.lists.pop();
                self.new_block(if self.lists.is_empty() { 2 } else { 1 });
            }
            "li" => {
                self.new_block(1);
                self.bullet = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{number}. ")
                    }
                    _ => "- ".to_owned(),
                });
            }
            "blockquote" | "/blockquote" => {
                self.new_block(2);
                self.quotes = if name == "blockquote" { self.quotes + 1 } else { self.quotes.saturating_sub(1) };
            }
            "pre" | "/pre" => {
                self.new_block(2);
                self.preformatted = name == "pre";
            }
            "hr" => {
                self.new_block(1);
                self.word.push_str("----------");
                self.new_block(1);
            }
            "img" => self.text(&attribute(tag, "alt").unwrap_or_default()),
            "a" => {
                self.link = attribute(tag, "href").map(|target| Link { target, shown: String::new() });
            }
            "/a" => self.end_link(),
            _ => {}
        }
    }

    fn br(&mut self) {
        self.end_word();
        if self.line.is_empty() {
            self.breaks = 2;
        } else {
            self.end_line();
            self.breaks = 1;
        }
    }

    fn open_list(&mut self, number: Option<u32>) {
        self.new_block(if self.lists.is_empty() { 2 } else { 1 });
        self.lists.push(number);
    }

    /// The target of a link behind its words, unless the words are the target.
    fn end_link(&mut self) {
        let Some(link) = self.link.take() else { return };
        let target = link.target.trim();
        let useful = ["http://", "https://", "mailto:", "tel:", "ftp://"].iter().any(|start| target.starts_with(start));
        let bare = target.strip_prefix("mailto:").or(target.strip_prefix("tel:")).unwrap_or(target);
        let shown = link.shown.trim();
        let same = shown == bare || shown == target || bare.split_once("://").is_some_and(|(_, rest)| rest == shown);
        if useful && !same && !target.contains(char::is_control) {
            self.end_word();
            // A full stop that follows stays with it.
            self.word.extend(["<", bare, ">"]);
        }
    }

    fn new_block(&mut self, breaks: u8) {
        self.end_word();
        self.end_line();
        self.breaks = self.breaks.max(breaks);
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let length = self.line.chars().count() + 1 + self.word.chars().count();
        if !self.line.is_empty() && !self.preformatted && length + self.indent().len() > WIDTH {
            self.end_line();
            self.breaks = self.breaks.max(1);
        }
        if !self.line.is_empty() && !self.preformatted {
            self.line.push(' ');
        }
        self.line.push_str(&self.word);
        self.word.clear();
    }

    /// What stands in front of every line here.
    fn indent(&self) -> String {
        let lists = self.lists.len().saturating_sub(1).min(MAX_INDENT);
        format!("{}{}", "> ".repeat(self.quotes.min(MAX_INDENT)), "  ".repeat(lists))
    }

    fn end_line(&mut self) {
        if self.line.trim().is_empty() {
            self.line.clear();
            return;
        }
        let indent = self.indent();
        if !self.out.is_empty() {
            self.out.push('\n');
            if self.breaks > 1 {
                self.out.push_str("> ".repeat(self.quotes.min(MAX_INDENT)).trim_end());
                self.out.push('\n');
            }
        }
        self.breaks = 1;
        self.out.push_str(&indent);
        match self.bullet.take() {
            Some(bullet) => self.out.push_str(&bullet),
            None if !self.lists.is_empty() => self.out.push_str("  "),
            None => {}
        }
        self.out.push_str(self.line.trim_end());
        self.line.clear();
    }

    fn finish(mut self) -> String {
        self.end_word();
        self.end_line();
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_and_line_breaks() {
        let html = "<html><head><title>T</title><style>p{}</style></head><body><h1>Hello</h1>\n<p>One\n  two<br>three</p>\
                    <p>Fo<b>u</b>r &amp; five</p><script>x<y</script></body></html>";
        assert_eq!(text(html), "Hello\n\nOne two\nthree\n\nFour & five\n");
        assert_eq!(text(""), "");
        assert_eq!(text("a<br><br>b"), "a\n\nb\n");
        assert_eq!(text("<head><meta charset=x><body>text"), "text\n");
    }

    #[test]
    fn lists_have_bullets_and_numbers() {
        let html = "<p>List:</p><ul><li>one<li>two<ol><li>inner</li><li>more</ol></ul><p>end";
        assert_eq!(text(html), "List:\n\n- one\n- two\n  1. inner\n  2. more\n\nend\n");
    }

    #[test]
    fn links_show_where_they_lead() {
        let html = "<a href=\"https://example.com/x?a=1&amp;b=2\">Read</a>, or <a href='https://example.com'>example.com</a> \
                    <a href=\"mailto:a@b\">a@b</a> <a href='#top'>up</a><img src=x alt='A picture'>";
        assert_eq!(text(html), "Read <https://example.com/x?a=1&b=2>, or example.com a@b upA picture\n");
    }

    #[test]
    fn long_lines_are_wrapped_and_quotations_marked() {
        let html = format!("<blockquote><p>{}</p><p>x</p></blockquote>y", "word ".repeat(40));
        let out = text(&html);
        assert!(out.lines().all(|line| line.len() <= WIDTH), "{out}");
        assert!(out.starts_with("> word") && out.ends_with("word\n>\n> x\n\ny\n"), "{out}");
    }

    #[test]
    fn preformatted_text_keeps_its_blanks() {
        assert_eq!(text("<pre>\0a\x1b\u{85}c\r\n\tb\0</pre>\0"), "ac\n\tb\n");
        assert_eq!(text("<pre>a  b\n  c\n\nd</pre>e"), "a  b\n  c\n\nd\n\ne\n");
    }

    #[test]
    fn cells_of_a_row_share_a_line() {
        assert_eq!(text("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"), "a  b\nc\n");
    }
}

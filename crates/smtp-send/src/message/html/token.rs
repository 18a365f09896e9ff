//! The few things of HTML that have to be known: tags, attributes, entities, references to pictures.

use std::ops::Range;

/// A piece of an HTML text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Characters with their entities.
    Text(&'a str),
    /// A tag without its brackets; `</p>` is `/p`.
    Tag(&'a str),
}

/// Cuts a text into tags and what is between them; comments and declarations are left out.
pub(super) fn tokens(html: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let Some(behind) = rest.strip_prefix('<') else {
                let length = rest.find('<').unwrap_or(rest.len());
                let (text, next) = rest.split_at(length);
                rest = next;
                return (!text.is_empty()).then_some(Token::Text(text));
            };
            if let Some(comment) = behind.strip_prefix("!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            } else if behind.starts_with(['!', '?']) {
                rest = behind.find('>').map_or("", |end| &behind[end + 1..]);
            } else if behind.starts_with(|first: char| first == '/' || first.is_ascii_alphabetic()) {
                let length = tag_length(behind);
                rest = behind.get(length + 1..).unwrap_or_default();
                return Some(Token::Tag(&behind[..length]));
            } else {
                rest = behind;
                return Some(Token::Text("<"));
            }
        }
    })
}

/// Up to the `>` that stands in no attribute.
fn tag_length(tag: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, character) in tag.char_indices() {
        match (quote, character) {
            (None, '>') => return at,
            (None, '"' | '\'') if before == '=' => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        if !character.is_whitespace() {
            before = character;
        }
    }
    // A quote that is never closed ends nothing.
    tag.find('>').unwrap_or(tag.len())
}

/// The name of a tag in lower case, with the `/` of a closing one.
pub(super) fn tag_name(tag: &str) -> String {
    let end = tag.find(|c: char| c.is_whitespace() || (c == '/' && !tag.starts_with('/'))).unwrap_or(tag.len());
    tag[..end].to_ascii_lowercase()
}

/// The value of an attribute, its entities decoded.
pub(super) fn attribute(tag: &str, wanted: &str) -> Option<String> {
    let mut rest = &tag[tag.find(char::is_whitespace)?..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return None;
        }
        // The first character belongs to the name, whatever it is.
        let ends = |(_, c): &(usize, char)| c.is_whitespace() || matches!(c, '=' | '/');
        let length = rest.char_indices().skip(1).find(ends).map_or(rest.len(), |(at, _)| at);
        let (name, behind) = rest.split_at_checked(length)?;
        let (value, next) = match behind.trim_start().strip_prefix('=') {
            None => ("", behind),
            Some(value) => value_and_rest(value.trim_start()),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(decode_entities(value));
        }
        rest = next;
    }
}

fn value_and_rest(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner.split_once(quote).unwrap_or((inner, ""));
        }
    }
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// Names of entities that letters are written with; the rest stays as it is typed.
const ENTITIES: [(&str, &str); 64] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", "\u{a0}"),
    ("shy", ""),
    ("zwnj", ""),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("hellip", "…"),
    ("mdash", "—"),
    ("ndash", "–"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bdquo", "„"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("bull", "•"),
    ("middot", "·"),
    ("deg", "°"),
    ("euro", "€"),
    ("pound", "£"),
    ("yen", "¥"),
    ("cent", "¢"),
    ("sect", "§"),
    ("para", "¶"),
    ("times", "×"),
    ("divide", "÷"),
    ("plusmn", "±"),
    ("frac12", "½"),
    ("larr", "←"),
    ("rarr", "→"),
    ("uarr", "↑"),
    ("darr", "↓"),
    ("check", "✓"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("Auml", "Ä"),
    ("Ouml", "Ö"),
    ("Uuml", "Ü"),
    ("szlig", "ß"),
    ("agrave", "à"),
    ("aacute", "á"),
    ("acirc", "â"),
    ("aring", "å"),
    ("aelig", "æ"),
    ("ccedil", "ç"),
    ("egrave", "è"),
    ("eacute", "é"),
    ("ecirc", "ê"),
    ("iacute", "í"),
    ("ntilde", "ñ"),
    ("oacute", "ó"),
    ("ocirc", "ô"),
    ("oslash", "ø"),
    ("ugrave", "ù"),
    ("uacute", "ú"),
    ("iexcl", "¡"),
];

/// Text with its entities as the characters they stand for.
pub(super) fn decode_entities(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '#').unwrap_or(rest.len());
        match entity(&rest[..length]) {
            Some(character) => {
                out.push_str(&character);
                rest = rest[length..].strip_prefix(';').unwrap_or(&rest[length..]);
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        return ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).filter(|character| !character.is_control() || character.is_whitespace()).map(String::from)
}

/// Where the names behind `cid:` are: in attributes, and in styles as `url(cid:NAME)`.
pub(super) fn content_ids(html: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut in_tag = false;
    let mut looked = 0;
    for colon in memchr::memchr_iter(b':', html) {
        let Some(start) = colon.checked_sub(3).filter(|start| html[*start..colon].eq_ignore_ascii_case(b"cid")) else {
            continue;
        };
        for byte in &html[looked..start] {
            in_tag = if in_tag { *byte != b'>' } else { *byte == b'<' };
        }
        looked = start;
        let before = html[..start].trim_ascii_end();
        let bare = before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before).trim_ascii_end();
        let in_style = bare.len() >= 4 && bare[bare.len() - 4..].eq_ignore_ascii_case(b"url(");
        let in_attribute = in_tag && bare.ends_with(b"=");
        if !in_style && !in_attribute {
            continue;
        }
        let name = &html[colon + 1..];
        let length = match before.last() {
            Some(quote @ (b'"' | b'\'')) => memchr::memchr(*quote, name),
            Some(b'(') => memchr::memchr(b')', name),
            _ => name.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>'),
        };
        found.push(colon + 1..colon + 1 + length.unwrap_or(name.len()));
    }
    found
}

/// Percent-decodes a part of a URL.
pub(super) fn percent_decode(text: &str) -> Vec<u8> {
    let (mut out, mut bytes) = (Vec::with_capacity(text.len()), text.as_bytes().iter());
    while let Some(byte) = bytes.next() {
        let digits = bytes.as_slice().get(..2).filter(|_| *byte == b'%');
        let decoded = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if decoded.is_some() {
            bytes.nth(1);
        }
        out.push(decoded.unwrap_or(*byte));
    }
    out
}

/// The charset that a text in HTML declares near its start, if it is another one than UTF-8.
pub(super) fn declared_charset(html: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(&html[..html.len().min(2048)]).to_ascii_lowercase();
    let at = start.find("charset=")? + "charset=".len();
    let value = start[at..].trim_start_matches(['"', '\'', ' ']);
    let end = value.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).unwrap_or(value.len());
    let charset = &value[..end];
    (!charset.is_empty() && charset.len() <= 40 && !charset.starts_with("utf")).then(|| charset.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_texts_are_distinguished() {
        let html = "a<!-- <b> --><p title=\"x>y\">1 < 2</p><!doctype html><br/>&amp;<";
        let seen: Vec<_> = tokens(html).collect();
        assert_eq!(
            seen,
            [
                Token::Text("a"),
                Token::Tag("p title=\"x>y\""),
                Token::Text("1 "),
                Token::Text("<"),
                Token::Text(" 2"),
                Token::Tag("/p"),
                Token::Tag("br/"),
                Token::Text("&amp;"),
                Token::Text("<"),
            ]
        );
        assert_eq!((tag_name("BR/"), tag_name("/P "), tag_name("a\nhref=x")), ("br".into(), "/p".into(), "a".into()));
    }

    #[test]
    fn attributes_are_read_in_every_spelling() {
        let tag = "a checked HREF = 'x y&amp;z' title=\"it's\" id=q";
        assert_eq!(attribute(tag, "href").as_deref(), Some("x y&z"));
        assert_eq!(attribute(tag, "title").as_deref(), Some("it's"));
        assert_eq!(attribute(tag, "id").as_deref(), Some("q"));
        assert_eq!(attribute(tag, "alt"), None);
        assert_eq!(attribute("img äö=1 =x / ü", "äö").as_deref(), Some("1"));
        assert_eq!(attribute("img ü", "alt"), None);
    }

    #[test]
    fn entities_are_decoded_and_unknown_ones_stay() {
        assert_eq!(decode_entities("&lt;&#x20ac;&#228; &bogus; & &amp;lt; &copy 1"), "<€ä &bogus; & &lt; © 1");
    }
}

//! A text in HTML: the pictures it shows, and a plain text made from it.
//!
//! Pictures are named in it as `cid:NAME`. Their Content-ID must be unique for all time (RFC 2392), so the name is replaced
//! by such an identifier. The text is not checked otherwise and not changed.

mod plain;
mod token;

use std::io::{self, Read};

use super::spool::{self, SpoolError};
use super::text::Text;

/// It is kept in memory, and no program shows a mail of this size.
const MAX_SIZE: u64 = 32 << 20;

/// Why a text in HTML cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// It cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// It is longer than a text can sensibly be.
    #[error("longer than 32 MiB; attach it instead")]
    TooLong,
    /// It names a picture that is not there.
    #[error("it shows cid:{0}, which no --inline file is called")]
    Missing(String),
}

/// A text in HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html {
    bytes: Vec<u8>,
}

impl Html {
    /// Reads it to its end.
    pub fn read(source: impl Read) -> Result<Self, HtmlError> {
        let mut bytes = Vec::new();
        let size = spool::copy(source.take(MAX_SIZE + 1), &mut bytes, |_| {})?;
        if size > MAX_SIZE { Err(HtmlError::TooLong) } else { Ok(Self { bytes }) }
    }

    /// Replaces `cid:NAME` by `cid:` and the identifier of that picture; tells for each picture whether it is shown.
    pub fn show(&mut self, pictures: &[Picture]) -> Result<Vec<bool>, HtmlError> {
        let mut shown = vec![false; pictures.len()];
        let (mut out, mut done) = (Vec::with_capacity(self.bytes.len()), 0);
        for found in token::content_ids(&self.bytes) {
            let name = &self.bytes[found.clone()];
            let Some(at) = pictures.iter().position(|picture| picture.is_called(name)) else {
                return Err(HtmlError::Missing(String::from_utf8_lossy(name).into_owned()));
            };
            shown[at] = true;
            out.extend_from_slice(&self.bytes[done..found.start]);
            out.extend_from_slice(pictures[at].id.as_bytes());
            done = found.end;
        }
        out.extend_from_slice(&self.bytes[done..]);
        self.bytes = out;
        Ok(shown)
    }

    /// The same for people who read plain text.
    pub fn plain(&self) -> String {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => plain::text(text),
            // Each byte is a character, as in ISO 8859-1, which is what such files mostly are.
            Err(_) => plain::text(&self.bytes.iter().map(|byte| char::from(*byte)).collect::<String>()),
        }
    }

    /// The text as it is sent. Where it is not UTF-8, it is what it says of itself.
    pub fn into_text(self) -> io::Result<Text> {
        let charset = token::declared_charset(&self.bytes);
        match Text::read(self.bytes.as_slice()) {
            Ok(text) => Ok(text.or_charset(charset)),
            Err(SpoolError::Read(error) | SpoolError::Keep(error)) => Err(error),
        }
    }
}

/// A picture that a text may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What the text calls it: the name of its file.
    pub name: String,
    /// Its Content-ID without brackets.
    pub id: String,
}

impl Picture {
    /// Whether `typed`, as it stands in an attribute, means this picture.
    fn is_called(&self, typed: &[u8]) -> bool {
        let decoded = token::decode_entities(&String::from_utf8_lossy(typed));
        decoded == self.name || token::percent_decode(&decoded) == self.name.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(html: &str, names: &[&str]) -> Result<(String, Vec<bool>), String> {
        let mut html = Html::read(html.as_bytes()).unwrap();
        let pictures: Vec<_> =
            names.iter().map(|name| Picture { name: (*name).to_owned(), id: format!("{}@id", name.len()) }).collect();
        let shown = html.show(&pictures).map_err(|error| error.to_string())?;
        Ok((String::from_utf8(html.bytes).unwrap(), shown))
    }

    #[test]
    fn names_of_pictures_become_identifiers() {
        let html = "<img src=\"cid:a.png\"><IMG SRC='CID:b c%25&amp;.png'><i style=\"background:url(cid:a.png)\">\
                    <style>p{background:url('cid:a.png')}</style><img src=cid:a.png>";
        let (out, used) = shown(html, &["a.png", "b c%&.png", "unused"]).unwrap();
        let expected = "<img src=\"cid:5@id\"><IMG SRC='CID:9@id'><i style=\"background:url(cid:5@id)\">\
                    <style>p{background:url('cid:5@id')}</style><img src=cid:5@id>";
        assert_eq!((out.as_str(), used), (expected, vec![true, true, false]));
    }

    #[test]
    fn a_picture_that_is_not_there_is_named() {
        assert!(shown("<img src=cid:x.png>", &["y.png"]).unwrap_err().contains("cid:x.png"));
        assert!(shown("<p>The word \"cid:x\" (cid:x) is none.</p><p title='a cid:x'>", &[]).is_ok());
    }

    #[test]
    fn what_is_not_utf8_is_what_it_says_of_itself() {
        let charset = |html: &[u8]| Html::read(html).unwrap().into_text().unwrap().charset().to_owned();
        assert_eq!(charset(b"<meta charset=\"ISO-8859-15\">\xe4"), "ISO-8859-15");
        assert_eq!(charset(b"<meta charset='utf-8'>\xe4"), "unknown-8bit");
        assert_eq!(charset(b"<meta charset=x>"), "utf-8");
        assert_eq!(Html::read(&b"<p>\xe4"[..]).unwrap().plain(), "\u{e4}\n");
    }
}

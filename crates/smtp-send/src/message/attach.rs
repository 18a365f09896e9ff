//! Attachments: opened before anything is sent, then streamed in base64 (RFC 2045, section 6.8; RFC 2183).
//!
//! Memory does not grow with a file. Its size is known from the start, so the size of the message can be announced without
//! reading it; a file that turns out to have another size, or was written to, ends the upload, because the message would be
//! incomplete.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use email_encoding::headers::rfc2231;
use email_encoding::headers::writer::EmailWriter;

use super::Piece;
use super::encode::{BASE64_LINE, ENCODED_LINE, base64_lines};
use super::regular_file::open_regular;
use super::spool::{self, SpoolError};

/// Bytes read at once: whole lines of base64, about 48 KiB.
const BLOCK: usize = 840 * BASE64_LINE;

/// An `--attach` argument: `FILE[;type=T][;name=N]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// The media type; `None`: by the file name.
    pub media_type: Option<String>,
    /// The name for the recipient; `None`: that of the file.
    pub name: Option<String>,
}

impl Wanted {
    /// Reads `FILE[;type=T][;name=N]`. A semicolon followed by anything else belongs to the name of the file.
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        let (mut rest, mut media_type, mut name) = (typed, None, None);
        while let Some((before, last)) = rest.rsplit_once(';') {
            match last.split_once('=') {
                Some(("type", value)) if is_media_type(value) => media_type = Some(value.to_owned()),
                Some(("type", _)) => return Err("a type is written like image/png"),
                Some(("name", value)) if is_name(value) => name = Some(value.to_owned()),
                Some(("name", _)) => return Err("a name is not empty and has no control characters"),
                _ => break,
            }
            rest = before;
        }
        if rest.is_empty() {
            return Err("no file");
        }
        Ok(Self { path: rest.into(), media_type, name })
    }

    /// Whether it is standard input.
    pub fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    fn name(&self) -> String {
        match (&self.name, self.path.file_name()) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) if !self.is_stdin() => {
                let clean = |character: char| if character.is_control() { '_' } else { character };
                name.to_string_lossy().chars().map(clean).collect()
            }
            _ => "attachment".to_owned(),
        }
    }
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte))
    };
    // A part that contains parts must not be encoded in base64, and an attachment is.
    let composite = text.starts_with("multipart/") || text.starts_with("message/");
    text.len() <= 127 && !composite && text.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && !text.contains(char::is_control)
}

/// An open attachment.
#[derive(Debug)]
pub struct Attachment {
    file: File,
    size: u64,
    modified: SystemTime,
    media_type: String,
    name: String,
    /// What an HTML text calls it, when it is shown there.
    content_id: Option<String>,
}

impl Attachment {
    /// Opens a file, or copies standard input into a temporary one. Folders, pipes and devices are refused.
    pub fn open(wanted: &Wanted) -> Result<Self, SpoolError> {
        let (file, size) = if wanted.is_stdin() {
            let mut file = tempfile::tempfile().map_err(SpoolError::Keep)?;
            let size = spool::copy(io::stdin().lock(), &mut file, |_| {})?;
            (file, size)
        } else {
            let (file, facts) = open_regular(&wanted.path)?;
            (file, facts.len())
        };
        let modified = file.metadata()?.modified()?;
        let name = wanted.name();
        let media_type = wanted.media_type.clone().unwrap_or_else(|| guessed_type(&name));
        Ok(Self { file, size, modified, media_type, name, content_id: None })
    }

    /// The name for the recipient.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, shown within an HTML text that calls it `cid:` and this name, which holds a `@` (RFC 2392).
    #[must_use]
    pub fn shown_as(self, content_id: String) -> Self {
        Self { content_id: Some(content_id), ..self }
    }

    /// The header of its part, with the blank line.
    pub(super) fn head(&self, binary: bool) -> String {
        let kind = if self.content_id.is_some() { "inline" } else { "attachment" };
        let mut disposition = format!("Content-Disposition: {kind};");
        let length = disposition.len();
        let mut writer = EmailWriter::new(&mut disposition, length, 1, true);
        let written = rfc2231::encode("filename", &self.name, &mut writer);
        debug_assert!(written.is_ok(), "a String takes everything");
        drop(writer);
        let id = self.content_id.as_ref().map_or_else(String::new, |id| format!("Content-ID: <{id}>\r\n"));
        let media_type = &self.media_type;
        let encoding = if binary { "binary" } else { "base64" };
        format!("Content-Type: {media_type}\r\n{id}{disposition}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n")
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes [`Attachment::stream`] will hand over in base64.
    pub(super) fn encoded_size(&self) -> u64 {
        let line = BASE64_LINE as u64;
        let (lines, rest) = (self.size / line, self.size % line);
        let last = if rest == 0 { 0 } else { rest.div_ceil(3) * 4 + 2 };
        lines * ENCODED_LINE as u64 + last
    }

    /// Passes the file to `sink`, block by block, from its start: as it is, or in base64.
    pub(super) fn stream<E: From<io::Error>>(
        &mut self,
        binary: bool,
        sink: &mut dyn FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.file.seek(SeekFrom::Start(0))?;
        let (mut block, mut out) = (vec![0; BLOCK], Vec::with_capacity(BLOCK / BASE64_LINE * ENCODED_LINE));
        let mut left = self.size;
        while left > 0 {
            // Only the last block is shorter, so every other one ends with a whole line.
            let wanted = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            self.file.read_exact(&mut block[..wanted]).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.changed(),
                _ => error,
            })?;
            left -= wanted as u64;
            if binary {
                sink(Piece::Binary(&block[..wanted]))?;
                continue;
            }
            base64_lines(&block[..wanted], &mut out);
            sink(Piece::Canonical(&out))?;
            out.clear();
        }
        if self.file.read(&mut [0])? > 0 {
            return Err(self.changed().into());
        }
        if self.file.metadata()?.modified()? != self.modified {
            let why = format!("{} was changed while it was being sent", self.name);
            return Err(io::Error::other(why).into());
        }
        Ok(())
    }

    fn changed(&self) -> io::Error {
        io::Error::other(format!("{} changed its size while it was being sent", self.name))
    }
}

fn guessed_type(name: &str) -> String {
    let guess = mime_guess::from_path(name).first_or_octet_stream();
    // A existing message inside a message would have to be sent as it is; as a file it keeps its bytes.
    if matches!(guess.type_().as_str(), "message" | "multipart") {
        return "application/octet-stream".to_owned();
    }
    guess.essence_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn attachment(bytes: &[u8], name: &str) -> Attachment {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        let (size, media_type) = (bytes.len() as u64, guessed_type(name));
        Attachment { file, size, modified, media_type, name: name.into(), content_id: None }
    }

    fn streamed(attachment: &mut Attachment) -> io::Result<String> {
        let mut all = Vec::new();
        attachment.stream(false, &mut |piece: Piece<'_>| {
            all.extend_from_slice(piece.bytes());
            Ok::<_, io::Error>(())
        })?;
        Ok(String::from_utf8(all).unwrap())
    }

    #[test]
    fn type_and_name_can_be_given_in_any_order() {
        let wanted = Wanted::parse("a;b.bin;name=Ü.png;type=image/png").unwrap();
        let expected =
            Wanted { path: "a;b.bin".into(), media_type: Some("image/png".into()), name: Some("Ü.png".into()) };
        assert_eq!(wanted, expected);
        assert_eq!(Wanted::parse("x;y=z").unwrap().path, PathBuf::from("x;y=z"));
        for wrong in
            ["", ";type=a/b", "a;type=x", "a;type=a/b\r\nX: y", "a;name=", "a;name=b\nc", "a;type=message/rfc822"]
        {
            assert!(Wanted::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_announced_size_is_the_streamed_size() {
        for size in [0, 1, 2, 3, 56, 57, 58, 113, 114, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
            let mut attachment = attachment(&vec![0xff; size], "x.bin");
            assert_eq!(streamed(&mut attachment).unwrap().len() as u64, attachment.encoded_size(), "{size}");
        }
    }

    #[test]
    fn bytes_that_look_like_line_ends_are_not_touched() {
        assert_eq!(streamed(&mut attachment(b"\r\n\r\n\n\r", "x")).unwrap(), "DQoNCgoN\r\n");
    }

    #[test]
    fn a_file_that_shrinks_or_grows_is_never_completed() {
        for change in [10, 2000] {
            let mut attachment = attachment(&[1; 1000], "log.txt");
            attachment.file.set_len(change).unwrap();
            let error = streamed(&mut attachment).unwrap_err().to_string();
            assert!(error.contains("log.txt changed its size"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_written_over_is_never_completed() {
        let mut attachment = attachment(&[1; 1000], "state.db");
        attachment.file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let error = streamed(&mut attachment).unwrap_err().to_string();
        assert!(error.contains("state.db was changed"), "{error}");
    }

    #[test]
    fn a_name_in_another_script_is_encoded_and_a_plain_one_quoted() {
        assert!(
            attachment(b"", "a b.png")
                .head(false)
                .contains("image/png\r\nContent-Disposition: attachment; filename=\"a b.png\"\r\n")
        );
        assert!(attachment(b"", "Ü.pdf").head(false).contains("filename*0*=utf-8''%C3%9C.pdf\r\n"));
        assert!(attachment(b"", &"n".repeat(255)).head(false).lines().all(|line| line.len() <= 78));
    }

    #[test]
    fn types_follow_from_the_name() {
        for (name, expected) in
            [("a.pdf", "application/pdf"), ("A.TXT", "text/plain"), ("x", "application/octet-stream")]
        {
            assert_eq!(guessed_type(name), expected);
        }
        assert_eq!(guessed_type("mail.eml"), "application/octet-stream");
    }
}

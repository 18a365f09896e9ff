//! The icons of a listing, by the media type of a file.

use crate::content::mime::{MimeTypes, TypeByName};
use crate::content::routing::join;

/// The drawings, as symbols that rows refer to.
pub(super) const SYMBOLS: &str = include_str!("icons.svg");

/// The kind of a file that an icon shows; the value is the id of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icon {
    Folder,
    Image,
    Media,
    Archive,
    Code,
    Text,
    Other,
}

impl Icon {
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Folder => "d",
            Self::Image => "i",
            Self::Media => "m",
            Self::Archive => "a",
            Self::Code => "c",
            Self::Text => "t",
            Self::Other => "f",
        }
    }

    /// The icon of a file in the folder `relative`.
    pub(super) fn of_file(types: &MimeTypes, relative: &[u8], name: &[u8]) -> Self {
        const ARCHIVES: [&[u8]; 11] =
            [b"7z", b"bz2", b"deb", b"gz", b"rar", b"rpm", b"tar", b"tgz", b"xz", b"zip", b"zst"];
        let path = join(relative, name);
        let extension = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default().to_ascii_lowercase();
        if ARCHIVES.contains(&extension.as_slice()) {
            return Self::Archive;
        }
        match types.by_name(&path).0 {
            TypeByName::Text("text/plain" | "text/markdown" | "text/csv") | TypeByName::NoExtension => Self::Text,
            TypeByName::Html(_) | TypeByName::TypeScript | TypeByName::Text(_) => Self::Code,
            TypeByName::Known(media_type) => Self::of_type(media_type),
        }
    }

    fn of_type(media_type: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default();
        match essence.split_once('/') {
            Some(("image", _)) => Self::Image,
            Some(("video" | "audio", _)) => Self::Media,
            Some(("text", _) | ("application", "pdf")) => Self::Text,
            Some(("application", "json" | "xml" | "wasm")) => Self::Code,
            _ if essence.ends_with("+json") || essence.ends_with("+xml") => Self::Code,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icon_shows_the_kind_of_a_file() {
        for (name, icon) in [
            ("a.jpg", Icon::Image),
            ("a.SVG", Icon::Image),
            ("a.mp4", Icon::Media),
            ("a.mp3", Icon::Media),
            ("a.tar.zst", Icon::Archive),
            ("a.js", Icon::Code),
            ("a.json", Icon::Code),
            ("a.html", Icon::Code),
            ("README", Icon::Text),
            ("a.pdf", Icon::Text),
            ("a.bin", Icon::Other),
        ] {
            assert_eq!(Icon::of_file(&MimeTypes::default(), b"", name.as_bytes()), icon, "{name}");
            assert!(SYMBOLS.contains(&format!("id=\"{}\"", icon.id())));
        }
    }
}

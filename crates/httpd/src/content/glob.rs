//! Patterns for paths, as in `--cache`, `--mime` and `--encoded`.

use crate::content::path::last_segment;

/// A pattern for the path of a file below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    kind: Matching,
    text: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matching {
    /// A glob for the path.
    Path,
    /// A glob for the file name.
    Name,
    /// An extension or a file name, in any case.
    Word,
}

impl PathPattern {
    /// A glob for the path if it contains a slash behind the first byte, else for the file name.
    pub fn new(text: &str) -> Self {
        let glob = text.strip_prefix('/').unwrap_or(text).as_bytes().to_vec();
        Self { kind: if glob.contains(&b'/') { Matching::Path } else { Matching::Name }, text: glob }
    }

    /// A pattern for types: without wildcards and slashes it is an extension or a file name.
    pub fn of_type(text: &str) -> Self {
        if text.contains(['*', '?', '/']) {
            return Self::new(text);
        }
        Self { kind: Matching::Word, text: text.strip_prefix('.').unwrap_or(text).as_bytes().to_vec() }
    }

    /// Why the pattern matches no path that is served; `None` if it can match.
    pub fn why_useless(&self, serves_hidden: bool) -> Option<&'static str> {
        let is_hidden = |(depth, segment): (usize, &[u8])| {
            segment.starts_with(b".") && !(depth == 0 && self.kind == Matching::Path && segment == b".well-known")
        };
        let segments = || self.text.split(|byte| *byte == b'/');
        if segments().any(|segment| matches!(segment, b"" | b"." | b"..") || segment.contains(&0)) {
            Some("matches no path, which has no empty segment, '.' or '..'")
        } else if !serves_hidden && self.kind != Matching::Word && segments().enumerate().any(is_hidden) {
            Some("matches hidden files only; add --hidden")
        } else {
            None
        }
    }

    /// Whether the pattern matches a path.
    pub fn matches(&self, path: &[u8]) -> bool {
        match self.kind {
            Matching::Path => glob_matches(&self.text, path),
            Matching::Name => glob_matches(&self.text, last_segment(path)),
            Matching::Word => {
                let name = last_segment(path);
                let start = name.len().checked_sub(self.text.len());
                start.is_some_and(|start| {
                    let (before, end) = name.split_at(start);
                    end.eq_ignore_ascii_case(&self.text) && (before.is_empty() || before.ends_with(b"."))
                })
            }
        }
    }
}

/// Whether `text` matches `glob`: `*` is any run of bytes within a segment, `**` across segments, `?` one byte.
///
/// A mismatch resumes after the last `*` or else the last `**`, so the time is at most the product of the lengths.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let (mut star, mut double_star) = (None, None);
    loop {
        match (glob.get(at..).unwrap_or_default(), text.get(position)) {
            ([b'*', b'*', ..], _) => {
                at += 2;
                (star, double_star) = (None, Some((at, position)));
                continue;
            }
            ([b'*', ..], _) => {
                at += 1;
                star = Some((at, position));
                continue;
            }
            ([], None) => return true,
            ([wanted, ..], Some(byte)) if wanted == byte || (*wanted == b'?' && *byte != b'/') => {
                (at, position) = (at + 1, position + 1);
                continue;
            }
            _ => {}
        }
        match (star, double_star) {
            (Some((after, start)), _) if text.get(start).is_some_and(|byte| *byte != b'/') => {
                (at, position) = (after, start + 1);
                star = Some((at, position));
            }
            (_, Some((after, start))) if start < text.len() => {
                (at, position) = (after, start + 1);
                (star, double_star) = (None, Some((at, position)));
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_for_types_is_an_extension_a_name_or_a_glob() {
        for (pattern, path, expected) in [
            ("txt", "a/b.TXT", true),
            (".txt", "b.txt", true),
            ("txt", "btxt", false),
            ("tar.gz", "a.tar.gz", true),
            ("tar.gz", "a.gz", false),
            ("LICENSE", "x/LICENSE", true),
            ("*.d.ts", "x/a.d.ts", true),
            ("*.d.ts", "x/a.ts", false),
            ("/.well-known/x", ".well-known/x", true),
            ("api/*", "api/x", true),
            ("api/*", "x/api/x", false),
        ] {
            assert_eq!(PathPattern::of_type(pattern).matches(path.as_bytes()), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_that_match_nothing_are_known() {
        let why = |text: &str, hidden| PathPattern::of_type(text).why_useless(hidden);
        for text in ["", "/", "a/", "a//b", "./a", "a/../b", "//a", "."] {
            assert!(why(text, true).is_some(), "{text}");
        }
        for text in [".git/*", "a/.b/*", "/.x/*"] {
            assert!(why(text, false).is_some() && why(text, true).is_none(), "{text}");
        }
        for text in ["txt", ".txt", "**", "*", "a/**/b", "/.well-known/x", "LICENSE"] {
            assert_eq!(why(text, false), None, "{text}");
        }
    }

    #[test]
    fn globs_stay_within_a_segment_unless_doubled() {
        assert!(glob_matches(b"a/*.js", b"a/b.js") && !glob_matches(b"a/*.js", b"a/b/c.js"));
        assert!(glob_matches(b"a/**.js", b"a/b/c.js") && glob_matches(b"?.js", b"b.js"));
        assert!(!glob_matches(b"?.js", b".js") && !glob_matches(b"a", b"ab"));
    }

    #[test]
    fn a_glob_of_many_stars_takes_no_exponential_time() {
        let (glob, text) = (b"*a".repeat(50), b"a".repeat(20_000));
        assert!(glob_matches(&glob, &text) && !glob_matches(&[&glob[..], b"b"].concat(), &text));
        let glob = b"**a*b/".repeat(20);
        assert!(glob_matches(&glob, &b"xa/ayb/".repeat(20)) && !glob_matches(&glob, &b"xa/".repeat(1000)));
    }

    #[test]
    fn stars_and_double_stars_can_be_mixed() {
        for (glob, text, expected) in [
            ("a/**/b*.js", "a/x/y/bc.js", true),
            ("a/**/b*.js", "a/x/b/c.js", false),
            ("*/x/**", "a/x/y/z", true),
            ("*/x/**", "a/b/x/y", false),
            ("**/x?z", "a/b/xyz", true),
            ("**/x?z", "a/b/x/z", false),
            ("***", "a/b", true),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(glob_matches(glob.as_bytes(), text.as_bytes()), expected, "{glob} {text}");
        }
    }
}

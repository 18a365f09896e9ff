//! Patterns for paths, as in `--cache`.

/// Whether `text` matches `glob`: `*` is any run of bytes within a segment, `**` across segments, `?` one byte.
///
/// A mismatch resumes after the last `*` or else the last `**`, so the time is at most the product of the lengths.
pub(super) fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
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

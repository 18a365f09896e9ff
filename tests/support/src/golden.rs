//! Golden files: expected output in `tests/golden`.
//!
//! `UPDATE_GOLDEN=1 cargo test` writes the files; `git diff` shows what changed.

use std::fs;
use std::path::{Path, PathBuf};

/// Compares `actual` with `tests/golden/NAME`, or writes that file when `UPDATE_GOLDEN` is set.
///
/// # Panics
/// When the two differ, with the first differing line, or the file is missing.
pub fn compare(name: &str, actual: &str) {
    compare_file(&folder().join(name), actual);
}

/// Compares `actual` with a file anywhere in the workspace, as [`compare`] does.
///
/// # Panics
/// When the two differ, with the first differing line, or the file is missing.
pub fn compare_file(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("create the folder of golden files");
        fs::write(path, actual).expect("write the golden file");
        return;
    }
    let expected = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes it", path.display()));
    if let Some(difference) = first_difference(&expected, actual) {
        panic!("{} differs, {difference}\n(UPDATE_GOLDEN=1 accepts it)\n--- actual\n{actual}", path.display());
    }
}

/// The folder `tests/golden` of the workspace.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden")
}

fn first_difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (mut ours, mut theirs) = (actual.split('\n'), expected.split('\n'));
    let mut number = 1;
    loop {
        match (theirs.next(), ours.next()) {
            (Some(expected), Some(actual)) if expected == actual => number += 1,
            (expected, actual) => return Some(format!("line {number}: expected {expected:?}, got {actual:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_do_not_differ() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    }

    #[test]
    fn the_first_differing_line_is_named() {
        let difference = first_difference("a\nb\nc", "a\nx\nc").unwrap();
        assert_eq!(difference, "line 2: expected Some(\"b\"), got Some(\"x\")");
        assert!(first_difference("a", "a\n").unwrap().starts_with("line 2: expected None"));
    }
}

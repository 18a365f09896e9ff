//! The text of `--version`: version, commit of a release build, and features.

/// The commit that a release build was made from; empty in other builds and without a repository.
const COMMIT: &str = env!("BUILD_COMMIT");

/// The text behind the program name, such as `0.1.0 (commit 1a2b3c4; TLS by rustls)`.
pub fn text(version: &'static str, features: &'static str) -> &'static str {
    let commit = if COMMIT.is_empty() { String::new() } else { format!("commit {COMMIT}; ") };
    // Called once per process, by the definition of the command line.
    Box::leak(format!("{version} ({commit}{features})").into_boxed_str())
}

//! Sets `BUILD_COMMIT` for `--version`: the commit of a release build, empty otherwise.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = if is_release { git(&["rev-parse", "--short=8", "HEAD"]) } else { None };
    println!("cargo:rustc-env=BUILD_COMMIT={}", commit.unwrap_or_default());
    if is_release && let Some(folder) = git(&["rev-parse", "--absolute-git-dir"]) {
        // HEAD names the branch; the log of HEAD changes with each commit.
        for file in ["HEAD", "logs/HEAD"] {
            let path = Path::new(&folder).join(file);
            if path.exists() {
                println!("cargo:rerun-if-changed={}", path.display());
            }
        }
    }
}

/// The output of a git command, or `None` without git or a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

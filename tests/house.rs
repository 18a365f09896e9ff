//! The house rules that a machine can check, for all crates of the workspace.
//!
//! `layout` checks files and their lengths, `imports` who may import whom, `names` the names of types and constants,
//! `words` the language of comments, messages, help and tests. Each rule reads text (`source`), so it also sees code
//! that no test compiles, and lists all offences of a run.

#[path = "house/graph.rs"]
mod graph;
#[path = "house/imports.rs"]
mod imports;
#[path = "house/layout.rs"]
mod layout;
#[path = "house/names.rs"]
mod names;
#[path = "house/source.rs"]
mod source;
#[path = "house/words.rs"]
mod words;

//! Parts of paths below the root.

/// The part of a path behind the last slash.
pub fn last_segment(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

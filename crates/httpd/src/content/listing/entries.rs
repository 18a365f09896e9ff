//! The entries of a folder: read by the rules by which files are served, and sorted.

use std::cmp::Ordering;
use std::io;
use std::os::fd::OwnedFd;

use nix::dir::Dir;

use crate::content::files::{Kind, Root};
use crate::content::routing::{Site, join};

/// One line of a listing.
#[derive(Debug, Clone)]
pub struct FolderEntry {
    /// The name: any bytes but a slash.
    pub name: Vec<u8>,
    /// Whether the entry is a folder.
    pub is_folder: bool,
    /// Bytes of a file.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
}

/// Reads the served entries of a folder: regular files and folders, and links that are followed.
pub(super) fn read_entries(folder: OwnedFd, relative: &[u8], root: &Root, site: &Site) -> io::Result<Vec<FolderEntry>> {
    let mut entries = Vec::new();
    for entry in Dir::from_fd(folder)?.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") || site.hides_name(name) {
            continue;
        }
        // Entries that have vanished or cannot be examined are left out.
        if let Some((kind, version)) = root.describe(&join(relative, name)) {
            let is_folder = kind == Kind::Folder;
            entries.push(FolderEntry {
                name: name.to_vec(),
                is_folder,
                size: version.size,
                modified: version.modified.0,
            });
        }
    }
    Ok(entries)
}

/// The column by which a listing is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Column {
    /// By name, with runs of digits by value.
    #[default]
    Name,
    /// By size.
    Size,
    /// By time of the last change.
    Time,
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Time => "time",
        }
    }
}

/// The order of a listing; folders are first in every order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    column: Column,
    descending: bool,
}

impl Order {
    /// Reads `sort=name|size|time`, `order=asc|desc` and `format=json|html` from a query; ignores the rest.
    pub fn from_query(query: &[u8]) -> (Self, Option<super::ListingFormat>) {
        let mut order = Self::default();
        let mut format = None;
        for pair in query.split(|byte| *byte == b'&') {
            match pair {
                b"sort=name" => order.column = Column::Name,
                b"sort=size" => order.column = Column::Size,
                b"sort=time" => order.column = Column::Time,
                b"order=asc" => order.descending = false,
                b"order=desc" => order.descending = true,
                b"format=json" => format = Some(super::ListingFormat::Json),
                b"format=html" => format = Some(super::ListingFormat::Html),
                _ => {}
            }
        }
        (order, format)
    }

    /// The heading of a column with a link that sorts by it or reverses the order.
    pub(super) fn heading(self, column: Column, label: &str) -> String {
        let is_current = self.column == column;
        let descending = is_current && !self.descending;
        let (arrow, state) = match (is_current, self.descending) {
            (false, _) => ("", "none"),
            (true, false) => (" \u{2191}", "ascending"),
            (true, true) => (" \u{2193}", "descending"),
        };
        let order = if descending { "desc" } else { "asc" };
        let name = column.name();
        format!("<th aria-sort=\"{state}\"><a href=\"?sort={name}&amp;order={order}\">{label}{arrow}</a></th>")
    }

    pub(super) fn compare(self, a: &FolderEntry, b: &FolderEntry) -> Ordering {
        let by_name = || natural(&a.name, &b.name);
        let order = match self.column {
            Column::Name => by_name(),
            Column::Size => a.size.cmp(&b.size).then_with(by_name),
            Column::Time => a.modified.cmp(&b.modified).then_with(by_name),
        };
        let order = if self.descending { order.reverse() } else { order };
        b.is_folder.cmp(&a.is_folder).then(order)
    }
}

/// Natural order: letters without case, runs of digits by value.
fn natural(a: &[u8], b: &[u8]) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        match (left, right) {
            ([], []) => return a.cmp(b),
            ([], _) => return Ordering::Less,
            (_, []) => return Ordering::Greater,
            ([x, ..], [y, ..]) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, rest_of_left) = split_number(left);
                let (y, rest_of_right) = split_number(right);
                let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
                if order != Ordering::Equal {
                    return order;
                }
                (left, right) = (rest_of_left, rest_of_right);
            }
            ([x, rest_of_left @ ..], [y, rest_of_right @ ..]) => {
                let order = x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase());
                if order != Ordering::Equal {
                    return order;
                }
                (left, right) = (rest_of_left, rest_of_right);
            }
        }
    }
}

/// Splits off the leading digits, without leading zeros.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let start = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    (&digits[start..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(query: &str, mut entries: Vec<FolderEntry>) -> Vec<String> {
        let (order, _) = Order::from_query(query.as_bytes());
        entries.sort_by(|a, b| order.compare(a, b));
        entries.iter().map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect()
    }

    fn file(name: &str, size: u64, modified: i64) -> FolderEntry {
        FolderEntry { name: name.as_bytes().to_vec(), is_folder: false, size, modified }
    }

    #[test]
    fn numbers_in_names_count_by_value_and_case_does_not_matter() {
        let names = ["file10", "File2", "file1", "a", "file02"];
        let entries = names.iter().map(|name| file(name, 0, 0)).collect();
        assert_eq!(sorted("", entries), ["a", "file1", "File2", "file02", "file10"]);
    }

    #[test]
    fn folders_come_first_whatever_the_order() {
        let entries = || vec![file("a", 9, 1), FolderEntry { is_folder: true, ..file("z", 0, 0) }, file("b", 1, 2)];
        assert_eq!(sorted("sort=name&order=desc", entries()), ["z", "b", "a"]);
        assert_eq!(sorted("sort=size", entries()), ["z", "b", "a"]);
        assert_eq!(sorted("sort=time&order=desc", entries()), ["z", "b", "a"]);
    }

    #[test]
    fn the_heading_of_the_current_column_reverses_the_order() {
        let (order, _) = Order::from_query(b"sort=size");
        assert!(order.heading(Column::Size, "Size").contains("?sort=size&amp;order=desc"));
        assert!(order.heading(Column::Name, "Name").contains("?sort=name&amp;order=asc"));
        assert!(order.heading(Column::Size, "Size").contains("aria-sort=\"ascending\""));
    }

    #[test]
    fn the_query_chooses_the_format() {
        assert_eq!(Order::from_query(b"format=json&x=y").1, Some(super::super::ListingFormat::Json));
        assert_eq!(Order::from_query(b"").1, None);
    }

    #[test]
    fn the_natural_order_is_antisymmetric() {
        let names: Vec<String> =
            (0..60).map(|n| format!("{}{}x{}", ["a", "A", "0"][n % 3], n % 7, "0".repeat(n % 2))).collect();
        for a in &names {
            for b in &names {
                assert_eq!(natural(a.as_bytes(), b.as_bytes()), natural(b.as_bytes(), a.as_bytes()).reverse());
            }
        }
    }
}

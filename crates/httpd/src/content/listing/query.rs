//! The query of a listing: order, view and format.

use super::{FolderEntry, ListingFormat, collation};
use std::cmp::Ordering;

/// The column by which a listing is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Column {
    /// By name.
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

    fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Name, Self::Size, Self::Time].into_iter().find(|column| column.name().as_bytes() == name)
    }
}

/// The order of a listing; folders are first in every order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    column: Column,
    descending: bool,
}

/// How a page shows a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// As a table.
    #[default]
    Table,
    /// As a grid of pictures.
    Grid,
}

/// The query of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListingQuery {
    /// `sort=name|size|time`, with `-desc` or `order=desc`.
    pub order: Order,
    /// `view=grid`.
    pub view: View,
    /// `format=html|json`.
    pub format: Option<ListingFormat>,
}

/// An unknown value of `format` or `download`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownFormat;

impl ListingQuery {
    /// Reads a query; ignores unknown parameters.
    pub fn parse(query: &[u8]) -> Result<Self, UnknownFormat> {
        let mut parsed = Self::default();
        for pair in query.split(|byte| *byte == b'&') {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            match (name, value) {
                (b"sort", value) => parsed.order.sort_by(value),
                (b"order", b"asc") => parsed.order.descending = false,
                (b"order", b"desc") => parsed.order.descending = true,
                (b"view", b"grid") => parsed.view = View::Grid,
                (b"view", _) => parsed.view = View::Table,
                (b"format", b"json") => parsed.format = Some(ListingFormat::Json),
                (b"format", b"html") => parsed.format = Some(ListingFormat::Html),
                (b"format", _) => return Err(UnknownFormat),
                (b"download", value) if value != b"tar" => return Err(UnknownFormat),
                _ => {}
            }
        }
        Ok(parsed)
    }

    /// The query for links to other folders, escaped for HTML; empty by default.
    pub(super) fn for_links(self) -> String {
        let sort = (self.order != Order::default()).then(|| format!("sort={}", self.order.value()));
        let view = (self.view == View::Grid).then(|| "view=grid".to_owned());
        let pairs: Vec<String> = sort.into_iter().chain(view).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&amp;")) }
    }
}

impl Order {
    fn sort_by(&mut self, value: &[u8]) {
        let (name, descending) = match value.strip_suffix(b"-desc") {
            Some(name) => (name, true),
            None => (value, false),
        };
        if let Some(column) = Column::from_name(name) {
            *self = Self { column, descending };
        }
    }

    /// The value of `sort` for this order.
    pub(super) fn value(self) -> String {
        format!("{}{}", self.column.name(), if self.descending { "-desc" } else { "" })
    }

    /// The value of `aria-sort` for a column.
    pub(super) fn state_of(self, column: Column) -> Option<&'static str> {
        (self.column == column).then_some(if self.descending { "descending" } else { "ascending" })
    }

    /// The order after a click on the heading of a column: reversed, or descending first for sizes and times.
    pub(super) fn after_click(self, column: Column) -> Self {
        let descending = if self.column == column { !self.descending } else { column != Column::Name };
        Self { column, descending }
    }

    pub(super) fn compare(self, a: &FolderEntry, b: &FolderEntry) -> Ordering {
        let by_name = || collation::compare(&a.name, &b.name);
        let order = match self.column {
            Column::Name => by_name(),
            Column::Size => a.size.cmp(&b.size).then_with(by_name),
            Column::Time => a.modified.cmp(&b.modified).then_with(by_name),
        };
        let order = if self.descending { order.reverse() } else { order };
        b.is_folder.cmp(&a.is_folder).then(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(query: &str, mut entries: Vec<FolderEntry>) -> Vec<String> {
        let order = ListingQuery::parse(query.as_bytes()).unwrap().order;
        entries.sort_by(|a, b| order.compare(a, b));
        entries.iter().map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect()
    }

    fn file(name: &str, size: u64, modified: i64) -> FolderEntry {
        FolderEntry { name: name.as_bytes().to_vec(), is_folder: false, size, modified }
    }

    #[test]
    fn folders_come_first_in_every_order() {
        let entries = || vec![file("a", 9, 1), FolderEntry { is_folder: true, ..file("z", 0, 0) }, file("b", 1, 2)];
        assert_eq!(sorted("sort=name&order=desc", entries()), ["z", "b", "a"]);
        assert_eq!(sorted("sort=name-desc", entries()), ["z", "b", "a"]);
        assert_eq!(sorted("sort=size", entries()), ["z", "b", "a"]);
        assert_eq!(sorted("sort=time-desc&view=grid", entries()), ["z", "b", "a"]);
    }

    #[test]
    fn a_click_reverses_the_order_and_sizes_and_times_begin_with_the_greatest() {
        let mut order = Order::default();
        for (column, value) in [
            (Column::Name, "name-desc"),
            (Column::Name, "name"),
            (Column::Size, "size-desc"),
            (Column::Size, "size"),
            (Column::Time, "time-desc"),
            (Column::Name, "name"),
        ] {
            order = order.after_click(column);
            assert_eq!(order.value(), value);
            assert_eq!(ListingQuery::parse(format!("sort={value}").as_bytes()).unwrap().order, order);
        }
        assert_eq!((order.state_of(Column::Name), order.state_of(Column::Size)), (Some("ascending"), None));
    }

    #[test]
    fn order_and_view_are_kept_in_links() {
        let links = |query: &[u8]| ListingQuery::parse(query).unwrap().for_links();
        assert_eq!((links(b""), links(b"sort=name&filter=x"), links(b"format=html")), Default::default());
        assert_eq!(links(b"sort=size-desc&view=grid"), "?sort=size-desc&amp;view=grid");
    }

    #[test]
    fn unknown_formats_are_errors_and_other_parameters_are_ignored() {
        assert_eq!(ListingQuery::parse(b"format=json&x=y").unwrap().format, Some(ListingFormat::Json));
        assert_eq!(ListingQuery::parse(b"filter=&sort=colour"), Ok(ListingQuery::default()));
        for query in ["format=xml", "format", "download=zip", "x=y&download="] {
            assert_eq!(ListingQuery::parse(query.as_bytes()), Err(UnknownFormat), "{query}");
        }
    }
}

//! The look of `--help`, the same for all programs.
//!
//! `-h` shows one screen: options that are rarely needed carry `hide_short_help = true` and appear in `--help` only.

use clap::builder::styling::{Effects, Style, Styles};

const BOLD: Style = Style::new().effects(Effects::BOLD);
const UNDERLINE: Style = Style::new().effects(Effects::UNDERLINE);

/// Bold headings and option names, underlined placeholders; applied on a terminal only.
pub const STYLES: Styles = Styles::plain().header(BOLD).usage(BOLD).literal(BOLD).placeholder(UNDERLINE);

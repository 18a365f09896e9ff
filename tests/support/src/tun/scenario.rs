//! Scenario files: what becomes of which echo request, written in TOML.
//!
//! A scenario is a list of rules. The first rule whose `target` and `probes` fit decides; a request that no rule fits is
//! answered as a good host would. `answers = []` is silence. The fields of [`Answer`] are the words of the file.

use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

/// What a responder does with the requests that reach it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Rules in the order in which they are tried.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// Which requests get which answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Requests to this address only.
    pub target: Option<IpAddr>,
    /// The first, third, ... request to an address, counted from 1; all when absent.
    pub probes: Option<Vec<u32>>,
    /// What is sent back, in this order.
    pub answers: Vec<Answer>,
}

/// One packet that is sent back.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// Milliseconds after the request.
    pub after_ms: u64,
    /// Leaves only after this many further requests have come.
    pub hold: u32,
    /// Sender of the packet; the address that was asked when absent.
    pub source: Option<IpAddr>,
    /// Added to the identifier of the request.
    pub identifier: u16,
    /// Added to the sequence of the request.
    pub sequence: u16,
    /// Bytes of the payload whose bits are all turned round.
    pub flip: Vec<usize>,
    /// Keeps the checksum as it was before `flip`.
    pub stale_checksum: bool,
    /// Overwrites the first 16 bytes of the payload, where the time stands, with this byte.
    pub time: Option<u8>,
    /// Bytes of the whole packet that are sent; its headers stay as they were.
    pub truncate: Option<usize>,
    /// Bytes of payload that come back, checksum and lengths right.
    pub payload: Option<usize>,
    /// IPv4 options in hexadecimal digits, a multiple of 4 bytes.
    pub options: String,
    /// An ICMP error instead of a reply.
    pub error: Option<IcmpError>,
}

/// An ICMP error message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IcmpError {
    /// ICMP type.
    pub kind: u8,
    /// ICMP code.
    #[serde(default)]
    pub code: u8,
    /// The second word of its header: MTU, pointer, gateway or RFC 4884 length.
    #[serde(default)]
    pub info: u32,
    /// What it quotes.
    #[serde(default)]
    pub quote: Quote,
    /// Bytes behind the quote in hexadecimal digits, for the extensions of RFC 4884.
    #[serde(default)]
    pub extension: String,
}

/// What an ICMP error quotes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quote {
    /// The whole request.
    #[default]
    Request,
    /// Its IP header and the first 8 bytes behind it, as RFC 792 demands.
    Short,
    /// The request behind an IPv4 header with 40 bytes of no-operation options.
    Nops,
    /// The request padded with zeros to 128 bytes, in front of extensions.
    Padded,
    /// The first 12 bytes of the IP header.
    Cut,
    /// An IPv4 header that claims 60 bytes and ends after 20.
    Beyond,
    /// An IPv4 header that claims 8 bytes.
    Tiny,
    /// The request with another identifier.
    Stranger,
    /// The request sent to another address.
    Elsewhere,
    /// Nothing.
    Nothing,
}

impl Scenario {
    /// Reads `tests/fixtures/ping/NAME.toml`.
    ///
    /// # Panics
    /// When there is no such file or it is no scenario.
    pub fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/ping").join(name).with_extension("toml");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The answers to request number `count` to `target`; `None` when no rule fits.
    pub(super) fn answers(&self, target: IpAddr, count: u32) -> Option<&[Answer]> {
        let fits = |rule: &&Rule| {
            rule.target.is_none_or(|wanted| wanted == target)
                && rule.probes.as_ref().is_none_or(|probes| probes.contains(&count))
        };
        self.rules.iter().find(fits).map(|rule| rule.answers.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let text = "[[rule]]\nprobes = [2]\nanswers = []\n[[rule]]\ntarget = '10.0.0.2'\nanswers = [{ after_ms = 5 }]";
        let scenario: Scenario = toml::from_str(text).unwrap();
        let [two, three] = [2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        assert_eq!(scenario.answers(two, 2).map(<[_]>::len), Some(0));
        assert_eq!(scenario.answers(two, 1).map(|answers| answers[0].after_ms), Some(5));
        assert!(scenario.answers(three, 1).is_none());
    }

    #[test]
    fn a_mistyped_word_is_refused() {
        assert!(toml::from_str::<Scenario>("[[rule]]\nanswers = [{ delay = 5 }]").is_err());
    }

    #[test]
    fn every_scenario_in_the_repository_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/ping");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Scenario::load(entry.unwrap().path().file_stem().unwrap().to_str().unwrap());
            seen += 1;
        }
        assert!(seen > 0);
    }
}

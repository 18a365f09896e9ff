//! Scenario files: the answers to echo requests, in TOML.
//!
//! A scenario is a list of rules. The first rule whose `target` and `probes` match applies; without a match the reply is valid.
//! `answers = []` sends nothing. The keys of an answer are the fields of [`Answer`].

use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

/// The rules of a responder.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Rules; the first match applies.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// Answers to some of the requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Destination of the requests; any when absent.
    pub target: Option<IpAddr>,
    /// Numbers of the requests to an address, counted from 1; all when absent.
    pub probes: Option<Vec<u32>>,
    /// Answers in order.
    pub answers: Vec<Answer>,
}

/// A packet sent in answer to a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// Milliseconds after the request.
    pub after_ms: u64,
    /// Number of further requests to wait for.
    pub hold: u32,
    /// Source address; the destination of the request when absent.
    pub source: Option<IpAddr>,
    /// Increment of the identifier.
    pub identifier: u16,
    /// Increment of the sequence number.
    pub sequence: u16,
    /// Offsets of payload bytes that are inverted.
    pub flip: Vec<usize>,
    /// Computes the checksum before `flip`.
    pub stale_checksum: bool,
    /// Overwrites the first 16 bytes of the payload, the time stamp of iputils, with this byte.
    pub time: Option<u8>,
    /// Length of the packet in bytes, with unchanged headers.
    pub truncate: Option<usize>,
    /// Length of the payload in bytes, with valid headers.
    pub payload: Option<usize>,
    /// IPv4 options in hexadecimal, a multiple of 4 bytes.
    pub options: String,
    /// An ICMP error in place of a reply.
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
    /// Second word of the ICMP header: MTU, pointer, gateway or RFC 4884 length.
    #[serde(default)]
    pub info: u32,
    /// The quoted packet.
    #[serde(default)]
    pub quote: Quote,
    /// Bytes after the quote in hexadecimal (RFC 4884 extensions).
    #[serde(default)]
    pub extension: String,
}

/// The quoted packet of an ICMP error.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quote {
    /// The whole request.
    #[default]
    Request,
    /// The IP header and 8 bytes of the request (RFC 792).
    Short,
    /// The request with 40 bytes of no-operation IPv4 options.
    Nops,
    /// The request padded with zeros to 128 bytes (RFC 4884).
    Padded,
    /// The first 12 bytes of the IP header.
    PartialHeader,
    /// 20 bytes of an IPv4 header with a header length of 60.
    HeaderPastEnd,
    /// An IPv4 header with a header length of 8.
    HeaderTooShort,
    /// The request with another identifier.
    OtherIdentifier,
    /// The request with another destination address.
    OtherDestination,
    /// Nothing.
    Nothing,
}

impl Scenario {
    /// Reads `tests/fixtures/ping/NAME.toml`.
    ///
    /// # Panics
    /// When the file is missing or invalid.
    pub fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/ping").join(name).with_extension("toml");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The answers to request number `count` to `target`; `None` without a matching rule.
    pub(super) fn answers(&self, target: IpAddr, count: u32) -> Option<&[Answer]> {
        let matches = |rule: &&Rule| {
            rule.target.is_none_or(|wanted| wanted == target)
                && rule.probes.as_ref().is_none_or(|probes| probes.contains(&count))
        };
        self.rules.iter().find(matches).map(|rule| rule.answers.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_rule_applies() {
        let text = "[[rule]]\nprobes = [2]\nanswers = []\n[[rule]]\ntarget = '10.0.0.2'\nanswers = [{ after_ms = 5 }]";
        let scenario: Scenario = toml::from_str(text).unwrap();
        let [two, three] = [2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        assert_eq!(scenario.answers(two, 2).map(<[_]>::len), Some(0));
        assert_eq!(scenario.answers(two, 1).map(|answers| answers[0].after_ms), Some(5));
        assert!(scenario.answers(three, 1).is_none());
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Scenario>("[[rule]]\nanswers = [{ delay = 5 }]").is_err());
    }

    #[test]
    fn every_scenario_of_the_repository_is_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/ping");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Scenario::load(entry.unwrap().path().file_stem().unwrap().to_str().unwrap());
            count += 1;
        }
        assert!(count > 0);
    }
}

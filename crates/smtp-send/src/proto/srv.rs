//! The submission server of a domain by its SRV records (RFC 6186, RFC 8314, RFC 2782).

use crate::proto::dns::Record;

/// A service of message submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// TLS from the first byte (RFC 8314, section 5.1).
    Submissions,
    /// STARTTLS (RFC 6186, section 3.1).
    Submission,
}

impl Service {
    /// Both; implicit TLS is first (RFC 8314, section 3).
    pub const ALL: [Self; 2] = [Self::Submissions, Self::Submission];

    /// The name of the SRV records.
    pub fn name(self, domain: &str) -> String {
        match self {
            Self::Submissions => format!("_submissions._tcp.{domain}"),
            Self::Submission => format!("_submission._tcp.{domain}"),
        }
    }
}

/// The offer of a domain for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// No records.
    Unknown,
    /// Not offered: the target is the root (RFC 6186, section 3.4).
    Never,
    /// A host and its port.
    At(String, u16),
}

/// Selects a host of the lowest priority by weight (RFC 2782, "Usage rules"); `random` returns a number from 0 to its
/// argument.
pub fn choose(records: &[Record], random: impl FnOnce(u32) -> u32) -> Offer {
    let all = records.iter().filter_map(|record| match record {
        Record::Srv { priority, weight, port, target } => Some((*priority, *weight, *port, target)),
        _ => None,
    });
    let Some(lowest) = all.clone().map(|(priority, ..)| priority).min() else { return Offer::Unknown };
    // Records without weight are first, so that a random 0 can select them.
    let mut equals: Vec<_> = all.filter(|(priority, ..)| *priority == lowest).collect();
    equals.sort_by_key(|(_, weight, ..)| *weight > 0);
    let sum = equals.iter().fold(0_u32, |sum, (_, weight, ..)| sum.saturating_add((*weight).into()));
    let drawn = random(sum);
    let mut running = 0_u32;
    let found = equals.iter().find(|(_, weight, ..)| {
        running = running.saturating_add((*weight).into());
        running >= drawn
    });
    match found.or(equals.first()) {
        Some((_, _, port, target)) if !target.is_empty() && *port > 0 => Offer::At((*target).clone(), *port),
        _ => Offer::Never,
    }
}

/// Whether `host` lies within `domain`, so that the user need not confirm it (RFC 6186, section 6).
pub fn is_within(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.to_ascii_lowercase(), domain.to_ascii_lowercase());
    host == domain || host.strip_suffix(&domain).is_some_and(|front| front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Record {
        Record::Srv { priority, weight, port: 465, target: target.into() }
    }

    fn drawn(records: &[Record], number: u32) -> Offer {
        choose(records, |most| number.min(most))
    }

    #[test]
    fn the_lowest_priority_is_used_and_its_weights_are_shares() {
        let records = [srv(20, 0, "backup"), srv(10, 1, "one"), srv(10, 3, "three"), srv(10, 0, "none")];
        let host = |number| match drawn(&records, number) {
            Offer::At(host, 465) => host,
            other => format!("{other:?}"),
        };
        assert_eq!([0, 1, 2, 3, 4, 99].map(host), ["none", "one", "three", "three", "three", "three"]);
    }

    #[test]
    fn the_root_as_a_target_means_not_offered() {
        assert_eq!(drawn(&[srv(0, 0, "")], 0), Offer::Never);
        assert_eq!(drawn(&[], 0), Offer::Unknown);
        assert_eq!(drawn(&[Record::A([192, 0, 2, 1].into())], 0), Offer::Unknown);
    }

    #[test]
    fn a_host_is_within_its_domain_by_whole_labels() {
        assert!(is_within("mail.Example.com", "example.COM") && is_within("example.com", "example.com"));
        assert!(!is_within("mail.example.net", "example.com") && !is_within("badexample.com", "example.com"));
    }
}

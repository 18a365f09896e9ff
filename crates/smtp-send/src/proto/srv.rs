//! The submission server of a domain by its SRV records (RFC 6186, RFC 8314, RFC 2782).

use crate::proto::dns::Record;

/// One way in which a domain offers submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// TLS from the first byte (RFC 8314, section 5.1).
    Submissions,
    /// STARTTLS (RFC 6186, section 3.1).
    Submission,
}

impl Service {
    /// Both; TLS from the first byte comes first, as RFC 8314 (section 3) prefers it.
    pub const ALL: [Self; 2] = [Self::Submissions, Self::Submission];

    /// The name whose records are asked for.
    pub fn name(self, domain: &str) -> String {
        match self {
            Self::Submissions => format!("_submissions._tcp.{domain}"),
            Self::Submission => format!("_submission._tcp.{domain}"),
        }
    }
}

/// What a domain says about a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Nothing.
    Unknown,
    /// That it is not offered: the target is the root (RFC 6186, section 3.4).
    Never,
    /// A host and its port.
    At(String, u16),
}

/// The host of `records` to use: one of the lowest priority, drawn by weight (RFC 2782, "Usage rules"). `random` gives a number from
/// 0 to the one it is given.
pub fn choose(records: &[Record], random: impl FnOnce(u32) -> u32) -> Offer {
    let all = records.iter().filter_map(|record| match record {
        Record::Srv { priority, weight, port, target } => Some((*priority, *weight, *port, target)),
        _ => None,
    });
    let Some(lowest) = all.clone().map(|(priority, ..)| priority).min() else { return Offer::Unknown };
    // Those without weight come first, so that a drawn 0 can be one of them.
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

/// Whether `host` belongs to `domain`, so that nobody has to be asked whether it is meant (RFC 6186, section 6).
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
    fn the_root_as_a_target_is_a_no() {
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

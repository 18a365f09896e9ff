//! Content negotiation by Accept-Encoding (RFC 9110, section 12.5.3) and by Accept for listings (section 12.5.1).

use super::field::{self, Fields, Name};

/// A content coding, and the suffix of files that are stored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `br` (RFC 7932), files ending in `.br`.
    Brotli,
    /// `zstd` (RFC 8878), files ending in `.zst`.
    Zstd,
    /// `gzip` (RFC 1952), files ending in `.gz`.
    Gzip,
}

impl Coding {
    /// All codings by size of their result, smallest first: the order among equal weights.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The name in Content-Encoding and Accept-Encoding.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// The suffix that follows the name of the original file.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// A weight in thousandths, from 0 (not acceptable) to 1000 (RFC 9110, section 12.4.2).
type Weight = u16;

/// The codings that a client accepts, with their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    codings: [Weight; 3],
    identity: Weight,
    /// Whether the field names identity, which then takes part in the order.
    identity_is_named: bool,
}

impl Accepted {
    /// Reads Accept-Encoding; without the field only identity is accepted.
    pub fn from_fields(fields: &Fields) -> Self {
        let mut weights: [Option<Weight>; 3] = [None; 3];
        let (mut identity, mut any) = (None, None);
        for member in fields.list(Name::AcceptEncoding) {
            let (coding, weight) = weighted(member);
            let place = match coding {
                _ if coding.eq_ignore_ascii_case(b"x-gzip") => weights.get_mut(Coding::Gzip as usize),
                _ if coding.eq_ignore_ascii_case(b"identity") => Some(&mut identity),
                b"*" => Some(&mut any),
                _ => Coding::ALL
                    .into_iter()
                    .find(|known| coding.eq_ignore_ascii_case(known.name().as_bytes()))
                    .and_then(|known| weights.get_mut(known as usize)),
            };
            if let Some(place) = place {
                *place = Some(weight);
            }
        }
        Self {
            codings: weights.map(|weight| weight.or(any).unwrap_or(0)),
            identity: identity.or(any.filter(|weight| *weight == 0)).unwrap_or(1000),
            identity_is_named: identity.is_some(),
        }
    }

    /// The accepted codings, best first, without those that the client prefers less than identity.
    pub fn codings(&self) -> impl Iterator<Item = Coding> {
        let floor = if self.identity_is_named { self.identity } else { 0 };
        let mut wanted = Coding::ALL.map(|coding| (self.weight(coding), coding));
        // A stable sort keeps the order of Coding::ALL among equals.
        wanted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        wanted.into_iter().filter(move |(weight, _)| *weight > 0 && *weight >= floor).map(|(_, coding)| coding)
    }

    /// Whether identity is accepted.
    pub fn identity(&self) -> bool {
        self.identity > 0
    }

    fn weight(&self, coding: Coding) -> Weight {
        self.codings.get(coding as usize).copied().unwrap_or(0)
    }
}

/// Whether Accept names text/html, as browsers do when they load a page.
pub fn names_html(fields: &Fields) -> bool {
    let is_html = |(media_type, weight): (&[u8], Weight)| weight > 0 && media_type.eq_ignore_ascii_case(b"text/html");
    fields.list(Name::Accept).map(weighted).any(is_html)
}

/// Whether Accept names `application/json` with a greater weight than HTML.
pub fn prefers_json(fields: &Fields) -> bool {
    let (mut json, mut html) = (0, 0);
    for member in fields.list(Name::Accept) {
        let (media_type, weight) = weighted(member);
        if media_type.eq_ignore_ascii_case(b"application/json") {
            json = weight;
        } else if media_type.eq_ignore_ascii_case(b"text/html") {
            html = weight;
        }
    }
    json > html
}

/// A list member and its `q` parameter; a malformed weight counts as 0 (not acceptable).
fn weighted(member: &[u8]) -> (&[u8], Weight) {
    let mut parts = member.split(|byte| *byte == b';').map(field::trim);
    let value = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| match part {
        [b'q' | b'Q', b'=', digits @ ..] => Some(weight(digits).unwrap_or(0)),
        _ => None,
    });
    (value, weight.unwrap_or(1000))
}

/// `0`, `0.5`, `1.000`: at most three decimals, at most one.
fn weight(digits: &[u8]) -> Option<Weight> {
    let (whole, fraction) = match digits {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut value: Weight = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    for (digit, unit) in fraction.iter().zip([100, 10, 1]) {
        let digit = Weight::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
        value = value.checked_add(digit.checked_mul(unit)?)?;
    }
    (value <= 1000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Coding::{Brotli, Gzip, Zstd};

    fn accepted(value: &str) -> (Vec<Coding>, bool) {
        let mut fields = Fields::default();
        fields.add(Name::AcceptEncoding, value.as_bytes());
        let accepted = Accepted::from_fields(&fields);
        (accepted.codings().collect(), accepted.identity())
    }

    #[test]
    fn without_the_field_or_with_an_empty_one_only_the_original_is_sent() {
        let none = Accepted::from_fields(&Fields::default());
        assert_eq!((none.codings().count(), none.identity()), (0, true));
        assert_eq!(accepted(""), (vec![], true));
    }

    #[test]
    fn weights_order_the_codings_and_the_smallest_wins_among_equals() {
        assert_eq!(accepted("gzip, deflate, br, zstd").0, [Brotli, Zstd, Gzip]);
        assert_eq!(accepted("gzip;q=1.0, br;q=0.5, zstd;q=0.7").0, [Gzip, Zstd, Brotli]);
        assert_eq!(accepted("GZIP").0, [Gzip]);
        assert_eq!(accepted("x-gzip").0, [Gzip]);
    }

    #[test]
    fn zero_means_never() {
        assert_eq!(accepted("gzip;q=0, br").0, [Brotli]);
        assert_eq!(accepted("br;q=0.000").0, []);
        assert_eq!(accepted("*;q=0"), (vec![], false));
        assert_eq!(accepted("gzip, identity;q=0"), (vec![Gzip], false));
    }

    #[test]
    fn a_star_matches_codings_that_are_not_named() {
        assert_eq!(accepted("*").0, [Brotli, Zstd, Gzip]);
        assert_eq!(accepted("gzip;q=0.5, *;q=0.1").0, [Gzip, Brotli, Zstd]);
        assert_eq!(accepted("*;q=0, gzip"), (vec![Gzip], false));
        assert_eq!(accepted("*;q=0, identity"), (vec![], true));
    }

    #[test]
    fn a_client_that_prefers_identity_gets_identity() {
        assert_eq!(accepted("identity, gzip;q=0.5").0, []);
        assert_eq!(accepted("identity;q=0.5, gzip").0, [Gzip]);
    }

    #[test]
    fn malformed_weights_count_as_zero() {
        for value in ["gzip;q=2", "gzip;q=1.5", "gzip;q=0.1234", "gzip;q=", "gzip;q=x", "gzip;q=-1", "gzip;q=.5"] {
            assert_eq!(accepted(value).0, [], "{value}");
        }
    }

    #[test]
    fn json_is_preferred_only_when_it_is_named_above_html() {
        let prefers = |value: &'static str| {
            let mut fields = Fields::default();
            fields.add(Name::Accept, value.as_bytes());
            prefers_json(&fields)
        };
        assert!(prefers("application/json"));
        assert!(prefers("text/html;q=0.5, application/json;q=0.9"));
        assert!(!prefers("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!prefers("*/*"));
    }
}

//! DNS queries and responses (RFC 1035, section 4; EDNS by RFC 6891).
//!
//! The codec is the crate simple-dns. This module matches a response to its query, selects the records, follows
//! aliases, and reads whether the resolver has validated them (RFC 4035). Names are lower case, without the final dot,
//! and have only the characters of host names; the root is the empty string.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::{OPT, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};

/// Maximum number of bytes over UDP that is announced: avoids fragments (RFC 9715, section 3.2).
pub const UDP_SIZE: u16 = 1232;
/// Maximum length of a chain of aliases.
pub const MAX_ALIASES: usize = 8;
/// Bytes of the fixed part of a message (RFC 1035, section 4.1.1).
const HEADER: usize = 12;
/// Minimum size of a question in bytes: root name, type and class. A record is larger.
const MIN_ENTRY: usize = 5;
/// Bits of the third byte of a message: QR (response) and TC (truncated).
const RESPONSE: u8 = 0x80;
const TRUNCATION: u8 = 0x02;
/// The response code of a server that cannot parse a query.
const FORMAT_ERROR: u8 = 1;
/// The type TLSA (RFC 6698, section 7.1), which the codec does not have.
const TLSA: u16 = 52;

/// The queried types of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// The mail exchangers of a domain (RFC 5321, section 5).
    Mx,
    /// The hosts of a service (RFC 2782).
    Srv,
    /// The certificates of a service (RFC 6698).
    Tlsa,
}

impl RecordType {
    fn code(self) -> TYPE {
        match self {
            Self::A => TYPE::A,
            Self::Aaaa => TYPE::AAAA,
            Self::Mx => TYPE::MX,
            Self::Srv => TYPE::SRV,
            Self::Tlsa => TYPE::Unknown(TLSA),
        }
    }

    /// The name of the type in zone files.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Srv => "SRV",
            Self::Tlsa => "TLSA",
        }
    }
}

/// The data of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A mail exchanger.
    Mx {
        /// The lowest value is tried first.
        preference: u16,
        /// The host name; empty when the domain accepts no mail (RFC 7505).
        exchange: String,
    },
    /// A host of a service.
    Srv {
        /// The lowest value is tried first.
        priority: u16,
        /// The share among equal priorities.
        weight: u16,
        /// The port.
        port: u16,
        /// The host name; empty when the service is not offered.
        target: String,
    },
    /// A certificate or public key of a service.
    Tlsa {
        /// Certificate usage: the position in the chain.
        usage: u8,
        /// Selector: certificate or public key.
        selector: u8,
        /// Matching type: bytes or hash.
        matching: u8,
        /// The bytes to compare.
        data: Vec<u8>,
    },
}

/// The response of a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsReply {
    /// The name exists; there may be no record of this type.
    Found(Answer),
    /// No such name (NXDOMAIN).
    NoSuchName {
        /// Whether the resolver has validated the response.
        authentic: bool,
    },
    /// Truncated: query again over TCP.
    Truncated,
    /// The server reports an error; its name.
    Failed(&'static str),
}

/// The records of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The records of the queried type.
    pub records: Vec<Record>,
    /// The name of the records, behind all aliases.
    pub name: String,
    /// Number of aliases (CNAME) that were followed.
    pub aliases: usize,
    /// Number of invalid records of the queried type.
    pub unusable: usize,
    /// Whether the resolver has validated the response (bit AD).
    pub authentic: bool,
}

/// Why bytes are not a response to a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsReplyError {
    /// Not a DNS message.
    #[error("not a DNS message")]
    Malformed,
    /// A response to another query.
    #[error("a response to another query")]
    Foreign,
    /// A loop of aliases, or too many of them.
    #[error("a chain of more than {MAX_ALIASES} aliases")]
    Aliases,
    /// A name that cannot be queried.
    #[error("not a name that DNS can hold")]
    Name,
}

/// The bytes of a query; with `edns` it allows responses of more than 512 bytes.
///
/// The bit AD requests the validation state without the signatures (RFC 6840, section 5.7).
pub fn question(id: u16, name: &str, wanted: RecordType, edns: bool) -> Result<Vec<u8>, DnsReplyError> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::AUTHENTIC_DATA);
    let name = Name::new(name).map_err(|_| DnsReplyError::Name)?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(wanted.code()), QCLASS::CLASS(CLASS::IN), false));
    if edns {
        *packet.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: UDP_SIZE, version: 0 });
    }
    packet.build_bytes_vec().map_err(|_| DnsReplyError::Name)
}

/// Reads a response to the [`question`] with the same arguments.
pub fn reply(message: &[u8], id: u16, name: &str, wanted: RecordType) -> Result<DnsReply, DnsReplyError> {
    let Some((header, rest)) = message.split_at_checked(HEADER).filter(|_| has_room_for_its_entries(message)) else {
        return Err(DnsReplyError::Malformed);
    };
    let asked = question(id, name, wanted, false)?;
    let (_, asked) = asked.split_at_checked(HEADER).ok_or(DnsReplyError::Name)?;
    let [high, low, flags, code, _, questions, ..] = header else { return Err(DnsReplyError::Malformed) };
    let is_reply = u16::from_be_bytes([*high, *low]) == id && flags & RESPONSE != 0;
    let repeated = rest.get(..asked.len()).is_some_and(|echo| echo.eq_ignore_ascii_case(asked)) && *questions == 1;
    // A server that cannot parse a query need not repeat it.
    let dismissed = *questions == 0 && code & 0x0f == FORMAT_ERROR;
    if !is_reply || !(repeated || dismissed) {
        return Err(DnsReplyError::Foreign);
    }
    if dismissed {
        return Ok(DnsReply::Failed(word(RCODE::FormatError)));
    }
    if flags & TRUNCATION != 0 {
        // A truncated response may end within a record.
        return Ok(DnsReply::Truncated);
    }
    // The codec rejects queries of some types. The question was compared before, so it is replaced by another.
    let question = HEADER.saturating_add(asked.len());
    let mut message = message.to_vec();
    if let Some(wanted) = message.get_mut(question.saturating_sub(4)..question.saturating_sub(2)) {
        wanted.copy_from_slice(&[0, 1]);
    }
    let packet = Packet::parse(&message).map_err(|_| DnsReplyError::Malformed)?;
    let authentic = packet.has_flags(PacketFlag::AUTHENTIC_DATA);
    match packet.rcode() {
        RCODE::NoError => answer(&packet.answers, name, wanted, authentic).map(DnsReply::Found),
        RCODE::NameError => Ok(DnsReply::NoSuchName { authentic }),
        other => Ok(DnsReply::Failed(word(other))),
    }
}

/// Rejects record counts that the message has no room for, before they cost memory.
fn has_room_for_its_entries(message: &[u8]) -> bool {
    let Some(counts) = message.get(4..HEADER) else { return false };
    let entries: usize = counts
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |sum: usize, byte| (sum << 8) | usize::from(*byte)))
        .sum();
    entries.saturating_mul(MIN_ENTRY) <= message.len().saturating_sub(HEADER)
}

fn answer(
    records: &[ResourceRecord<'_>],
    name: &str,
    wanted: RecordType,
    authentic: bool,
) -> Result<Answer, DnsReplyError> {
    let mut links = HashMap::new();
    for record in records.iter().filter(|record| record.class == CLASS::IN) {
        if let (RData::CNAME(target), Some(owner)) = (&record.rdata, host(&record.name)) {
            // A name has at most one alias; the first one counts.
            links.entry(owner).or_insert_with(|| host(&target.0));
        }
    }
    let (mut owner, mut aliases) = (name.to_ascii_lowercase(), 0);
    while let Some(target) = links.get(&owner) {
        aliases = usize::saturating_add(aliases, 1);
        match target {
            Some(target) if aliases <= MAX_ALIASES => owner = target.clone(),
            Some(_) => return Err(DnsReplyError::Aliases),
            None => return Err(DnsReplyError::Name),
        }
    }
    let belongs = |record: &&ResourceRecord<'_>| {
        record.class == CLASS::IN
            && record.rdata.type_code() == wanted.code()
            && host(&record.name).as_deref() == Some(&owner)
    };
    let found: Vec<Option<Record>> = records.iter().filter(belongs).map(|record| read(&record.rdata)).collect();
    let all = found.len();
    let records: Vec<Record> = found.into_iter().flatten().collect();
    let unusable = all.saturating_sub(records.len());
    Ok(Answer { records, name: owner, aliases, unusable, authentic })
}

fn read(data: &RData<'_>) -> Option<Record> {
    Some(match data {
        RData::A(a) => Record::A(Ipv4Addr::from(a.address)),
        RData::AAAA(aaaa) => Record::Aaaa(Ipv6Addr::from(aaaa.address)),
        RData::MX(mx) => Record::Mx { preference: mx.preference, exchange: host(&mx.exchange)? },
        RData::SRV(srv) => {
            Record::Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: host(&srv.target)? }
        }
        RData::NULL(TLSA, tlsa) => match tlsa.get_data() {
            [usage, selector, matching, data @ ..] => {
                Record::Tlsa { usage: *usage, selector: *selector, matching: *matching, data: data.to_vec() }
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// A name as text, if it has only characters of host and service names.
fn host(name: &Name<'_>) -> Option<String> {
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let label = |label: &[u8]| {
        let text = std::str::from_utf8(label).ok().filter(|_| label.iter().all(valid))?;
        Some(text.to_ascii_lowercase())
    };
    let labels = name.as_bytes().map(label).collect::<Option<Vec<_>>>()?;
    Some(labels.join("."))
}

fn word(code: RCODE) -> &'static str {
    match code {
        RCODE::FormatError => "FORMERR",
        RCODE::ServerFailure => "SERVFAIL",
        RCODE::NotImplemented => "NOTIMP",
        RCODE::Refused => "REFUSED",
        RCODE::BADVERS => "BADVERS",
        _ => "an error without a name",
    }
}

#[cfg(test)]
mod tests;

//! States of a probe and classes of replies: one rule for single and multiple targets.

use crate::proto::payload::Comparison;

/// The state of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeState {
    /// Sent, without a reply so far.
    InFlight,
    /// The send failed on this host.
    NotSent,
    /// Answered.
    Replied,
    /// No reply within the timeout.
    Lost,
    /// An ICMP error or a broken reply came back.
    Failed,
    /// Dropped by this host and sent again as another probe.
    Retried,
}

/// The class of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyClass {
    /// The first reply, within the timeout.
    Reply,
    /// The first reply, after the timeout.
    Late,
    /// A further reply.
    Duplicate,
}

/// How much of a reply equals the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// All of it.
    Whole,
    /// The end of the payload is missing.
    Truncated,
    /// Byte number `.0` of the payload differs.
    Changed(usize),
    /// The ICMP checksum is wrong.
    Checksum,
}

/// Why a reply does not belong to this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// The source address is not that of the target.
    Address,
    /// The MAC in the payload is wrong.
    Code,
    /// No remembered probe has its sequence.
    Sequence,
}

impl Foreign {
    /// The reason in records.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Address => "another address than the target",
            Self::Code => "without the code of the probe",
            Self::Sequence => "no such probe",
        }
    }
}

impl Integrity {
    /// The reason in records of a corrupt reply; `None` for any other.
    pub fn reason(self) -> Option<String> {
        match self {
            Self::Checksum => Some("checksum".to_owned()),
            Self::Changed(index) => Some(format!("payload byte {index}")),
            Self::Whole | Self::Truncated => None,
        }
    }

    /// Whether bytes were changed on the way.
    pub fn is_corrupt(self) -> bool {
        matches!(self, Self::Changed(_) | Self::Checksum)
    }
}

/// How much of a reply equals the request, by its payload, its checksum and its source address.
///
/// A valid MAC proves that a reply of IPv6 answers the probe, also when an anycast address replies from another one.
///
/// # Errors
/// Why the reply does not belong to the probe.
pub fn integrity_of(
    payload: Comparison,
    is_intact: bool,
    is_from_target: bool,
    is_v6: bool,
) -> Result<Integrity, Foreign> {
    match payload {
        _ if !is_from_target && !is_v6 => Err(Foreign::Address),
        _ if !is_intact => Ok(Integrity::Checksum),
        Comparison::WithoutCode => Err(Foreign::Code),
        Comparison::Truncated if !is_from_target => Err(Foreign::Address),
        Comparison::Whole => Ok(Integrity::Whole),
        Comparison::Truncated => Ok(Integrity::Truncated),
        Comparison::Changed(index) => Ok(Integrity::Changed(index)),
    }
}

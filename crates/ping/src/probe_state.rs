//! States of a probe and classes of replies, shared by single and multiple targets.

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

//! The MAC in each payload: only a reply to a probe of this run has the right one.
//!
//! SipHash-2-4 with a random key over target, identifier and the 64-bit number of the probe.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

/// Length of the MAC in bytes.
pub const MAC_LENGTH: usize = 8;

/// The MAC key of a run.
#[derive(Clone, Copy)]
pub struct PayloadMac {
    key: [u8; 16],
}

impl PayloadMac {
    /// A MAC with this key, which must be random and secret.
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The MAC of probe `number` with `identifier` to `target`.
    pub fn mac(&self, target: IpAddr, identifier: u16, number: u64) -> [u8; MAC_LENGTH] {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        match target {
            IpAddr::V4(v4) => hasher.write(&v4.octets()),
            IpAddr::V6(v6) => hasher.write(&v6.octets()),
        }
        hasher.write(&identifier.to_be_bytes());
        hasher.write(&number.to_be_bytes());
        hasher.finish().to_be_bytes()
    }
}

impl std::fmt::Debug for PayloadMac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is never printed.
        f.write_str("PayloadMac")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn another_key_target_identifier_or_number_gives_another_code() {
        let target = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mac = PayloadMac::new([7; 16]);
        let code = mac.mac(target, 1, 2);
        assert_eq!(mac.mac(target, 1, 2), code);
        let others = [
            PayloadMac::new([8; 16]).mac(target, 1, 2),
            mac.mac([127, 0, 0, 2].into(), 1, 2),
            mac.mac(target, 3, 2),
            mac.mac(target, 1, 2 + 65_536),
        ];
        assert!(others.iter().all(|other| *other != code));
    }
}

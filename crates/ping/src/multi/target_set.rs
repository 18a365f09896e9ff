//! The targets of a run: blocks stored as ranges, addresses in 4 or 16 bytes, names with their text. No I/O.
//!
//! Targets are numbered from 0 in the order given. A repeated address or name is one target; two names for one address
//! are two.

use std::collections::HashSet;
use std::net::IpAddr;

use common::SafeText;

use super::target_spec::{self, MAX_TARGETS};

/// All targets.
#[derive(Debug, Default)]
pub(crate) struct TargetSet {
    segments: Vec<Segment>,
    count: u32,
    /// Number of targets that were given more than once.
    pub(crate) repeated: u64,
}

#[derive(Debug)]
struct Segment {
    /// Number of its first target.
    base: u32,
    addresses: Addresses,
}

#[derive(Debug)]
enum Addresses {
    Block { first: u128, count: u32 },
    Short(Vec<u32>),
    Long(Vec<u128>),
    Named(Vec<Named>),
}

/// A target given by name.
#[derive(Debug)]
struct Named {
    address: u128,
    /// Interface index of a link-local address, else 0.
    scope: u32,
    text: Box<str>,
}

impl Addresses {
    fn count(&self) -> usize {
        match self {
            Self::Block { count, .. } => *count as usize,
            Self::Short(list) => list.len(),
            Self::Long(list) => list.len(),
            Self::Named(list) => list.len(),
        }
    }
}

/// More targets than a run supports.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than the {MAX_TARGETS} addresses that one run takes")]
pub(crate) struct TooMany;

impl TargetSet {
    /// Number of targets.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The address of target `index` and its interface index, 0 for any interface; `::` for an invalid index.
    pub(crate) fn address(&self, index: u32) -> (IpAddr, u32) {
        let (number, scope) = self.find(index, |addresses, place| match addresses {
            Addresses::Block { first, .. } => (first + u128::from(place), 0),
            Addresses::Short(list) => (target_spec::number(list[place as usize].to_be_bytes().into()), 0),
            Addresses::Long(list) => (list[place as usize], 0),
            Addresses::Named(list) => (list[place as usize].address, list[place as usize].scope),
        });
        (target_spec::address(number), scope)
    }

    /// The name of target `index`; `None` when an address was given.
    pub(crate) fn name(&self, index: u32) -> Option<&str> {
        self.find(index, |addresses, place| match addresses {
            Addresses::Named(list) => Some(&*list[place as usize].text),
            _ => None,
        })
    }

    /// Target `index` as it was typed, escaped for a terminal.
    pub(crate) fn shown(&self, index: u32) -> String {
        match self.name(index) {
            Some(name) => SafeText(name.as_bytes()).to_string(),
            None => self.address(index).0.to_string(),
        }
    }

    /// Whether all targets are loopback addresses.
    pub(crate) fn are_all_loopback(&self) -> bool {
        self.segments.iter().all(|segment| match &segment.addresses {
            Addresses::Block { first, count } => {
                [0, count - 1].iter().all(|place| target_spec::address(first + u128::from(*place)).is_loopback())
            }
            Addresses::Short(list) => list.iter().all(|number| number >> 24 == 127),
            Addresses::Long(list) => list.iter().all(|number| *number == 1),
            Addresses::Named(list) => list.iter().all(|named| target_spec::address(named.address).is_loopback()),
        })
    }

    fn find<'a, T: Default>(&'a self, index: u32, read: impl FnOnce(&'a Addresses, u32) -> T) -> T {
        let after = self.segments.partition_point(|segment| segment.base <= index);
        match after.checked_sub(1).and_then(|place| self.segments.get(place)) {
            Some(segment) if ((index - segment.base) as usize) < segment.addresses.count() => {
                read(&segment.addresses, index - segment.base)
            }
            _ => T::default(),
        }
    }
}

/// Builds the set in the order given.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    parts: Vec<Addresses>,
    count: u64,
    /// Blocks so far, without overlaps, by their first address.
    blocks: Vec<(u128, u128)>,
    names: HashSet<Box<str>>,
    repeated: u64,
}

impl Builder {
    /// Adds an address.
    pub(crate) fn add_address(&mut self, address: u128) -> Result<(), TooMany> {
        self.grow(1)?;
        match (target_spec::address(address), self.parts.last_mut()) {
            (IpAddr::V4(v4), Some(Addresses::Short(list))) => list.push(v4.to_bits()),
            (IpAddr::V6(_), Some(Addresses::Long(list))) => list.push(address),
            (IpAddr::V4(v4), _) => self.parts.push(Addresses::Short(vec![v4.to_bits()])),
            (IpAddr::V6(_), _) => self.parts.push(Addresses::Long(vec![address])),
        }
        Ok(())
    }

    /// Adds a name with its address.
    pub(crate) fn add_name(&mut self, text: &str, address: u128, scope: u32) -> Result<(), TooMany> {
        if !self.names.insert(text.into()) {
            self.repeated += 1;
            return Ok(());
        }
        self.grow(1)?;
        let named = Named { address, scope, text: text.into() };
        match self.parts.last_mut() {
            Some(Addresses::Named(list)) => list.push(named),
            _ => self.parts.push(Addresses::Named(vec![named])),
        }
        Ok(())
    }

    /// Adds a block without the parts that are present already.
    pub(crate) fn add_block(&mut self, first: u128, count: u32) -> Result<(), TooMany> {
        let mut rest = first;
        let end = first + u128::from(count);
        let mut fresh = Vec::new();
        for (start, stop) in self.blocks.iter().filter(|(start, stop)| *stop > first && *start < end) {
            if rest < *start {
                fresh.push((rest, *start));
            }
            rest = rest.max(*stop);
        }
        if rest < end {
            fresh.push((rest, end));
        }
        let mut kept = 0;
        for (start, stop) in fresh {
            let count = u32::try_from(stop - start).map_err(|_| TooMany)?;
            kept += count;
            self.grow(count)?;
            self.parts.push(Addresses::Block { first: start, count });
            let place = self.blocks.partition_point(|(other, _)| *other < start);
            self.blocks.insert(place, (start, stop));
        }
        self.repeated += u64::from(count - kept);
        Ok(())
    }

    /// The set, without repetitions.
    pub(crate) fn finish(mut self) -> TargetSet {
        self.drop_repeated_addresses();
        let mut targets = TargetSet { repeated: self.repeated, ..TargetSet::default() };
        for mut addresses in self.parts {
            match &mut addresses {
                Addresses::Short(list) => list.shrink_to_fit(),
                Addresses::Long(list) => list.shrink_to_fit(),
                Addresses::Named(list) => list.shrink_to_fit(),
                Addresses::Block { .. } => {}
            }
            let count = u32::try_from(addresses.count()).unwrap_or(MAX_TARGETS);
            if count > 0 {
                targets.segments.push(Segment { base: targets.count, addresses });
                targets.count += count;
            }
        }
        targets
    }

    fn grow(&mut self, count: u32) -> Result<(), TooMany> {
        self.count += u64::from(count);
        if self.count > MAX_TARGETS.into() { Err(TooMany) } else { Ok(()) }
    }

    /// Removes single addresses that are part of a block or occur twice.
    ///
    /// Sorting indexes takes 8 bytes per address; a hash set would take several times as much.
    fn drop_repeated_addresses(&mut self) {
        let mut places = Vec::new();
        for (part, addresses) in (0u32..).zip(&self.parts) {
            if matches!(addresses, Addresses::Short(_) | Addresses::Long(_)) {
                places.extend((0..addresses.count()).map(|place| (part, u32::try_from(place).unwrap_or(u32::MAX))));
            }
        }
        let parts = &self.parts;
        let number = |(part, place): (u32, u32)| match &parts[part as usize] {
            Addresses::Short(list) => target_spec::number(list[place as usize].to_be_bytes().into()),
            Addresses::Long(list) => list[place as usize],
            Addresses::Block { .. } | Addresses::Named(_) => 0,
        };
        places.sort_unstable_by_key(|place| (number(*place), *place));
        let in_block = |number: u128| {
            let after = self.blocks.partition_point(|(start, _)| *start <= number);
            after.checked_sub(1).is_some_and(|place| number < self.blocks[place].1)
        };
        let mut previous = None;
        let mut dropped: Vec<(u32, u32)> = Vec::new();
        for place in places {
            let number = number(place);
            if previous == Some(number) || in_block(number) {
                dropped.push(place);
            }
            previous = Some(number);
        }
        self.repeated += dropped.len() as u64;
        dropped.sort_unstable();
        for (part, addresses) in (0u32..).zip(&mut self.parts) {
            let mut place = 0u32;
            let mut stays = || {
                let found = dropped.binary_search(&(part, place)).is_ok();
                place += 1;
                !found
            };
            match addresses {
                Addresses::Short(list) if !dropped.is_empty() => list.retain(|_| stays()),
                Addresses::Long(list) if !dropped.is_empty() => list.retain(|_| stays()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multi::target_spec::TargetSpec;

    fn targets(words: &[&str]) -> TargetSet {
        let mut builder = Builder::default();
        for word in words {
            match target_spec::parse(word, None).unwrap() {
                TargetSpec::Address(address) => builder.add_address(address),
                TargetSpec::Block { first, count } => builder.add_block(first, count),
                TargetSpec::Name(name) => builder.add_name(&name, target_spec::number([192, 0, 2, 1].into()), 0),
            }
            .unwrap();
        }
        builder.finish()
    }

    fn shown(words: &[&str]) -> Vec<String> {
        let targets = targets(words);
        (0..targets.count())
            .map(|index| targets.name(index).map_or(targets.address(index).0.to_string(), str::to_owned))
            .collect()
    }

    #[test]
    fn targets_keep_the_order_of_typing() {
        let words = ["10.0.0.9", "b", "a", "10.0.1.0/30", "::5", "10.0.0.1"];
        assert_eq!(shown(&words), ["10.0.0.9", "b", "a", "10.0.1.1", "10.0.1.2", "::5", "10.0.0.1"]);
    }

    #[test]
    fn what_was_typed_twice_is_there_once() {
        let words = ["10.0.0.2", "10.0.0.9", "a", "10.0.0.9", "10.0.0.0/30", "a", "b"];
        assert_eq!(shown(&words), ["10.0.0.9", "a", "10.0.0.1", "10.0.0.2", "b"]);
        assert_eq!(targets(&words).repeated, 3);
    }

    #[test]
    fn blocks_that_overlap_are_one() {
        let words = ["10.0.0.10-12", "10.0.0.20-22", "10.0.0.8-24", "10.0.0.11"];
        let all = targets(&words);
        let mut last: Vec<u8> = (0..all.count())
            .map(|index| match all.address(index).0 {
                IpAddr::V4(v4) => v4.octets()[3],
                IpAddr::V6(_) => 0,
            })
            .collect();
        assert_eq!(all.repeated, 7);
        last.sort_unstable();
        assert_eq!(last, (8..=24).collect::<Vec<u8>>());
    }

    #[test]
    fn more_than_a_run_takes_is_refused() {
        let mut builder = Builder::default();
        builder.add_block(0, MAX_TARGETS).unwrap();
        assert_eq!(builder.add_address(1 << 40), Err(TooMany));
    }

    #[test]
    fn loopback_is_reported_from_everything_else() {
        assert!(targets(&["127.0.0.0/16", "127.1.2.3", "::1"]).are_all_loopback());
        assert!(!targets(&["127.0.0.0/16", "10.0.0.1"]).are_all_loopback());
        assert!(!targets(&["127.255.255.250-128.0.0.1"]).are_all_loopback());
    }
}

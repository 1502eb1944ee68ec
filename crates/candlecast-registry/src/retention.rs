//! Which versions of a slot are deleted when there are more than are to be kept.

use std::collections::BTreeMap;

use crate::{Status, Version};

/// Versions to delete so that `keep` of `stored`, the versions of one slot, remain, oldest first: archived ones, then
/// candidates that are not the newest, and only then `rollback`, the one that served last. The active one and the
/// newest stay whatever `keep` says.
pub(crate) fn surplus(stored: &BTreeMap<Version, Status>, rollback: Option<Version>, keep: usize) -> Vec<Version> {
    let newest = stored.keys().next_back().copied();
    let rank = |version: Version, status: Status| match status {
        _ if Some(version) == rollback => 2,
        Status::Candidate => 1,
        _ => 0,
    };
    let mut order: Vec<(u8, Version)> = stored
        .iter()
        .filter(|&(version, status)| *status != Status::Active && Some(*version) != newest)
        .map(|(version, status)| (rank(*version, *status), *version))
        .collect();
    order.sort_unstable();
    let excess = stored.len().saturating_sub(keep);
    order.into_iter().take(excess).map(|(_, version)| version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(patch: u32) -> Version {
        Version { patch, ..Version::FIRST }
    }

    #[test]
    fn the_oldest_archived_go_first() {
        use Status::{Active, Archived, Candidate};
        let stored: BTreeMap<Version, Status> = [Archived, Archived, Active, Candidate, Candidate, Candidate]
            .into_iter()
            .zip(0..)
            .map(|(s, i)| (v(i), s))
            .collect();
        let gone = |keep| surplus(&stored, Some(v(1)), keep);
        assert!(gone(6).is_empty());
        assert_eq!(gone(5), [v(0)]);
        assert_eq!(gone(4), [v(0), v(3)]);
        assert_eq!(gone(2), [v(0), v(3), v(4), v(1)]);
        assert_eq!(gone(0), gone(2), "the active and the newest one always stay");
    }
}

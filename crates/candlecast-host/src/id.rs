//! Identities of jobs and runs: 16 characters, the first nine the time, the others random.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use candlecast_core::Timestamp;

/// Crockford's digits in small letters: none looks like another, and their order is that of ASCII.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits of the time: 45 bits of milliseconds reach beyond the year 3000.
const TIME_DIGITS: u32 = 9;
/// Digits of the random part: two jobs queued in one millisecond are alike once in 34 thousand million pairs.
const RANDOM_DIGITS: u32 = 7;

/// A fresh identity. Those of one host sort by time; the random part keeps hosts and processes apart.
pub fn job_id(now: Timestamp) -> String {
    let time = u64::try_from(now.ms()).unwrap_or(0);
    format!("{}{}", digits(time, TIME_DIGITS), tag())
}

/// The identity of what is done once for `what`, a hash, at a set time: the same whoever asks. It looks like the others.
pub fn set_id(at: Timestamp, what: u64) -> String {
    format!("{}{}", digits(u64::try_from(at.ms()).unwrap_or(0), TIME_DIGITS), digits(what, RANDOM_DIGITS))
}

/// Seven random characters.
pub fn tag() -> String {
    digits(random_bits(), RANDOM_DIGITS)
}

/// The lowest `n` digits of `value`, the highest first.
fn digits(value: u64, n: u32) -> String {
    (0..n).rev().map(|k| char::from(DIGITS[(value >> (5 * k)) as usize & 31])).collect()
}

/// Bits that nobody else draws: SipHash under a key that the standard library takes from the system, of a number
/// that is new at every call.
fn random_bits() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    RandomState::new().hash_one((std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn identities_sort_by_time_and_do_not_repeat() {
        let times = [0, 1, 31, 32, 1_704_067_200_000, 1_704_067_200_001, 32_000_000_000_000];
        let ids: Vec<String> = times.iter().map(|&ms| job_id(Timestamp(ms))).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|b| DIGITS.contains(&b))), "{ids:?}");
        let drawn: BTreeSet<String> = (0..10_000).map(|_| job_id(Timestamp(7))).collect();
        assert_eq!(drawn.len(), 10_000);
    }

    #[test]
    fn set_identities_are_told_by_time_and_hash_alone() {
        let id = |ms, what| set_id(Timestamp(ms), what);
        assert_eq!(id(1_704_067_200_000, 7), id(1_704_067_200_000, 7));
        assert_eq!(id(1_704_067_200_000, 7).len(), 16);
        assert_ne!(id(1_704_067_200_000, 7), id(1_704_067_200_000, 8));
        assert_ne!(id(1_704_067_200_000, 7), id(1_704_067_260_000, 7));
    }

    #[test]
    fn digits_are_those_of_base_32() {
        assert_eq!(digits(0, 3), "000");
        assert_eq!(digits(32 * 32 - 1, 3), "0zz");
        assert_eq!(digits(33, 2), "11");
    }
}

//! [`WeightBudget`]: what an exchange's rate limit allows, kept on this side.

use std::collections::VecDeque;

/// A rate limit: so much weight in any window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Weight that may be spent in a window.
    pub weight: u32,
    /// Length of the window in ms.
    pub window_ms: u64,
}

impl Budget {
    /// This limit with only `share` (0-1] of its weight, at least 1.
    #[must_use]
    pub fn scaled(self, share: f64) -> Self {
        Self { weight: ((f64::from(self.weight) * share) as u32).max(1), ..self }
    }
}

/// Spends at most [`Budget::weight`] in every window, wherever the window begins. A token bucket of that size
/// could spend nearly twice as much in the exchange's own minute; a log of what was spent cannot.
#[derive(Debug, Clone)]
pub struct WeightBudget {
    budget: Budget,
    /// When, how much; oldest first.
    spent: VecDeque<(u64, u32)>,
    total: u32,
    blocked_until_ms: u64,
}

impl WeightBudget {
    /// Nothing spent yet.
    pub fn new(budget: Budget) -> Self {
        Self { budget, spent: VecDeque::new(), total: 0, blocked_until_ms: 0 }
    }

    /// Books `weight` at `now_ms` and returns 0, or returns the milliseconds to wait before asking again. A
    /// weight above the whole budget counts as the whole budget.
    pub fn reserve(&mut self, now_ms: u64, weight: u32) -> u64 {
        self.reserve_within(self.budget.weight, now_ms, weight)
    }

    /// The same for somebody who keeps to `limit` of the weight, at least 1, though others may spend more of it.
    pub(crate) fn reserve_within(&mut self, limit: u32, now_ms: u64, weight: u32) -> u64 {
        let blocked_ms = self.blocked_ms(now_ms);
        if blocked_ms > 0 {
            return blocked_ms;
        }
        self.expire(now_ms);
        let limit = limit.clamp(1, self.budget.weight.max(1));
        let weight = weight.min(limit);
        // What others spent may exceed the limit of this one: as much has to expire beyond what it needs.
        let mut total = self.total;
        if weight.saturating_add(total) <= limit {
            self.book(now_ms, weight);
            return 0;
        }
        for &(at, amount) in &self.spent {
            total = total.saturating_sub(amount);
            if weight.saturating_add(total) <= limit {
                return (at + self.budget.window_ms).saturating_sub(now_ms).max(1);
            }
        }
        self.budget.window_ms
    }

    /// Takes over the exchange's own count of what this address has used, where it is higher: others may share
    /// the address.
    pub fn observe(&mut self, now_ms: u64, used: u32) {
        self.expire(now_ms);
        let unknown = used.saturating_sub(self.total);
        if unknown > 0 {
            self.book(now_ms, unknown);
        }
    }

    /// Milliseconds from `now_ms` for which nothing may be spent at all.
    pub(crate) fn blocked_ms(&self, now_ms: u64) -> u64 {
        self.blocked_until_ms.saturating_sub(now_ms)
    }

    /// Spends nothing before `until_ms`.
    pub fn block_until(&mut self, until_ms: u64) {
        self.blocked_until_ms = self.blocked_until_ms.max(until_ms);
    }

    fn book(&mut self, now_ms: u64, weight: u32) {
        self.spent.push_back((now_ms, weight));
        self.total = self.total.saturating_add(weight);
    }

    fn expire(&mut self, now_ms: u64) {
        while let Some(&(at, weight)) = self.spent.front() {
            if at + self.budget.window_ms > now_ms {
                break;
            }
            self.spent.pop_front();
            self.total = self.total.saturating_sub(weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn no_window_ever_holds_more_than_the_budget() {
        let budget = Budget { weight: 50, window_ms: 1_000 };
        let mut spender = WeightBudget::new(budget);
        let mut stream = Seed(3).stream();
        let (mut now, mut log) = (0_u64, Vec::new());
        for _ in 0..2_000 {
            let weight = 1 + stream.below(20) as u32;
            loop {
                let wait = spender.reserve(now, weight);
                if wait == 0 {
                    break;
                }
                now += wait;
            }
            log.push((now, weight));
            now += stream.below(30) as u64;
        }
        for (i, &(start, _)) in log.iter().enumerate() {
            let spent: u32 = log[i..].iter().take_while(|(t, _)| *t < start + 1_000).map(|(_, w)| w).sum();
            assert!(spent <= 50, "{spent} from {start}");
        }
        let rate = f64::from(log.iter().map(|(_, w)| w).sum::<u32>()) / now as f64;
        assert!(rate > 0.035, "the budget of 0.05 a ms should be used, not {rate}");
    }

    #[test]
    fn the_exchange_counts_too() {
        let mut spender = WeightBudget::new(Budget { weight: 100, window_ms: 60_000 });
        assert_eq!(spender.reserve(0, 10), 0);
        spender.observe(1, 95);
        assert_eq!(spender.reserve(2, 10), 59_998, "the first ten expire first");
        spender.observe(2, 20);
        assert_eq!(spender.reserve(60_001, 50), 0);
        spender.block_until(70_000);
        assert_eq!(spender.reserve(60_002, 1), 9_998);
    }

    #[test]
    fn who_keeps_to_less_waits_for_what_others_spent() {
        let mut spender = WeightBudget::new(Budget { weight: 100, window_ms: 1_000 });
        assert_eq!(spender.reserve(0, 30), 0);
        assert_eq!(spender.reserve(1, 40), 0);
        assert_eq!(spender.reserve_within(50, 2, 10), 998, "the first 30 have to expire");
        assert_eq!(spender.reserve_within(50, 2, 20), 999, "and the 40 after them");
        assert_eq!(spender.reserve(2, 20), 0);
        assert_eq!(spender.reserve_within(50, 1_000, 10), 1, "60 of others are left");
        assert_eq!(spender.reserve_within(50, 1_001, 30), 0);
    }
}

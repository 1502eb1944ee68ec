//! [`CrossValidation`]: purged k-fold and combinatorial purged cross-validation (López de Prado 2018, chapters 7 and 12).
//!
//! A period is cut into `N` groups of equally many candles. A split tests `k` of them and learns from the others, before
//! and after; there are `C(N, k)` splits. With `k = 1` it is a k-fold. Beside a test group nothing is learnt from whose
//! label reaches into its labels (a purge of one horizon on both sides), nor from the candles behind it (the embargo).
//! Each group is tested by `C(N - 1, k - 1)` splits; the first of each give the first path through the whole period, the
//! second ones the second, and so on, so that each test of a group is part of one path.
//!
//! It is for research. A fit that has seen later candles is none that anybody could have made at the time, so no verdict
//! is given. What intervals, factors and confidences are learnt from is kept from the test groups, too: forecasts of a
//! training group by a fit that has seen neither that group nor those of the split. They are learnt from once and stay
//! as they are within a test group; the scale of errors is the volatility at the origin, which no fit is behind.

mod forecasts;

use std::collections::{BTreeMap, BTreeSet};

use candlecast_core::TimeRange;

use crate::dataset::Market;
use crate::split::{CALIBRATION_OUTCOMES, Fold, Plan, PlanConfig, PlanError, checked_rows, end_of, open_time};

pub use forecasts::{CrossForecasts, CrossPath};

/// How a period is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossConfig {
    /// Groups, `N`.
    pub groups: usize,
    /// Groups that a split tests, `k`: at least 1, and at most `N - 2`, as calibration keeps one more from its fits.
    pub test_groups: usize,
    /// Candles behind a test group and its outcomes that are not learnt from; `None` for 1 % of those of the period.
    pub embargo: Option<usize>,
}

/// Groups at most.
const MAX_GROUPS: usize = 100;
/// Candles of an embargo at most.
const MAX_EMBARGO: usize = 1_000_000;
/// Splits at most.
const MAX_SPLITS: usize = 500;
/// Horizons of a group's outcomes that calibration needs at least: twenty blocks of four for the factor, and some.
const CALIBRATION_HORIZONS: usize = 100;

impl CrossConfig {
    /// What is wrong with it, if anything.
    pub fn check(&self) -> Result<(), String> {
        let Self { groups, test_groups, .. } = *self;
        if !(3..=MAX_GROUPS).contains(&groups) {
            return Err(format!("{groups} groups: 3 to {MAX_GROUPS} are possible"));
        }
        if test_groups == 0 || test_groups > groups - 2 {
            return Err(format!("{test_groups} of {groups} groups cannot be tested at once: 1 to {} can", groups - 2));
        }
        if let Some(embargo) = self.embargo.filter(|&embargo| embargo > MAX_EMBARGO) {
            return Err(format!("an embargo of {embargo} candles: {MAX_EMBARGO} are possible at most"));
        }
        let splits = binomial(groups, test_groups);
        if splits > MAX_SPLITS {
            return Err(format!(
                "{groups} groups of which {test_groups} are tested make {splits} splits, more than {MAX_SPLITS}: take fewer groups"
            ));
        }
        Ok(())
    }

    /// `C(N, k)`.
    pub fn splits(&self) -> usize {
        binomial(self.groups, self.test_groups)
    }

    /// `C(N - 1, k - 1)`: how often each group is tested.
    pub fn paths(&self) -> usize {
        binomial(self.groups.saturating_sub(1), self.test_groups.saturating_sub(1))
    }
}

/// `C(n, k)`; `usize::MAX` where it is greater.
fn binomial(n: usize, k: usize) -> usize {
    let Some(rest) = n.checked_sub(k) else { return 0 };
    let product = (0..k.min(rest)).try_fold(1_usize, |c, i| Some(c.checked_mul(n - i)? / (i + 1)));
    product.unwrap_or(usize::MAX)
}

/// Every choice of `k` of `0..n`, in lexicographic order.
fn combinations(n: usize, k: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    let mut chosen: Vec<usize> = (0..k).collect();
    loop {
        all.push(chosen.clone());
        // The last place that can move on, and those behind it right after it.
        let Some(place) = (0..k).rev().find(|&i| chosen[i] < n - k + i) else { return all };
        chosen[place] += 1;
        for i in place + 1..k {
            chosen[i] = chosen[i - 1] + 1;
        }
    }
}

/// The forecasts that calibrate one test group of one split: a fit and a training group that it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Calibrating {
    fit: usize,
    group: usize,
}

/// All fits of a cross-validation, and what is made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidation {
    /// Groups in time order.
    groups: Vec<TimeRange>,
    /// Test groups of each split, ascending; the splits in lexicographic order.
    splits: Vec<Vec<usize>>,
    /// Splits that test each group, `[group]`, in their order.
    by_group: Vec<Vec<usize>>,
    /// By split and place of the group among its test groups; those farthest in time first.
    calibrating: Vec<Vec<Vec<Calibrating>>>,
    /// One fold a fit: those of the splits, then those that only calibrate. Their test ranges overlap.
    plan: Plan,
    /// Candles of a group, about.
    group_rows: usize,
    embargo: usize,
}

impl PlanConfig {
    /// The cross-validation of the candles of `market` within `range`.
    pub fn cross_validation(
        &self,
        market: &Market,
        range: TimeRange,
        config: &CrossConfig,
    ) -> Result<CrossValidation, PlanError> {
        config.check().map_err(PlanError::Contradiction)?;
        let CrossConfig { groups: n, test_groups: k, .. } = *config;
        let (first, end) = checked_rows(market, range, self)?;
        // What lies in the warm-up is no origin.
        let from = first.max(self.warm_up.min(end - 1));
        let rows = end - from;
        let embargo = config.embargo.unwrap_or(rows.div_ceil(100));
        // A fit for calibration is kept from one group more than those of a split.
        let lost = (k + 1) * (2 * self.horizon + embargo);
        let need = n * (self.min_candles + lost).div_ceil(n - k - 1).max(4 * self.horizon + 10);
        if rows < need {
            let (min_candles, horizon) = (self.min_candles, self.horizon);
            return Err(PlanError::TooFewCandles { have: rows, need, min_candles, horizon });
        }
        let border = |group: usize| open_time(market, from + rows * group / n);
        let end_time = end_of(market, end);
        let groups: Vec<TimeRange> = (0..n)
            .map(|g| TimeRange { from: border(g), to: if g + 1 < n { border(g + 1) } else { end_time } })
            .collect();
        let cut = Cut { groups: &groups, step_ms: market.series().key().interval.ms(), horizon: self.horizon, embargo };
        let splits = combinations(n, k);
        let (sets, calibrating) = cut.calibrating(&splits, rows / n);
        let window = TimeRange { from: open_time(market, first), to: end_time };
        let of_splits = splits.iter().map(|split| cut.fold(window, split, split));
        let of_sets = sets.iter().map(|(held_out, wanted)| {
            let wanted: Vec<usize> = wanted.iter().copied().collect();
            cut.fold(window, held_out, &wanted)
        });
        let plan = Plan {
            folds: of_splits.chain(of_sets).collect(),
            scored: TimeRange { from: groups[0].from, to: end_time },
            known_to: end_of(market, (end + self.horizon).min(market.series().len())),
            warm_up: self.warm_up,
            notes: vec![],
        };
        let tests = |group: usize| -> Vec<usize> {
            (0..splits.len()).filter(|&split| splits[split].contains(&group)).collect()
        };
        let by_group: Vec<Vec<usize>> = (0..n).map(tests).collect();
        Ok(CrossValidation { by_group, splits, calibrating, plan, group_rows: rows / n, embargo, groups })
    }
}

/// A period in groups.
struct Cut<'a> {
    groups: &'a [TimeRange],
    step_ms: i64,
    horizon: usize,
    embargo: usize,
}

/// Groups that a fit for calibration is kept from, and those of them that it forecasts.
type Sets = BTreeMap<Vec<usize>, BTreeSet<usize>>;

impl Cut<'_> {
    /// What is not learnt from where `group` is held out: the purge, the group, its outcomes and the embargo.
    fn apart(&self, group: usize) -> TimeRange {
        let TimeRange { from, to } = self.groups[group];
        let candles = |n: usize| n as i64 * self.step_ms;
        TimeRange { from: from.plus_ms(-candles(self.horizon)), to: to.plus_ms(candles(self.horizon + self.embargo)) }
    }

    /// The fit on `window` that is kept from `held_out` and forecasts the groups `tested` (both ascending, not empty).
    fn fold(&self, window: TimeRange, held_out: &[usize], tested: &[usize]) -> Fold {
        let parts: Vec<TimeRange> = tested.iter().map(|&group| self.groups[group]).collect();
        Fold {
            learn_from: window.from,
            earliest: window.from,
            fit_at: window.to,
            test: TimeRange { from: parts[0].from, to: parts[parts.len() - 1].to },
            apart: held_out.iter().map(|&group| self.apart(group)).collect(),
            parts,
        }
    }

    /// What calibrates each test group of each split: the nearest training groups, as many as have enough outcomes; and
    /// the fits that it takes, which come behind those of the splits.
    fn calibrating(&self, splits: &[Vec<usize>], group_rows: usize) -> (Sets, Vec<Vec<Vec<Calibrating>>>) {
        let wanted = (CALIBRATION_OUTCOMES + self.horizon).max(CALIBRATION_HORIZONS * self.horizon);
        let usable = group_rows.saturating_sub(2 * self.horizon + self.embargo).max(1);
        let near = |split: &[usize], group: usize| -> Vec<usize> {
            let mut others: Vec<usize> = (0..self.groups.len()).filter(|g| !split.contains(g)).collect();
            others.sort_by_key(|&other| (other.abs_diff(group), other));
            others.truncate(wanted.div_ceil(usable).max(1));
            // What is learnt last counts most.
            others.reverse();
            others
        };
        let mut sets = Sets::new();
        for split in splits {
            for other in split.iter().flat_map(|&group| near(split, group)) {
                sets.entry(with(split, other)).or_default().insert(other);
            }
        }
        let places: BTreeMap<&Vec<usize>, usize> =
            sets.keys().enumerate().map(|(k, set)| (set, splits.len() + k)).collect();
        let of = |split: &Vec<usize>, group: usize| -> Vec<Calibrating> {
            let fit = |other: usize| places[&with(split, other)];
            near(split, group).into_iter().map(|other| Calibrating { fit: fit(other), group: other }).collect()
        };
        let calibrating = splits.iter().map(|split| split.iter().map(|&group| of(split, group)).collect()).collect();
        drop(places);
        (sets, calibrating)
    }
}

/// `split` and `other`, ascending.
fn with(split: &[usize], other: usize) -> Vec<usize> {
    let mut all = [split, &[other][..]].concat();
    all.sort_unstable();
    all
}

impl CrossValidation {
    /// Groups in time order.
    pub fn groups(&self) -> &[TimeRange] {
        &self.groups
    }

    /// Test groups of each split, ascending; the splits in lexicographic order.
    pub fn splits(&self) -> &[Vec<usize>] {
        &self.splits
    }

    /// Paths through the whole period: how often each group is tested.
    pub fn n_paths(&self) -> usize {
        self.by_group[0].len()
    }

    /// Fits of a model, those that only calibrate among them.
    pub fn n_fits(&self) -> usize {
        self.plan.folds.len()
    }

    /// From the first to behind the last origin that is tested.
    pub fn scored(&self) -> TimeRange {
        self.plan.scored
    }

    /// Candles of a group, about.
    pub fn group_rows(&self) -> usize {
        self.group_rows
    }

    /// Candles behind a test group and its outcomes that are not learnt from.
    pub fn embargo(&self) -> usize {
        self.embargo
    }

    /// The fits: those of the splits, then those that only calibrate.
    pub fn fits(&self) -> &[Fold] {
        &self.plan.folds
    }

    /// Path `path` as a plan: one fold a group, that of the split that tests it on this path.
    pub fn path(&self, path: usize) -> Plan {
        let fold = |(group, splits): (usize, &Vec<usize>)| Fold {
            test: self.groups[group],
            parts: vec![],
            ..self.plan.folds[splits[path]].clone()
        };
        Plan { folds: self.by_group.iter().enumerate().map(fold).collect(), ..self.plan.clone() }
    }
}

#[cfg(test)]
mod tests;

//! Laws of cross-validations: what is tested how often, and that nothing that is learnt from overlaps with it.

use std::ops::Range;
use std::sync::Arc;

use candlecast_core::{Seed, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::dataset::{Dataset, Panel};
use crate::made::market_of;
use crate::split::{TrainWindow, rows_of, split};

fn market(n: usize) -> Arc<Market> {
    let mut rng = Seed(3).stream();
    market_of(&(0..n).map(|_| 0.01 * rng.normal()).collect::<Vec<f64>>())
}

fn config(horizon: usize, min_candles: usize) -> PlanConfig {
    PlanConfig { horizon, window: TrainWindow::Expanding, retrain_days: 7, min_candles, warm_up: 40 }
}

fn cross(groups: usize, test_groups: usize, embargo: usize) -> CrossConfig {
    CrossConfig { groups, test_groups, embargo: Some(embargo) }
}

/// Rows of each group, `[group]`.
fn group_rows(cross: &CrossValidation, market: &Market) -> Vec<Range<usize>> {
    rows_of(cross.groups(), market)
}

#[test]
fn combinations_are_those_of_itertools() {
    // itertools.combinations(range(4), 2), math.comb
    assert_eq!(combinations(4, 2), [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
    assert_eq!(combinations(3, 1), [[0], [1], [2]]);
    assert_eq!(combinations(3, 3), [[0, 1, 2]]);
    for (n, k, all) in [(6, 2, 15), (10, 2, 45), (10, 5, 252), (16, 8, 12_870), (5, 5, 1), (7, 0, 1)] {
        assert_eq!(binomial(n, k), all, "{n} {k}");
    }
    assert_eq!(combinations(10, 5).len(), 252);
    assert_eq!(binomial(100, 50), usize::MAX);
}

#[test]
fn configurations_without_enough_groups_or_with_too_many_splits_are_refused() {
    let wrong = |groups, test_groups| cross(groups, test_groups, 0).check().unwrap_err();
    assert!(wrong(2, 1).contains("3 to 100") && wrong(101, 1).contains("3 to 100"));
    assert!(wrong(6, 0).contains("1 to 4") && wrong(6, 5).contains("1 to 4"));
    assert!(wrong(16, 8).contains("12870 splits"));
    assert!(cross(6, 2, usize::MAX).check().unwrap_err().contains("embargo"));
    for (groups, test_groups) in [(3, 1), (6, 2), (6, 4), (100, 1)] {
        assert_eq!(cross(groups, test_groups, 10).check(), Ok(()));
    }
    // The example of López de Prado (2018), 12.4.1: of six groups two are tested in 15 splits, which make five paths.
    let example = cross(6, 2, 0);
    assert_eq!((example.splits(), example.paths()), (15, 5));
}

#[test]
fn too_few_candles_are_told_with_the_number_that_is_enough() {
    let config = config(4, 300);
    let try_with = |n: usize| config.cross_validation(&market(n), TimeRange::ALL, &cross(5, 1, 10));
    let Err(PlanError::TooFewCandles { have, need, .. }) = try_with(300) else { panic!("300 candles are too few") };
    assert_eq!(have, 260, "the warm-up is no part of it");
    assert!(try_with(40 + need - 1).is_err() && try_with(40 + need).is_ok(), "{need}");
    assert!(matches!(
        config.cross_validation(&market(3_000), TimeRange::ALL, &cross(3, 2, 10)),
        Err(PlanError::Contradiction(_))
    ));
}

#[test]
fn without_an_embargo_of_its_own_it_is_one_in_a_hundred() {
    let cross = CrossConfig { groups: 5, test_groups: 1, embargo: None };
    let cross = config(4, 300).cross_validation(&market(3_040), TimeRange::ALL, &cross).unwrap();
    assert_eq!((cross.embargo(), cross.group_rows()), (30, 600));
}

#[test]
fn the_nearest_groups_calibrate_and_those_that_are_nearer_come_last() {
    let market = market(24_040);
    let cross = config(4, 300).cross_validation(&market, TimeRange::ALL, &cross(8, 1, 0)).unwrap();
    // Groups of 3,000 candles have the 1,504 outcomes that are wanted.
    let near = |split: usize| -> Vec<usize> { cross.calibrating[split][0].iter().map(|c| c.group).collect() };
    assert_eq!([near(0), near(3), near(7)], [[1], [2], [6]]);
    let few = config(24, 300).cross_validation(&market, TimeRange::ALL, &super::tests::cross(16, 2, 0)).unwrap();
    // 1,500 candles, of which 1,452 are left beside a test group: 2,400 are wanted.
    let split = few.splits().iter().position(|split| split == &[3, 5]).unwrap();
    let groups = |place: usize| -> Vec<usize> { few.calibrating[split][place].iter().map(|c| c.group).collect() };
    assert_eq!([groups(0), groups(1)], [[4, 2], [6, 4]]);
}

/// Rows that a fit trains or validates on.
fn learnt_from(fold: &Fold, market: &Arc<Market>, horizon: usize) -> Vec<usize> {
    let data = Dataset::single(Panel::closes(Arc::clone(market)));
    let parts = split(fold, &data, 1, horizon, 0.0);
    parts.train.iter().map(|id| id.row as usize).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_learnt_from_overlaps_with_what_is_tested(
        groups in 3..9_usize,
        share in 0.0..1.0f64,
        horizon in 1..30_usize,
        embargo in 0..60_usize,
        from in 0..300_usize,
    ) {
        let test_groups = 1 + ((groups - 2) as f64 * share) as usize;
        let test_groups = test_groups.min(groups - 2);
        let market = market(4_500);
        let opened = |row: usize| Timestamp(market.series().columns().open_time[row]);
        let range = TimeRange { from: opened(from), to: opened(4_400) };
        let cross = config(horizon, 60).cross_validation(&market, range, &cross(groups, test_groups, embargo));
        let Ok(cross) = cross else { return Ok(()) };
        let rows = group_rows(&cross, &market);

        // The groups tile the period, alike within a candle.
        prop_assert!(rows[0].start == from.max(40) && rows[groups - 1].end == 4_400);
        for pair in rows.windows(2) {
            prop_assert!(pair[0].end == pair[1].start && pair[0].len().abs_diff(pair[1].len()) <= 1);
        }

        // What a fit learns from ends before a group that it is kept from begins, and begins behind its outcomes and the
        // embargo.
        let n_splits = cross.splits().len();
        for (k, fold) in cross.fits().iter().enumerate() {
            prop_assert_eq!(fold.apart.len(), if k < n_splits { test_groups } else { test_groups + 1 });
            let learnt = learnt_from(fold, &market, horizon);
            prop_assert!(learnt.len() >= 60 && learnt.iter().all(|row| (from..4_400 - horizon).contains(row)));
            for part in rows_of(&fold.parts, &market) {
                let held_out = rows.iter().find(|group| **group == part);
                prop_assert!(held_out.is_some(), "what is forecast are whole groups");
            }
            let apart = fold.apart_in(&market);
            for (group, apart) in rows.iter().filter(|g| is_held_out(g, &apart)).zip(&apart) {
                prop_assert!(apart.start == group.start.saturating_sub(horizon));
                prop_assert!(apart.end == (group.end + horizon + embargo).min(4_500));
                for &row in &learnt {
                    let before = row + horizon < group.start;
                    // The last outcome of the group is the close of `group.end - 1 + horizon`.
                    let behind = row >= group.end + horizon + embargo;
                    prop_assert!(before || behind, "{row} {group:?}");
                }
            }
        }

        // What calibrates a test group is forecast by a fit that is kept from it and from all that the split tests.
        for (split, tested) in cross.splits().iter().enumerate() {
            for of_group in &cross.calibrating[split] {
                prop_assert!(!of_group.is_empty());
                for &Calibrating { fit, group } in of_group {
                    prop_assert!(fit >= n_splits && !tested.contains(&group));
                    let apart = cross.fits()[fit].apart_in(&market);
                    for &kept in tested.iter().chain([&group]) {
                        prop_assert!(is_held_out(&rows[kept], &apart));
                    }
                    prop_assert!(rows_of(&cross.fits()[fit].parts, &market).contains(&rows[group]));
                }
            }
        }
    }

    #[test]
    fn each_origin_is_tested_once_a_path_and_by_every_split_once(groups in 3..9_usize, test_groups in 1..5_usize) {
        let test_groups = test_groups.min(groups - 2);
        let market = market(3_000);
        let cross = config(3, 60).cross_validation(&market, TimeRange::ALL, &cross(groups, test_groups, 5)).unwrap();
        let paths = cross.n_paths();
        prop_assert_eq!(paths, binomial(groups - 1, test_groups - 1));
        prop_assert_eq!(cross.splits().len() * test_groups, paths * groups);

        // How often each origin is forecast by a split.
        let rows = cross.plan.rows(&market);
        let mut tested = vec![0; 3_000];
        for split in 0..cross.splits().len() {
            let (origins, _) = cross.plan.origins(&rows, split, &market, 3);
            origins.into_iter().for_each(|row| tested[row] += 1);
        }
        // The outcomes of the last origins are not stored.
        prop_assert!(tested[..40].iter().chain(&tested[2_997..]).all(|&n| n == 0));
        prop_assert!(tested[40..2_997].iter().all(|&n| n == paths));

        // Every test of a group by a split is part of one path, and a path tests every group once.
        let mut used = BTreeSet::new();
        for path in 0..paths {
            let plan = cross.path(path);
            prop_assert_eq!(plan.folds.len(), groups);
            for (group, fold) in plan.folds.iter().enumerate() {
                prop_assert!(fold.test == cross.groups()[group] && fold.parts.is_empty());
                let split = cross.by_group[group][path];
                prop_assert!(cross.splits()[split].contains(&group) && used.insert((split, group)));
                prop_assert_eq!(&fold.apart, &cross.fits()[split].apart);
            }
            let rows = plan.rows(&market);
            let origins: Vec<usize> = (0..groups).flat_map(|fold| rows.origins(fold, &market, 3).0).collect();
            prop_assert!(origins.iter().copied().eq(40..2_997));
        }
        prop_assert_eq!(used.len(), paths * groups);
    }
}

/// True where a range of `apart` is that of `group` with what is beside it.
fn is_held_out(group: &Range<usize>, apart: &[Range<usize>]) -> bool {
    apart.iter().any(|apart| apart.start <= group.start && group.end <= apart.end)
}

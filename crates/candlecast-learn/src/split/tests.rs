//! Tests of plans and splits.

use super::*;
use crate::dataset::{Dataset, Panel, SampleId};
use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{FeatureTable, FilledSeries};
use std::sync::Arc;

fn market(n: usize) -> Arc<Market> {
    let g = generate(&MarketConfig { n_candles: n, ..MarketConfig::default() });
    Arc::new(Market::new(FilledSeries::new(&g[0].series, 3)))
}

fn config() -> PlanConfig {
    PlanConfig {
        horizon: 24,
        window: TrainWindow::Rolling { days: 100 },
        retrain_days: 7,
        min_candles: 1_000,
        warm_up: 0,
    }
}

#[test]
fn walk_forward_covers_the_range_once_and_trains_only_before_it() {
    let m = market(8_000);
    let range = TimeRange {
        from: Timestamp(m.series().columns().open_time[5_000]),
        to: Timestamp(m.series().columns().open_time[7_000]),
    };
    let plan = config().walk_forward(&m, range).unwrap().rows(&m);
    assert_eq!(plan.scored, 5_000..7_000);
    let mut next = plan.folds[0].test.start;
    assert!(plan.folds[0].test.start <= 5_000 - 1_524 && plan.folds[0].fit_row >= 1_000);
    for fold in &plan.folds {
        assert_eq!(fold.test.start, next);
        assert_eq!(fold.fit_row, fold.test.start);
        assert_eq!(fold.fit_row - fold.window_start, 2_400.min(fold.fit_row));
        next = fold.test.end;
    }
    assert_eq!(next, 7_000);
    assert!(plan.folds.iter().any(|f| f.fit_row == 5_000), "a refit falls on the range's start");
}

#[test]
fn short_history_makes_the_first_part_training_and_says_so() {
    let m = market(3_000);
    let plan = config().walk_forward(&m, TimeRange::ALL).unwrap();
    assert_eq!(plan.rows(&m).scored.start, 1_000);
    assert_eq!(plan.notes.len(), 1);
    assert!(config().walk_forward(&market(900), TimeRange::ALL).is_err());
}

#[test]
fn four_dates_bound_what_any_fit_and_what_the_first_one_learns_from() {
    let m = market(8_000);
    let time = |row: usize| Timestamp(m.series().columns().open_time[row]);
    let range = TimeRange { from: time(5_000), to: time(7_000) };
    let plan = |train: TimeRange| config().walk_forward_within(&m, range, train);
    let within = |train: TimeRange| plan(train).unwrap().rows(&m);
    assert_eq!(within(TimeRange::ALL), config().walk_forward(&m, range).unwrap().rows(&m));
    assert_eq!(within(TimeRange { to: time(5_000), ..TimeRange::ALL }), within(TimeRange::ALL), "the default");

    let train = TimeRange { from: time(2_000), to: time(4_500) };
    let rows = within(train);
    assert_eq!(rows.scored, 5_000..7_000);
    let first = rows.folds.iter().position(|fold| fold.test.contains(&5_000)).unwrap();
    // Fitted at the end of the training part, it forecasts from there on until the first refit within the range.
    assert_eq!(rows.folds[first], FoldRows { window_start: 2_100, fit_row: 4_500, test: 4_500..5_168 });
    for (k, fold) in rows.folds.iter().enumerate() {
        assert!(fold.window_start >= 2_000 && fold.fit_row - fold.window_start >= 1_000, "{fold:?}");
        assert!(k > first || fold.fit_row <= 4_500, "{fold:?}");
        assert!(k <= first || fold.fit_row == fold.test.start, "{fold:?}");
    }
    assert!(rows.folds[0].test.start <= 5_000 - 1_524, "calibration has its outcomes");
    let own = PlanConfig { window: TrainWindow::Own, ..config() }.walk_forward_within(&m, range, train).unwrap();
    assert!(own.folds.iter().all(|fold| fold.earliest == train.from));

    let late = plan(TimeRange { to: time(5_001), ..TimeRange::ALL }).unwrap_err();
    assert!(matches!(&late, PlanError::Contradiction(text) if text.contains("trainEnd")), "{late}");
    let backwards = plan(TimeRange { from: time(4_500), to: time(4_500) }).unwrap_err();
    assert!(matches!(&backwards, PlanError::Contradiction(_)), "{backwards}");
    let few = plan(TimeRange { from: time(4_001), to: time(5_000) }).unwrap_err();
    assert!(matches!(few, PlanError::TooFewCandles { have: 999, .. }), "{few}");
    // Without an end the first part of the range trains, as it does where nothing is stored before it.
    let short = plan(TimeRange { from: time(4_500), ..TimeRange::ALL }).unwrap();
    assert_eq!((short.rows(&m).scored.start, short.notes.len()), (5_500, 1));
}

#[test]
fn the_test_part_of_a_training_is_as_long_as_was_asked_for() {
    let m = market(10_000);
    let tested = |share: Option<f64>| config().training_testing(&m, TimeRange::ALL, share).unwrap().rows(&m).scored;
    assert_eq!(tested(None), config().training(&m, TimeRange::ALL).unwrap().rows(&m).scored);
    for (share, rows) in [(0.05, 500), (0.15, 1_500), (0.4, 4_000)] {
        let scored = tested(Some(share));
        assert_eq!((scored.len(), scored.end), (rows, 10_000 - 24), "{share}");
    }
    // Ninety days bound what nobody asked for alone.
    let long = market(16_000);
    let tested = |share| config().training_testing(&long, TimeRange::ALL, share).unwrap().rows(&long).scored.len();
    assert_eq!((tested(None), tested(Some(0.15))), (2_160, 2_400));
}

#[test]
fn parts_are_purged_and_labels_complete_before_the_fit() {
    let m = market(4_000);
    let data = Dataset::single(Panel::new(Arc::clone(&m), &FeatureTable::default()));
    let fold = Fold::of_rows(&m, &FoldRows { window_start: 500, fit_row: 3_000, test: 3_000..3_168 });
    let parts = split(&fold, &data, 1, 24, 0.15);
    let last_train = parts.train.last().unwrap().row as usize;
    let (first_valid, last_valid) = (parts.valid[0].row as usize, parts.valid.last().unwrap().row as usize);
    assert!(last_train + 24 < first_valid, "labels of the training part end before validation begins");
    assert_eq!(first_valid - last_train, 2 * 24 + 1);
    assert!(last_valid + 24 < 3_000, "labels are complete before the fit");
    let share = parts.valid.len() as f64 / (parts.valid.len() + parts.train.len()) as f64;
    assert!((share - 0.15).abs() < 0.01);
}

#[test]
fn little_to_learn_from_is_remarked_only_where_a_fit_is_small() {
    let lowered = PlanConfig { min_candles: 200, window: TrainWindow::Expanding, ..config() };
    let notes = |n| lowered.training(&market(n), TimeRange::ALL).unwrap().notes;
    assert_eq!(notes(9_600), Vec::<String>::new());
    let few = notes(800);
    assert!(few.len() == 1 && few[0].contains("little to learn from"), "{few:?}");
}

#[test]
fn training_plans_keep_the_minimum_before_the_first_fit() {
    for n in [1_000, 1_200, 1_500, 3_000, 12_000] {
        let m = market(n);
        let plan = config().training(&m, TimeRange::ALL).unwrap().rows(&m);
        assert!(plan.folds[0].fit_row >= 700.max(n / 3), "{n}: {:?}", plan.folds[0]);
        assert!(plan.folds.len() <= 9 && plan.folds.last().unwrap().test.end == n);
        assert!(plan.scored.len() >= 4 * 24 + 10 && plan.scored.end + 24 == plan.known_to && plan.known_to == n);
    }
}

#[test]
fn stretches_cover_the_newest_half_of_a_range_and_read_nothing_behind_it() {
    let m = market(8_000);
    let time = |row: usize| Timestamp(m.series().columns().open_time[row]);
    let range = TimeRange { from: time(1_000), to: time(7_000) };
    let plan = config().stretches(&m, range, 3, false).unwrap().rows(&m);
    assert_eq!((plan.scored.clone(), plan.known_to), (4_000..7_000, 7_000));
    let tests: Vec<_> = plan.folds.iter().map(|fold| fold.test.clone()).collect();
    assert_eq!(tests, [4_000..5_000, 5_000..6_000, 6_000..7_000]);
    assert!(plan.folds.iter().all(|fold| fold.fit_row == fold.test.start && fold.window_start == fold.fit_row - 2_400));

    let refitted = config().stretches(&m, range, 3, true).unwrap().rows(&m);
    let starts: Vec<usize> = refitted.folds.iter().map(|fold| fold.test.start).collect();
    // Seven days are 168 candles; every stretch begins with a fit of its own.
    let expected: Vec<usize> = [4_000, 5_000, 6_000].iter().flat_map(|s| (0..6).map(move |k| s + 168 * k)).collect();
    assert_eq!(starts, expected);
    assert_eq!(refitted.folds.last().unwrap().test.end, 7_000);

    let expanding = PlanConfig { window: TrainWindow::Expanding, ..config() };
    let plan = expanding.stretches(&m, range, 4, false).unwrap();
    assert!(plan.rows(&m).folds.iter().all(|fold| fold.window_start == 1_000), "nothing before the range");
    assert!(plan.folds.iter().all(|fold| fold.earliest >= range.from));
}

#[test]
fn stretches_need_as_much_to_learn_from_as_to_score() {
    let m = market(4_000);
    let plan = |rows: usize, n| {
        let to = Timestamp(m.series().columns().open_time[rows]);
        config().stretches(&m, TimeRange { to, ..TimeRange::ALL }, n, false)
    };
    assert!(matches!(plan(1_999, 3), Err(PlanError::TooFewCandles { have: 1_999, need: 2_000, .. })));
    assert_eq!(plan(2_000, 3).unwrap().folds.len(), 3);
    // Twenty stretches of two horizons and ten candles.
    assert!(matches!(plan(2_000, 20), Err(PlanError::TooFewCandles { need: 2_320, .. })));
}

#[test]
fn a_simple_backtest_trains_on_all_that_was_asked_for() {
    let m = market(6_000);
    let time = |row: usize| Timestamp(m.series().columns().open_time[row]);
    let train = TimeRange { from: time(100), to: time(5_000) };
    let plan = config().simple(&m, train, TimeRange { from: time(5_000), to: time(5_500) }).unwrap().rows(&m);
    let last = plan.folds.last().unwrap();
    assert_eq!((last.window_start, last.fit_row, last.test.clone()), (100, 5_000, 5_000..5_500));
    assert!(plan.folds.iter().all(|f| f.window_start == 100 && f.fit_row - 100 >= 1_000));
    assert!(plan.folds[..plan.folds.len() - 1].iter().all(|f| f.test.end <= 5_000), "the chain stays inside training");
    let early = TimeRange { from: time(4_000), to: time(5_500) };
    assert!(matches!(config().simple(&m, train, early), Err(PlanError::Contradiction(_))));
}

#[test]
fn short_windows_are_widened_and_said_so() {
    let m = market(4_000);
    let few = PlanConfig { window: TrainWindow::Rolling { days: 8 }, ..config() };
    let plan = few
        .walk_forward(&m, TimeRange { from: Timestamp(m.series().columns().open_time[3_500]), to: TimeRange::ALL.to });
    let plan = plan.unwrap();
    assert!(plan.rows(&m).folds.iter().all(|f| f.fit_row - f.window_start >= 1_000));
    assert_eq!(plan.notes.len(), 1);
}

#[test]
fn ranges_outside_the_data_are_named() {
    let m = market(2_000);
    let range = TimeRange { from: Timestamp::year_start(2030), to: Timestamp::year_start(2031) };
    assert!(matches!(config().walk_forward(&m, range), Err(PlanError::OutsideData { .. })));
    let empty = TimeRange { from: Timestamp::year_start(2031), to: Timestamp::year_start(2030) };
    assert!(matches!(config().walk_forward(&m, empty), Err(PlanError::Contradiction(_))));
}

#[test]
fn several_markets_are_split_at_one_instant() {
    let generated = generate(&MarketConfig { n_candles: 4_000, ..MarketConfig::default() });
    let whole = Arc::new(Market::new(FilledSeries::new(&generated[0].series, 3)));
    // The second market begins a thousand candles later.
    let later = generated[1]
        .series
        .between(TimeRange { from: Timestamp(generated[1].series.open_time()[1_000]), to: TimeRange::ALL.to });
    let late = Arc::new(Market::new(FilledSeries::new(&later, 3)));
    let panel = |m: &Arc<Market>| Panel::new(Arc::clone(m), &FeatureTable::default());
    let data = Dataset::new(vec![panel(&whole), panel(&late)]);
    let fold = Fold::of_rows(&whole, &FoldRows { window_start: 500, fit_row: 3_000, test: 3_000..3_168 });
    let parts = split(&fold, &data, 1, 24, 0.15);
    let times = |ids: &[SampleId]| -> Vec<i64> {
        let time =
            |id: &SampleId| data.panels()[id.panel as usize].market().series().columns().open_time[id.row as usize];
        ids.iter().map(time).collect()
    };
    let (train, valid) = (times(&parts.train), times(&parts.valid));
    assert!(train.is_sorted() && valid.is_sorted());
    assert!(valid[0] - train[train.len() - 1] > 2 * 24 * 3_600_000);
    for panel in [0, 1] {
        assert!(parts.train.iter().any(|id| id.panel == panel) && parts.valid.iter().any(|id| id.panel == panel));
    }
    let share = parts.valid.len() as f64 / (parts.valid.len() + parts.train.len()) as f64;
    assert!((share - 0.15).abs() < 0.02, "{share}");
}

#[test]
fn origins_begin_behind_the_warm_up_of_their_segment() {
    let m = market(2_000);
    let plan = PlanConfig { warm_up: 1_100, ..config() }.walk_forward(&m, TimeRange::ALL).unwrap().rows(&m);
    let (origins, left_out) = plan.origins(0, &m, 24);
    assert_eq!((origins[0], left_out), (1_100, 100));
}

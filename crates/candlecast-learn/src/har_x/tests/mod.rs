//! What holds of the columns, the model and the scale on any market, and what pandas gives on a made one.

mod golden;

use std::sync::Arc;

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{CandleSeries, FilledSeries, Interval, Seed, Timestamp};
use serde_json::{Value, json};

use super::scale::{ScaleFits, VolatilityScale};
use super::*;
use crate::dataset::{Market, Samples};
use crate::made::{closes_of, market_of, origins};
use crate::{FitContext, FitError, Fitted, Labels, ModelState, Prediction, Silent, Task, Tensor};
use golden::made_market;

/// Steps of the scales.
const HORIZON: usize = 24;

fn generated(n_candles: usize, seed: u64) -> CandleSeries {
    let coins = vec![("BTCUSDT", 30_000.0)];
    generate(&MarketConfig { coins, n_candles, seed: Seed(seed), ..MarketConfig::default() }).remove(0).series
}

fn market(series: &CandleSeries) -> Arc<Market> {
    Arc::new(Market::new(FilledSeries::new(series, 3)))
}

fn learner() -> Box<dyn Learner> {
    catalog()[0].build(&Value::Null).unwrap()
}

fn fitted(learner: &dyn Learner, train: &Samples<'_>) -> Result<Box<dyn Fitted>, FitError> {
    let observer = &mut Silent;
    let mut cx = FitContext {
        seed: Seed(1),
        valid: None,
        threads: 1,
        warm: None,
        resume: None,
        extent: crate::Extent::default(),
        observer,
    };
    learner.fit(train, &mut cx).map(|outcome| outcome.model)
}

fn predicted(model: &dyn Fitted, samples: &Samples<'_>) -> Vec<f64> {
    let mut out = Prediction::default();
    model.predict_into(samples, &mut out);
    assert_eq!(out.width, 1);
    out.mean
}

fn scales(scale: &VolatilityScale, row: usize) -> Vec<f64> {
    let mut out = vec![0.0; HORIZON];
    scale.scales_into(row, &mut out);
    out
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn columns_and_scales_look_only_back() {
    let (series, other) = (generated(4_600, 1), generated(4_600, 2));
    let cut = 4_100;
    let mut columns = series.columns().slice(0..cut);
    (cut..series.len()).for_each(|i| columns.push(&other.candle(i)));
    let (whole, changed) = (market(&series), market(&CandleSeries::new(series.key().clone(), columns).unwrap()));
    let bits_of = |market: &Market, row: usize| market.har_x(row).iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert!((0..cut).all(|row| bits_of(&whole, row) == bits_of(&changed, row)));
    assert_ne!(bits_of(&whole, cut), bits_of(&changed, cut));
    let [a, b] = [&whole, &changed].map(|market| VolatilityScale::of(market, HORIZON, 2_000..4_600));
    assert!((2_000..cut).all(|row| bits(&scales(&a, row)) == bits(&scales(&b, row))));
    assert_ne!(scales(&a, cut), scales(&b, cut));
    // The rows before the change have fits, and there is one after it, which has seen it.
    assert!(a.fits().fits.len() >= 3 && a.fits().fits.last().unwrap().at > whole.series().close_time(cut));
    assert_ne!(a.fits().fits.last(), b.fits().fits.last());
}

#[test]
fn what_is_stored_behind_an_instant_changes_no_fit() {
    let series = generated(4_600, 1);
    let (whole, part) = (market(&series), {
        let columns = series.columns().slice(0..4_000);
        market(&CandleSeries::new(series.key().clone(), columns).unwrap())
    });
    let [a, b] = [&whole, &part].map(|market| VolatilityScale::of(market, HORIZON, 2_500..4_000));
    assert_eq!(a.fits(), b.fits());
    assert!((2_500..4_000).all(|row| bits(&scales(&a, row)) == bits(&scales(&b, row))));
}

#[test]
fn fits_are_made_at_fixed_instants_whoever_asks() {
    let market = market(&generated(4_600, 3));
    let all = VolatilityScale::of(&market, HORIZON, 0..4_600);
    for rows in [3_000..3_001, 2_990..3_800, 4_599..4_600] {
        let some = VolatilityScale::of(&market, HORIZON, rows.clone());
        assert!(some.fits().fits.iter().all(|fit| all.fits().fits.contains(fit)), "{rows:?}");
        assert!(rows.clone().all(|row| bits(&scales(&some, row)) == bits(&scales(&all, row))), "{rows:?}");
    }
    let of_28_days = |at: i64| at % (28 * 86_400_000) == 0;
    assert!(all.fits().fits.iter().all(|fit| of_28_days(fit.at.ms())));
    assert!(VolatilityScale::of(&market, HORIZON, 7..7).fits().fits.is_empty());
}

#[test]
fn before_the_first_fit_the_scale_is_the_volatility_times_the_root_of_the_step() {
    let market = market(&generated(4_600, 4));
    let scale = VolatilityScale::of(&market, HORIZON, 0..4_600);
    let first = scale.fits().fits[0].at;
    for row in (0..4_600).step_by(53) {
        let known = market.series().close_time(row) >= first;
        let volatility = market.volatility()[row].max(1e-8);
        let plain: Vec<f64> = (1..=HORIZON).map(|h| volatility * (h as f64).sqrt()).collect();
        assert_eq!(scales(&scale, row) == plain, !known, "{row}");
    }
}

#[test]
fn scales_grow_with_the_step_and_are_about_as_large_as_returns() {
    let market = made_market();
    let n = market.series().len();
    let scale = VolatilityScale::of(&market, HORIZON, 0..n);
    let first = market.series().first_row_from(scale.fits().fits[0].at);
    let rows: Vec<usize> =
        (first..n).filter(|&row| market.has_targets(row, HORIZON) && market.har_x(row)[0].is_finite()).collect();
    assert!(rows.len() > 1_000);
    let (mut falls, mut squares) = (0_usize, [0.0_f64; HORIZON]);
    for &row in &rows {
        let scales = scales(&scale, row);
        assert!(scales[HORIZON - 1] > 1.5 * scales[0] && scales[0] > 0.0, "{row}: {scales:?}");
        falls += scales.windows(2).filter(|pair| pair[1] <= pair[0]).count();
        for (h, square) in squares.iter_mut().enumerate() {
            let change = market.log_close()[row + h + 1] - market.log_close()[row];
            *square += (change / scales[h]).powi(2) / rows.len() as f64;
        }
    }
    // A step may promise less than the one before where the season turns between two anchors.
    assert!(
        falls * 50 < rows.len() * (HORIZON - 1),
        "{falls} of {} scales are smaller than the one before",
        rows.len()
    );
    assert!(squares.iter().all(|square| (0.5..2.0).contains(square)), "{squares:?}");
}

#[test]
fn a_standstill_has_scales_too() {
    let market = market_of(&vec![0.0; 3_000]);
    let scale = VolatilityScale::of(&market, HORIZON, 0..3_000);
    assert!(!scale.fits().fits.is_empty() && scale.fits().is_sound());
    for row in 0..3_000 {
        assert!(scales(&scale, row).iter().all(|scale| scale.is_finite() && *scale > 0.0), "{row}");
    }
}

#[test]
fn a_saved_fit_gives_the_scales_that_were_computed_with_it() {
    let market = market(&generated(4_600, 6));
    let scale = VolatilityScale::of(&market, HORIZON, 2_500..4_600);
    let newest = scale.fits().newest_before(Timestamp(i64::MAX));
    assert_eq!((newest.fits.len(), newest.horizon()), (1, HORIZON));
    let text = serde_json::to_string(&newest).unwrap();
    let restored: ScaleFits = serde_json::from_str(&text).unwrap();
    assert!(restored == newest && restored.is_sound());
    let from = market.series().first_row_from(newest.fits[0].at);
    let again = VolatilityScale::by(restored, &market, from..4_600);
    let mut live = vec![0.0; HORIZON];
    for row in from..4_600 {
        assert_eq!(bits(&scales(&again, row)), bits(&scales(&scale, row)), "{row}");
        let fit = again.fits().latest_before(market.series().close_time(row)).unwrap();
        assert!(fit.scales(market.har_x(row), HORIZON, &mut live));
        assert_eq!(bits(&live), bits(&scales(&scale, row)), "{row}");
    }
    assert!(!newest.fits[0].scales(market.har_x(700), HORIZON, &mut live), "there are no columns yet");
    assert!(newest.latest_before(newest.fits[0].at.plus_ms(-1)).is_none());
}

#[test]
fn fits_that_nobody_can_have_made_are_unsound() {
    let market = market(&generated(3_600, 7));
    let sound = VolatilityScale::of(&market, HORIZON, 2_000..3_600).fits().clone();
    assert!(sound.is_sound() && sound.fits.len() >= 2);
    let damaged = |damage: fn(&mut ScaleFits)| {
        let mut fits = sound.clone();
        damage(&mut fits);
        fits.is_sound()
    };
    assert!(!damaged(|fits| fits.anchors.clear()));
    assert!(!damaged(|fits| fits.anchors[0] = 2));
    assert!(!damaged(|fits| fits.fits.reverse()));
    assert!(!damaged(|fits| fits.fits[0].intercepts[1] = f64::NAN));
    assert!(!damaged(|fits| fits.fits[0].kappas[1] = 3.0));
    assert!(!damaged(|fits| fits.fits[0].kappas.truncate(1)));
    assert!(!damaged(|fits| fits.fits[1].betas[0].truncate(30)));
    assert!(!damaged(|fits| fits.fits[1].betas[2][4] = f64::INFINITY));
    assert!(serde_json::from_value::<ScaleFits>(json!({ "anchors": [1], "fits": [], "more": 1 })).is_err());
}

#[test]
fn every_interval_has_columns() {
    for interval in Interval::all() {
        let coins = vec![("BTCUSDT", 30_000.0)];
        let config = MarketConfig { coins, interval, n_candles: 900, ..MarketConfig::default() };
        let market = market(&generate(&config).remove(0).series);
        let known = |row: usize| market.har_x(row).iter().all(|value| value.is_finite());
        let first = (0..market.series().len()).find(|&row| known(row));
        assert_eq!(first, Some(719), "{interval}");
        assert!((719..market.series().len()).all(known), "{interval}");
    }
}

#[test]
fn its_forecasts_are_expected_variances_and_survive_saving() {
    let data = closes_of(made_market());
    let learner = learner();
    let market = Arc::clone(data.panels()[0].market());
    for horizon in [6, 24, 100] {
        let task = Task::Volatility { horizon };
        let usable =
            |row: &usize| data.panels()[0].is_origin(*row, learner.lookback()) && market.has_targets(*row, horizon);
        let ids = origins((0..market.series().len()).filter(usable).map(|row| row as u32));
        let samples = Samples::new(&data, &ids, learner.lookback(), task, None);
        let train = samples.slice(0..1_200);
        let model = fitted(&*learner, &train).unwrap();
        let forecasts = predicted(&*model, &samples);
        let ratio = |i: usize| (samples.log_variance(i) - forecasts[i]).exp();
        let mean = (0..train.len()).map(ratio).sum::<f64>() / train.len() as f64;
        assert!((mean - 1.0).abs() < 1e-9, "{horizon}: {mean}");
        assert_eq!(predicted(&*model, &samples.slice(70..71)), forecasts[70..71]);
        let state = model.state();
        let restored = learner.restore(&state, &task).unwrap();
        assert_eq!(bits(&predicted(&*restored, &samples)), bits(&forecasts));
        assert_eq!(restored.state(), state);
    }
}

/// QLIKE of log variances beside the realised ones.
fn qlike(samples: &Samples<'_>, forecasts: &[f64]) -> f64 {
    let loss = |i: usize| (samples.log_variance(i) - forecasts[i]).exp() - samples.log_variance(i) + forecasts[i] - 1.0;
    (0..samples.len()).map(loss).sum::<f64>() / samples.len() as f64
}

#[test]
fn where_there_is_a_season_it_beats_log_har() {
    let data = closes_of(made_market());
    let market = Arc::clone(data.panels()[0].market());
    let task = Task::Volatility { horizon: 6 };
    let usable = |row: &usize| data.panels()[0].is_origin(*row, 721) && market.has_targets(*row, 6);
    let ids = origins((0..market.series().len()).filter(usable).map(|row| row as u32));
    let samples = Samples::new(&data, &ids, 721, task, None);
    let log_har = crate::baselines::catalog().iter().find(|entry| entry.id == "log-har").unwrap();
    let [ours, theirs] = [learner(), log_har.build(&Value::Null).unwrap()].map(|learner| {
        let model = fitted(&*learner, &samples.slice(0..1_500)).unwrap();
        let later = samples.slice(1_520..samples.len());
        qlike(&later, &predicted(&*model, &later))
    });
    assert!(ours < 0.9 * theirs, "{ours} against {theirs}");
}

#[test]
fn what_it_cannot_learn_from_is_refused() {
    let learner = learner();
    let data = closes_of(market(&generated(1_000, 8)));
    let ids = origins(719..990);
    for task in [Task::Price { horizon: 2 }, Task::Direction { horizon: 2, labels: Labels::Fixed { threshold: 0.01 } }]
    {
        assert!(!learner.supports(&task));
        let error = fitted(&*learner, &Samples::new(&data, &ids, 720, task, None)).unwrap_err();
        assert!(matches!(error, FitError::Unsupported { .. }), "{error}");
    }
    let task = Task::Volatility { horizon: 2 };
    let samples = Samples::new(&data, &ids, 720, task, None);
    let error = fitted(&*learner, &samples.slice(0..49)).unwrap_err();
    assert_eq!(error, FitError::TooFewSamples { have: 49, need: 50 });
    // Without any regressors the fit says so.
    let early = origins(100..200);
    let error = fitted(&*learner, &Samples::new(&data, &early, 1, task, None)).unwrap_err();
    assert!(matches!(error, FitError::NotFinite { .. }), "{error}");

    let state = fitted(&*learner, &samples).unwrap().state();
    assert!(learner.restore(&ModelState::default(), &task).is_err());
    for name in ["beta", "intercept"] {
        let mut damaged = state.clone();
        damaged.tensors.insert(name.into(), Tensor::f64(&[1], vec![f64::NAN]));
        assert!(learner.restore(&damaged, &task).is_err(), "{name}");
    }
    assert!(catalog()[0].build(&json!({ "penalty": 0 })).is_err());
}

#[test]
fn a_standstill_has_a_forecast() {
    let data = closes_of(market_of(&[0.0; 1_000]));
    let ids = origins(719..990);
    let samples = Samples::new(&data, &ids, 720, Task::Volatility { horizon: 4 }, None);
    let model = fitted(&*learner(), &samples).unwrap();
    assert!(predicted(&*model, &samples).iter().all(|v| (v - 4e-10_f64.ln()).abs() < 1e-6));
}

#[test]
fn the_stated_defaults_are_the_real_ones() {
    for entry in catalog() {
        let stated = entry.params.iter().map(|p| (p.name.to_owned(), serde_json::from_str(p.default).unwrap()));
        let stated = entry.build(&Value::Object(stated.collect())).unwrap();
        assert_eq!(format!("{stated:?}"), format!("{:?}", entry.build(&Value::Null).unwrap()));
        assert!(
            entry.answers_to("HAR_X")
                && stated.inputs(&crate::Asked::hourly(Task::Volatility { horizon: 24 })).features.ids().is_empty()
        );
    }
}

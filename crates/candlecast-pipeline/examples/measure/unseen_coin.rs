//! `unseen-coin`: a model fitted to all coins but one forecasts that one, of which no fit has seen a candle.

use std::sync::Arc;

use candlecast_core::{FeatureSet, Seed};
use candlecast_learn::walk_forward::{self, ForecastTable, Forecasts, Hooks};
use candlecast_learn::{
    FitSummary, FittedForecaster, Forecaster, Market, ModelForecasts, Panel, Plan, Question, Silent, Start, evaluate,
};
use candlecast_pipeline::{FeatureFrames, PipelineOptions};
use rayon::prelude::*;

use crate::figures::{Measured, by_step, pooled};
use crate::forecasts::STEPS;
use crate::settings::Settings;
use crate::walk::Clock;
use crate::{Result, before, candles, walk};

const HORIZON: usize = 24;

pub(crate) fn run(settings: &Settings) -> Result<()> {
    if settings.coins.len() < 2 {
        return Err("one coin is forecast from others: name two or more with --coins".into());
    }
    let options = settings.options(HORIZON);
    let markets = settings
        .coins
        .iter()
        .map(|symbol| Ok(walk::market(&candles::series(settings, symbol)?, &options)))
        .collect::<Result<Vec<_>>>()?;
    let mut coins = Vec::new();
    for (k, symbol) in settings.coins.iter().enumerate() {
        let others: Vec<Arc<Market>> =
            markets.iter().enumerate().filter(|(other, _)| *other != k).map(|(_, market)| Arc::clone(market)).collect();
        let measured = measured(settings, symbol, &markets[k], others, &options)?;
        eprintln!("{symbol}: {} origins, {:.1} s", measured.origins, measured.seconds);
        coins.push(measured);
    }
    let coins: Vec<&Measured> = coins.iter().collect();
    println!("{}, {HORIZON} candles ahead, each coin from the others:\n\n{}\n", settings.model, by_step(&coins));
    println!("All coins:\n\n{}", pooled(&coins));
    Ok(())
}

fn measured(
    settings: &Settings,
    symbol: &str,
    unseen: &Arc<Market>,
    others: Vec<Arc<Market>>,
    options: &PipelineOptions,
) -> Result<Measured> {
    let clock = Clock::start();
    // How far fits reach back is up to those that are learnt from.
    let plan = walk::plan(&others[0], options, settings.range)?;
    let mut own = FeatureFrames::new(Arc::clone(unseen));
    let naive = own.forecaster(&walk::request("naive"), options)?;
    let model = FeatureFrames::over(others).forecaster(&walk::request(&settings.model), options)?;
    let features: FeatureSet = model.recipe().features();
    let table = forward(&model, &own.panel(&features)?, &plan)?;
    let mut models = walk_forward::run(std::slice::from_ref(&naive), &plan, Seed::default(), &clock)?;
    let left_out = models[0].table.left_out;
    models.push(ModelForecasts { name: model.name.clone(), baseline: model.baseline, table, issued: None });
    let question = Question {
        market: unseen,
        task: model.task(),
        level: model.level(),
        plan: &plan,
        reference: 0,
        left_out,
        refit: walk::refit(unseen, options),
        tries: 0,
        confidence_threshold: None,
    };
    let report = evaluate(&question, models);
    Measured::of(symbol, unseen, &report, &STEPS, clock.seconds())
}

/// What one fit brought.
struct Piece {
    origins: Vec<usize>,
    forecasts: Forecasts,
    /// Origins from which it could not forecast.
    stand_ins: Vec<usize>,
    seconds: f64,
    summary: FitSummary,
}

/// Forecasts of `model` from every origin of `plan` in the market of `panel`, which need not be one that it learns
/// from: each by the fit before it, as [`walk_forward::run`] makes them of its own markets.
fn forward(model: &Forecaster, panel: &Panel, plan: &Plan) -> Result<ForecastTable> {
    let (market, horizon, clock) = (panel.market(), model.task().horizon(), Clock::start());
    let rows = plan.rows(market);
    let origins = |fold: usize| rows.origins(fold, market, horizon);
    let folds: Vec<(usize, Vec<usize>)> =
        (0..plan.folds.len()).map(|fold| (fold, origins(fold).0)).filter(|(_, origins)| !origins.is_empty()).collect();
    let pieces = folds
        .into_par_iter()
        .with_max_len(1)
        .map(|(fold, origins)| {
            let began = clock.seconds();
            let seed = Seed::default().derive(&model.name, fold as u64);
            let (fitted, summary) = model.fit(&plan.folds[fold], seed, 1, Start::default(), &mut Silent)?;
            let seconds = clock.seconds() - began;
            let (forecasts, stand_ins) = forecasts_from(&fitted, panel, &origins);
            Ok(Piece { origins, forecasts, stand_ins, seconds, summary })
        })
        .collect::<Result<Vec<Piece>>>()?;
    let mut table = ForecastTable { forecasts: Forecasts::empty(model.task().width()), ..ForecastTable::default() };
    for piece in pieces {
        table.rows.extend(piece.origins);
        table.forecasts.means.extend(piece.forecasts.means);
        table.forecasts.scales.extend(piece.forecasts.scales);
        table.abstained += piece.stand_ins.iter().filter(|&&row| rows.scores(market, row, horizon)).count();
        table.stand_ins.extend(piece.stand_ins);
        table.fit_seconds += piece.seconds;
        table.fits.push(piece.summary);
    }
    Ok(table)
}

/// Forecasts of prices from `origins`, no change where the model has none of its own; and the origins where that is so.
fn forecasts_from(fitted: &FittedForecaster, panel: &Panel, origins: &[usize]) -> (Forecasts, Vec<usize>) {
    let (usable, without): (Vec<usize>, Vec<usize>) = origins.iter().partition(|&&row| fitted.is_origin(panel, row));
    let own = fitted.predict(panel, &usable);
    if without.is_empty() {
        return (own, without);
    }
    let mut all = Forecasts::empty(own.width);
    for &row in origins {
        if let Ok(i) = usable.binary_search(&row) {
            all.means.extend_from_slice(own.row(i).means);
            all.scales.extend_from_slice(own.row(i).scales);
        } else {
            all.means.extend(std::iter::repeat_n(0.0, own.width));
            all.scales.extend((1..=own.width).map(|step| before::scale(panel.market(), row, step)));
        }
    }
    (all, without)
}

#[cfg(test)]
mod tests {
    use candlecast_core::market::random_walk;
    use candlecast_core::{TimeRange, Timestamp};

    use super::*;

    #[test]
    fn of_a_market_that_is_learnt_from_it_is_the_walk_forward_of_the_program() {
        let options = PipelineOptions { retrain_days: 30, ..PipelineOptions::new(3) };
        let series = random_walk(4_400, Seed(5), 0.3);
        let market = walk::market(&series, &options);
        let range = TimeRange { from: Timestamp(series.open_time()[3_200]), to: TimeRange::ALL.to };
        let plan = walk::plan(&market, &options, range).unwrap();
        let mut frames = FeatureFrames::new(Arc::clone(&market));
        let model = frames.forecaster(&walk::request("linear"), &options).unwrap();
        let panel = frames.panel(&model.recipe().features()).unwrap();
        let ours = forward(&model, &panel, &plan).unwrap();
        let theirs = walk_forward::run(std::slice::from_ref(&model), &plan, Seed::default(), &Clock::start()).unwrap();
        let theirs = &theirs[0].table;
        assert_eq!((&ours.rows, &ours.stand_ins, ours.abstained), (&theirs.rows, &theirs.stand_ins, theirs.abstained));
        assert_eq!(ours.forecasts, theirs.forecasts);
        assert_eq!(ours.fits, theirs.fits);
        assert!(ours.rows.len() > 1_190 && ours.forecasts.means.iter().any(|mean| *mean != 0.0));
    }

    #[test]
    fn a_coin_that_no_fit_has_seen_is_forecast_and_scored_beside_naive() {
        let settings = Settings {
            coins: vec![],
            range: TimeRange::ALL,
            data: vec![],
            model: "linear".into(),
            retrain_days: 30,
            seeds: 1,
        };
        let options = settings.options(1);
        let named = |seed: u64, symbol: &str| {
            let series = random_walk(4_400, Seed(seed), 0.5);
            let mut key = series.key().clone();
            key.symbol = candlecast_core::Symbol::new(symbol).unwrap();
            walk::market(&candlecast_core::CandleSeries::new(key, series.into_columns()).unwrap(), &options)
        };
        let (one, two, unseen) = (named(1, "ONEUSDT"), named(2, "TWOUSDT"), named(3, "THREEUSDT"));
        let from = Timestamp(unseen.series().columns().open_time[3_000]);
        let settings = Settings { range: TimeRange { from, to: TimeRange::ALL.to }, ..settings };
        let measured = measured(&settings, "THREEUSDT", &unseen, vec![one, two], &options).unwrap();
        // Half of every return comes back in all of them.
        assert!(measured.all.is_better() && measured.all.price_skill().unwrap() > 0.02, "{:?}", measured.all);
        assert!(measured.origins > 1_390 && measured.steps.len() == 1);
    }
}

//! `volatility`: realised volatility over 24 candles by `har-x`, `gbdt` and their means beside `log-har`.

use std::collections::BTreeSet;
use std::sync::Arc;

use candlecast_core::{ModelRequest, Seed};
use candlecast_learn::significance::{VerdictCode, p_text};
use candlecast_learn::walk_forward::{self, ForecastTable, Forecasts, Hooks};
use candlecast_learn::{Market, ModelForecasts, ModelReport, Question, Report, TaskMetrics, evaluate};
use candlecast_pipeline::{FeatureFrames, PipelineOptions};
use serde_json::json;

use crate::settings::Settings;
use crate::statistics::mean;
use crate::table::{Table, number, percent};
use crate::walk::Clock;
use crate::{Result, candles, walk};

const HORIZON: usize = 24;
/// The two models, and what is made of them: the mean of their variances, as the program has it, and that of their
/// logarithms.
const MODELS: [&str; 4] = ["har-x", "gbdt", "ensemble", MEAN_OF_LOGS];
const MEAN_OF_LOGS: &str = "mean of logs";

pub(crate) fn run(settings: &Settings) -> Result<()> {
    let options = PipelineOptions { task: "volatility".into(), ..settings.options(HORIZON) };
    let mut coins = Vec::new();
    for symbol in &settings.coins {
        let market = walk::market(&candles::series(settings, symbol)?, &options);
        let clock = Clock::start();
        let report = measured(&market, &options, settings)?;
        eprintln!("{symbol}: {} origins, {:.0} s", report.origins, clock.seconds());
        coins.push((symbol.clone(), report));
    }
    println!("Realised variance of {HORIZON} candles, p-values one-sided:\n\n{}\n", by_coin(&coins)?);
    println!("All coins:\n\n{}", pooled(&coins)?);
    Ok(())
}

fn measured(market: &Arc<Market>, options: &PipelineOptions, settings: &Settings) -> Result<Report> {
    let ensemble = ModelRequest { id: "ensemble".into(), params: json!({ "members": "har-x,gbdt" }) };
    let requests = [walk::request("har-x"), walk::request("gbdt"), ensemble];
    let (forecasters, reference) = FeatureFrames::new(Arc::clone(market)).with_baselines(&requests, options)?;
    let plan = walk::plan(market, options, settings.range)?;
    let mut models = walk_forward::run(&forecasters, &plan, Seed::default(), &Clock::start())?;
    let table = |name: &str| {
        let found = models.iter().find(|model| model.name == name);
        found.map(|model| &model.table).ok_or_else(|| format!("{name} is missing"))
    };
    let table = mean_of_logs(table("har-x")?, table("gbdt")?);
    let left_out = models[reference].table.left_out;
    models.push(ModelForecasts { name: MEAN_OF_LOGS.into(), baseline: false, table, issued: None });
    let question = Question {
        market,
        task: forecasters[reference].task(),
        level: forecasters[reference].level(),
        plan: &plan,
        reference,
        left_out,
        refit: walk::refit(market, options),
        tries: 0,
        confidence_threshold: None,
    };
    Ok(evaluate(&question, models))
}

/// The mean of log variances from the same origins: the geometric mean of variances.
fn mean_of_logs(one: &ForecastTable, other: &ForecastTable) -> ForecastTable {
    debug_assert_eq!(one.rows, other.rows, "origins depend on the plan alone");
    let means = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(&a, &b)| f64::midpoint(a, b)).collect() };
    let forecasts = Forecasts {
        width: one.forecasts.width,
        means: means(&one.forecasts.means, &other.forecasts.means),
        scales: means(&one.forecasts.scales, &other.forecasts.scales),
        borders: vec![],
    };
    let stand_ins: BTreeSet<usize> = one.stand_ins.iter().chain(&other.stand_ins).copied().collect();
    ForecastTable {
        forecasts,
        abstained: one.abstained.max(other.abstained),
        stand_ins: stand_ins.into_iter().collect(),
        fit_seconds: one.fit_seconds + other.fit_seconds,
        fits: [one.fits.as_slice(), other.fits.as_slice()].concat(),
        ..one.clone()
    }
}

/// QLIKE of the model called `name`, and that over the reference's.
fn qlike(report: &Report, name: &str) -> Result<(f64, f64)> {
    let of = |name: &str| -> Result<f64> {
        let model = report.models.iter().find(|model| model.name == name);
        let qlike = model.and_then(|model| match &model.metrics {
            TaskMetrics::Volatility(metrics) => metrics.qlike,
            TaskMetrics::Price(_) | TaskMetrics::Direction(_) => None,
        });
        qlike.ok_or_else(|| format!("{name} has no QLIKE").into())
    };
    let own = of(name)?;
    Ok((own, own / of(&report.reference)?))
}

fn by_coin(coins: &[(String, Report)]) -> Result<Table> {
    let mut table =
        Table::new(&["coin", "model", "QLIKE", "over log-har", "t", "p", "p, Holm", "coverage", "verdict", "fits, s"]);
    for (symbol, report) in coins {
        for model in &report.models {
            let (qlike, ratio) = qlike(report, &model.name)?;
            let vs = &model.vs_reference;
            let p = |p: Option<f64>| p.map_or_else(|| "-".into(), p_text);
            table.row(&[
                symbol.clone(),
                model.name.clone(),
                number(Some(qlike), 4),
                number(Some(ratio), 4),
                number(vs.test.map(|test| test.statistic), 1),
                p(vs.test.map(|test| test.p_value)),
                p(vs.corrected),
                percent(model.metrics.coverage(), 1),
                vs.verdict.clone(),
                number(Some(model.fit_seconds), 1),
            ]);
        }
    }
    Ok(table)
}

fn pooled(coins: &[(String, Report)]) -> Result<Table> {
    let mut table = Table::new(&["model", "mean over log-har", "best coin", "worst coin", "greatest p", "better on"]);
    for name in MODELS {
        let ratios = coins.iter().map(|(_, report)| Ok(qlike(report, name)?.1)).collect::<Result<Vec<f64>>>()?;
        let models: Vec<&ModelReport> =
            coins.iter().filter_map(|(_, report)| report.models.iter().find(|model| model.name == name)).collect();
        let tests = models.iter().filter_map(|model| model.vs_reference.test);
        let greatest = tests.map(|test| test.p_value).reduce(f64::max);
        let better = models.iter().filter(|model| model.vs_reference.code == VerdictCode::Better).count();
        table.row(&[
            name.to_owned(),
            number(mean(&ratios), 4),
            number(ratios.iter().copied().reduce(f64::min), 4),
            number(ratios.iter().copied().reduce(f64::max), 4),
            greatest.map_or_else(|| "-".into(), p_text),
            format!("{better} of {}", coins.len()),
        ]);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(means: &[f64], stand_ins: &[usize]) -> ForecastTable {
        ForecastTable {
            rows: (7..7 + means.len()).collect(),
            forecasts: Forecasts { width: 1, means: means.to_vec(), scales: vec![1.0; means.len()], borders: vec![] },
            abstained: stand_ins.len(),
            stand_ins: stand_ins.to_vec(),
            fit_seconds: 1.5,
            ..ForecastTable::default()
        }
    }

    #[test]
    fn the_mean_of_logs_is_the_geometric_mean_and_learns_from_no_stand_in() {
        let both = mean_of_logs(&table(&[-8.0, -9.0], &[8]), &table(&[-6.0, -9.5], &[7, 8]));
        assert_eq!((both.rows, both.forecasts.means), (vec![7, 8], vec![-7.0, -9.25]));
        assert_eq!((both.stand_ins, both.abstained, both.fit_seconds), (vec![7, 8], 2, 3.0));
        assert_eq!(both.forecasts.scales, [1.0, 1.0]);
    }
}

//! `volatility`: realised volatility over 24 candles by `har-x`, `gbdt` on its features and on the regressors of `har-x`,
//! and the means of `har-x` and the latter, beside `log-har`.

use std::sync::Arc;

use candlecast_core::{ModelRequest, Seed};
use candlecast_learn::significance::{VerdictCode, p_text};
use candlecast_learn::walk_forward::{self, Hooks};
use candlecast_learn::{Market, ModelReport, Question, Report, TaskMetrics, evaluate};
use candlecast_pipeline::{FeatureFrames, PipelineOptions};
use serde_json::{Value, json};

use crate::settings::Settings;
use crate::statistics::mean;
use crate::table::{Table, number, percent};
use crate::walk::Clock;
use crate::{Result, candles, walk};

const HORIZON: usize = 24;

/// The models by the names that tables have for them: the two, the second with the inputs of the first, and the means of
/// the first and the third, of variances and of their logarithms.
fn requests() -> [(&'static str, ModelRequest); 5] {
    let request = |id: &str, params: Value| ModelRequest { id: id.into(), params };
    let on_har_x = json!({ "inputs": "har-x" });
    let members = json!(["har-x", { "id": "gbdt", "params": on_har_x }]);
    let mean = |mean: &str| request("ensemble", json!({ "members": members, "mean": mean }));
    [
        ("har-x", walk::request("har-x")),
        ("gbdt", walk::request("gbdt")),
        ("gbdt on har-x", request("gbdt", on_har_x)),
        ("mean", mean("arithmetic")),
        ("mean of logs", mean("logarithmic")),
    ]
}

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
    let (names, asked): (Vec<&str>, Vec<ModelRequest>) = requests().into_iter().unzip();
    let (mut forecasters, reference) = FeatureFrames::new(Arc::clone(market)).with_baselines(&asked, options)?;
    // The models stand behind the baselines, and two of them are of one kind each.
    let n_baselines = forecasters.len() - names.len();
    for (forecaster, name) in forecasters[n_baselines..].iter_mut().zip(names) {
        forecaster.name = name.into();
    }
    let plan = walk::plan(market, options, settings.range)?;
    let models = walk_forward::run(&forecasters, &plan, Seed::default(), &Clock::start())?;
    let left_out = models[reference].table.left_out;
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
    for (name, _) in requests() {
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
    use candlecast_pipeline::catalog;

    use super::*;

    #[test]
    fn what_is_measured_can_be_fitted_and_every_member_is_a_row_of_its_own() {
        let task = PipelineOptions { task: "volatility".into(), ..PipelineOptions::new(HORIZON) }.task().unwrap();
        for (name, request) in requests() {
            assert_eq!(catalog::check(&request.id, &request.params), Ok(()), "{name}");
            assert_eq!(catalog::check_task(&request.id, &request.params, &task), Ok(()), "{name}");
        }
        let [har_x, _, on_har_x, mean, of_logs] = requests().map(|(_, request)| request);
        for mean in [mean, of_logs] {
            assert_eq!(mean.params["members"][0], json!(har_x.id));
            assert_eq!(mean.params["members"][1], json!({ "id": on_har_x.id, "params": on_har_x.params }));
        }
    }
}

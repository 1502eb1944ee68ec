//! Golden runs over real candles: whoever rewrites splitting, fitting, calibration or scoring sees at once whether a
//! bit of a result has changed, and in which part.
//!
//! The records lie in `golden/`, one file a run: digests by instruction set, since bits agree only within one, and
//! plain figures, which have to agree within a tolerance on every machine. Where the instruction set at hand is not on
//! record only the figures are compared, and the test says so.
//!
//! After a change of bits that is meant, write the records anew, look at what changed, and commit them:
//!
//! ```text
//! CANDLECAST_GOLDEN=write cargo nextest run -p candlecast-learn --test it golden
//! git diff crates/candlecast-learn/tests/it/golden
//! ```
//!
//! The same command on a machine with another instruction set adds its digests. Where the bits of a recorded
//! instruction set have changed, the digests of the others are dropped: they are of an older program. The candles are
//! looked for in `CANDLECAST_TEST_DATA`, or in `../shared/data` beside the repository.

use candlecast_core::Seed;
use candlecast_features::Engine;
use candlecast_learn::{Forecaster, Labels, Plan, Report, Silent, Start, Task, walk_forward};
use serde_json::json;

use crate::forecasters::{Field, panel_of, plan_config, report_of, state_of};
use crate::golden_file::GoldenRun;
use crate::hooks::TestHooks;
use crate::live::live_forecasts;
use crate::{digests, real};

const SEED: Seed = Seed(42);
/// Difference of figures that is allowed between instruction sets.
const TOLERANCE: f64 = 1e-6;
/// The same for networks: single precision, and an optimiser whose first steps depend on the signs of gradients.
const NETWORK_TOLERANCE: f64 = 1e-4;

/// Walks forward over `plan` and scores all `forecasters`, the first of which is the naive forecast.
fn evaluated(name: &'static str, tolerance: f64, forecasters: &[Forecaster], plan: &Plan) -> (GoldenRun, Report) {
    let models =
        walk_forward::run(forecasters, plan, SEED, &TestHooks::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut run = GoldenRun::new(name, tolerance);
    run.add_digest("plan", digests::of_plan(plan, forecasters[0].market(0)));
    for model in &models {
        assert_eq!(model.table.abstained, 0, "{name}: {} forecasts from every origin", model.name);
        let digest = digests::of_table(&model.table, forecasters[0].task().horizon());
        run.add_digest(format!("{} forecasts", model.name), digest);
    }
    assert_eq!(models[0].name, "naive");
    let report = report_of(forecasters, models, plan);
    run.add_digests(digests::of_report(&report));
    for model in &report.models {
        run.add_scores(model);
    }
    (run, report)
}

#[test]
fn a_walk_forward_keeps_its_bits() {
    // A candle is missing on 24 March, in the part that calibrates.
    let Some(market) = real::market("BTCUSDT-1h.csv.gz", "2022-10-01", "2023-08-01") else { return };
    let horizon = 24;
    let forecasters = Field::new(&market, Task::Price { horizon }).with_baselines(&[
        ("linear", json!({})),
        ("hybrid", json!({})),
        ("gbdt", json!({ "rounds": 30, "maxDepth": 3 })),
        ("random-forest", json!({ "trees": 8, "maxDepth": 6 })),
    ]);
    let plan = plan_config(horizon).walk_forward(&market, real::days("2023-06-01", "2023-07-15")).unwrap();
    let (run, report) = evaluated("walk-forward", TOLERANCE, &forecasters, &plan);
    assert_eq!(report.origins + report.left_out, 44 * 24);
    run.check();
}

#[test]
fn networks_in_a_simple_backtest_keep_their_bits() {
    let Some(market) = real::market("ETHUSDT-1h.csv.gz", "2022-12-15", "2023-07-15") else { return };
    let horizon = 6;
    // The readable layers, whose bits depend on fewer instructions than those of the fused kernels. Their matrix
    // products still take the widest instructions there are, so they are no exception from the rule that bits agree
    // only within an instruction set.
    // With raw targets two epochs are enough to forecast something.
    let network = json!({ "epochs": 2, "hiddenSize": 8, "instructionSet": "portable", "target": "raw" });
    let forecasters =
        Field::new(&market, Task::Price { horizon }).with_baselines(&[("lstm", network.clone()), ("gru", network)]);
    let train = real::days("2023-01-01", "2023-06-01");
    let plan = plan_config(horizon).simple(&market, train, real::days("2023-06-01", "2023-07-01")).unwrap();
    evaluated("networks", NETWORK_TOLERANCE, &forecasters, &plan).0.check();
}

#[test]
fn a_training_and_the_forecasts_of_its_saved_pipeline_keep_their_bits() {
    // Four candles are missing on 13 August, in the part that calibrates: a border between segments. Two are missing on
    // 29 September, after the training: they are filled.
    let Some(market) = real::market("LTCUSDT-1h.csv.gz", "2021-03-01", "2021-10-20") else { return };
    let horizon = 12;
    let range = real::days("2021-03-15", "2021-09-20");
    let forecasters = Field::new(&market, Task::Price { horizon }).with_baselines(&[("linear", json!({}))]);
    let plan = plan_config(horizon).training(&market, range).unwrap();
    let (mut run, report) = evaluated("training", TOLERANCE, &forecasters, &plan);

    let linear = forecasters.last().unwrap();
    let fold = plan_config(horizon).final_fold(&market, range).unwrap();
    let fit_row = fold.rows(&market).fit_row;
    let seed = SEED.derive("final fit", 0);
    let (model, _) = linear.fit(&fold, seed, 1, Start::default(), &mut Silent).unwrap();
    run.add_digest("linear saved", digests::of_pipeline(&state_of(&model)));

    let calibration = report.models.last().unwrap().calibration.clone();
    let last = market.series().len() - 1;
    let mut calibrator = model.replay(panel_of(linear), calibration.clone(), fit_row - 1, last);
    let forecast = model.forecast(panel_of(linear), last, &mut calibrator);
    let replayed = digests::of_forecasts(&[Some(forecast.clone())], calibrator.state());
    run.add_digest("linear replay", replayed);
    let (first, end) = (forecast.steps()[0], forecast.steps()[horizon - 1]);
    run.add_figures(
        "linear forecast",
        &[
            ("firstPrice", Some(first.price)),
            ("firstLower", Some(first.lower)),
            ("lastPrice", Some(end.price)),
            ("lastUpper", Some(end.upper)),
            ("lastConfidence", Some(end.confidence)),
        ],
    );

    let trained_to = market.series().close_time(fit_row - 1);
    let features = Engine::new(&model.features()).unwrap().compute(market.series());
    let (live, state) = live_forecasts(model, &market, &features, calibration, trained_to, fit_row);
    assert_eq!(live.last().unwrap().as_ref(), Some(&forecast), "candle by candle it is the same forecast");
    run.add_digest("linear live", digests::of_forecasts(&live, &state));
    run.check();
}

#[test]
fn directions_of_one_fold_keep_their_bits() {
    let Some(market) = real::market("XRPUSDT-1h.csv.gz", "2022-12-15", "2023-07-15") else { return };
    let horizon = 12;
    let task = Task::Direction { horizon, labels: Labels::Fixed { threshold: 0.005 } };
    let mut field = Field::new(&market, task);
    let forecasters = [field.model("linear", &json!({})), field.model("gbdt", &json!({ "rounds": 30, "maxDepth": 3 }))];
    let train = real::days("2023-01-01", "2023-06-01");
    let mut plan = plan_config(horizon).simple(&market, train, real::days("2023-06-01", "2023-07-01")).unwrap();
    plan.folds.drain(..plan.folds.len() - 1);

    let mut run = GoldenRun::new("direction", TOLERANCE);
    run.add_digest("plan", digests::of_plan(&plan, &market));
    let models = walk_forward::run(&forecasters, &plan, SEED, &TestHooks::default()).unwrap();
    for (forecaster, model) in forecasters.iter().zip(&models) {
        let (name, table) = (&model.name, &model.table);
        assert_eq!((table.rows.len() + table.left_out, table.abstained), (30 * 24, 0));
        run.add_digest(format!("{name} forecasts"), digests::of_class_table(table, horizon, &market));
        let mean = |class: usize| {
            let of_class = table.forecasts.means.iter().skip(class).step_by(candlecast_learn::CLASSES);
            Some(of_class.sum::<f64>() / table.rows.len() as f64)
        };
        run.add_figures(name, &[("sell", mean(0)), ("hold", mean(1)), ("buy", mean(2))]);
        let seed = SEED.derive(name, 0);
        let (fitted, _) = forecaster.fit(&plan.folds[0], seed, 1, Start::default(), &mut Silent).unwrap();
        run.add_digest(format!("{name} saved"), digests::of_pipeline(&state_of(&fitted)));
        let again = fitted.predict(panel_of(forecaster), &table.rows);
        assert_eq!(again, table.forecasts, "{name}: one fit, one forecast");
    }
    run.check();
}

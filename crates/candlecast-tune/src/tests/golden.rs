//! Against Optuna and scipy on the same numbers; `golden/make_golden.py` made them.

use std::collections::BTreeMap;

use candlecast_core::Seed;
use serde_json::{Map, Value, json};

use crate::HyperbandConfig;
use crate::density::{KernelOptions, Parzen, recency_weights};
use crate::domain::{Axis, Domain};
use crate::importance::divergences;
use crate::pareto::{best, ranks, volume};
use crate::pruners::{PruneView, Pruner, pruners};
use crate::signed_rank::signed_rank_p;
use crate::space::{Dimension, Point, Space};
use crate::split::{n_below, split};
use crate::trial::{Goal, Trial, TrialState};

/// Of logarithms of densities and of importances, relative to the greater of the value and 1.
const ROUNDING: f64 = 1e-9;

fn golden(section: &str) -> Value {
    let mut all: Value = serde_json::from_str(include_str!("../../golden/golden.json")).unwrap();
    all[section].take()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn numbers(value: &Value) -> Vec<f64> {
    items(value).iter().map(number).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    items(value).iter().map(numbers).collect()
}

fn whole(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn assert_close(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= ROUNDING * theirs.abs().max(1.0), "{what}: {ours} against {theirs}");
}

/// Values of words are their places, so that codes and values are the same everywhere.
fn domain(described: &Value) -> Domain {
    let bound = |name: &str| number(&described[name]);
    let step = described["step"].as_f64();
    let log = described["log"] == json!(true);
    match described["kind"].as_str().unwrap() {
        "int" => {
            let whole = |name: &str| described[name].as_i64().unwrap();
            Domain::int(whole("low"), whole("high"), whole("step"), log).unwrap()
        }
        "float" => Domain::float(bound("low"), bound("high"), step, log).unwrap(),
        _ => Domain::list((0..whole(&described["n"])).map(|i| json!(format!("word {i}"))).collect()).unwrap(),
    }
}

fn goal(value: &Value) -> Goal {
    serde_json::from_value(value.clone()).unwrap()
}

fn curve(value: &Value) -> Vec<(u32, f64)> {
    items(value).iter().map(|point| (whole(&point[0]) as u32, number(&point[1]))).collect()
}

#[test]
fn shares_and_weights_of_good_trials_are_optunas() {
    let golden = golden("splits");
    for row in items(&golden["gamma"]) {
        let n = whole(&row[0]);
        assert_eq!([n_below(n, 1), n_below(n, 2)], [whole(&row[1]), whole(&row[2])], "{n}");
    }
    for weights in rows(&golden["weights"]) {
        let ours = recency_weights(weights.len());
        assert!(ours.iter().zip(&weights).all(|(a, b)| (a - b).abs() < 1e-15), "{ours:?} against {weights:?}");
    }
}

#[test]
fn densities_are_optunas() {
    for (c, case) in items(&golden("parzen")).iter().enumerate() {
        let axes: Vec<Axis> = items(&case["domains"]).iter().map(|d| domain(d).axis()).collect();
        let options = KernelOptions {
            prior_weight: number(&case["priorWeight"]),
            magic_clip: case["magicClip"].as_bool().unwrap(),
            endpoints: case["endpoints"].as_bool().unwrap(),
        };
        let observed = rows(&case["rows"]);
        let density = Parzen::new(&axes, &observed, recency_weights(observed.len()), options);
        for (point, theirs) in rows(&case["points"]).iter().zip(numbers(&case["lnDensity"])) {
            assert_close(density.ln_density(point), theirs, &format!("case {c}, {axes:?}, at {point:?}"));
        }
    }
}

#[test]
fn good_and_other_trials_are_parted_as_optuna_does() {
    for case in items(&golden("parted")) {
        let trials: Vec<Trial> = (0..)
            .zip(items(&case["trials"]))
            .map(|(number, trial)| Trial {
                state: serde_json::from_value(trial["state"].clone()).unwrap(),
                values: trial["value"].as_f64().into_iter().collect(),
                curve: curve(&trial["curve"]).into_iter().collect(),
                ..Trial::new(number, Point(vec![]))
            })
            .collect();
        let n_known = trials.iter().take_while(|trial| trial.state != TrialState::Running).count();
        let (known, running) = trials.split_at(n_known);
        let parts = split(known, running, &[goal(&case["goal"])]);
        let of = |trials: &[&Trial]| json!(trials.iter().map(|trial| trial.number).collect::<Vec<u32>>());
        assert_eq!((of(&parts.below), of(&parts.above)), (case["below"].clone(), case["above"].clone()));
    }
}

#[test]
fn fronts_and_what_of_them_is_good_are_optunas() {
    for case in items(&golden("fronts")) {
        let losses = rows(&case["losses"]);
        assert_eq!(json!(ranks(&losses)), case["ranks"], "{losses:?}");
        for row in items(&case["below"]) {
            assert_eq!(json!(best(&losses, whole(&row[0]))), row[1], "{} of {losses:?}", row[0]);
        }
        assert_close(volume(&losses, &numbers(&case["reference"])), number(&case["volume"]), "volume");
    }
}

#[test]
fn p_values_of_signed_ranks_are_scipys() {
    for case in items(&golden("signedRank")) {
        let differences = numbers(&case["differences"]);
        let (ours, theirs) = (signed_rank_p(&differences), number(&case["p"]));
        assert!((ours - theirs).abs() < 1e-10, "{differences:?}: {ours} against {theirs}");
    }
}

/// A pruner with the brackets of Hyperband as Optuna drew them.
struct Judge<'a> {
    pruner: Box<dyn Pruner>,
    hyperband: Option<(HyperbandConfig, &'a Value)>,
}

impl Judge<'_> {
    fn judge(&self, view: &PruneView<'_>, trial: &mut Trial) -> bool {
        let Some((hyperband, case)) = &self.hyperband else { return self.pruner.judge(view, trial) };
        // Before the number of steps is known nobody has a bracket.
        if hyperband.max_steps.is_none() && !view.known.iter().any(|t| t.state == TrialState::Complete) {
            return false;
        }
        let bracket_of = |number: u32| whole(&case["brackets"][number as usize]) as u32;
        hyperband.judge_within(&bracket_of, view, trial)
    }
}

fn judge(case: &Value) -> Judge<'_> {
    let name = case["pruner"].as_str().unwrap();
    let entry = pruners().iter().find(|entry| entry.id == name).unwrap();
    let hyperband = (name == "hyperband").then(|| {
        let config: HyperbandConfig = serde_json::from_value(case["config"].clone()).unwrap();
        (config, case)
    });
    Judge { pruner: entry.build(&case["config"]).unwrap(), hyperband }
}

#[test]
fn pruners_give_up_the_trials_that_optuna_gives_up() {
    let golden = golden("pruners");
    for case in items(&golden["cases"]) {
        let judge = judge(case);
        let goal = goal(&case["goal"]);
        let mut known: Vec<Trial> = Vec::new();
        let mut pruned_at: Vec<Option<u32>> = Vec::new();
        for (number, reported) in (0..).zip(items(&golden["curves"][whole(&case["curves"])])) {
            let reported = curve(reported);
            let mut trial = Trial::new(number, Point(vec![]));
            let stop = reported.iter().find(|(step, value)| {
                trial.curve.insert(*step, *value);
                judge.judge(&PruneView { goal, known: &known, seed: Seed(1) }, &mut trial)
            });
            pruned_at.push(stop.map(|(step, _)| *step));
            let sound: Vec<f64> = reported.iter().map(|(_, value)| *value).filter(|value| !value.is_nan()).collect();
            let mean = if sound.is_empty() { 0.0 } else { sound.iter().sum::<f64>() / sound.len() as f64 };
            (trial.state, trial.values) =
                if stop.is_some() { (TrialState::Pruned, vec![]) } else { (TrialState::Complete, vec![mean]) };
            known.push(trial);
        }
        let what = format!("{} {} on curves {}, {goal:?}", case["pruner"], case["config"], case["curves"]);
        assert_eq!(json!(pruned_at), case["prunedAt"], "{what}");
    }
}

#[test]
fn brackets_of_hyperband_get_the_shares_that_optuna_gives() {
    let golden = golden("pruners");
    let with_shares = items(&golden["cases"]).iter().filter(|case| !case["shares"].is_null());
    let mut n_cases = 0;
    for case in with_shares.filter(|case| case["config"]["maxSteps"].is_u64()) {
        let config: HyperbandConfig = serde_json::from_value(case["config"].clone()).unwrap();
        assert_eq!(json!(config.shares(config.max_steps.unwrap())), case["shares"]);
        n_cases += 1;
    }
    assert_eq!(n_cases, 4);
}

#[test]
fn importances_are_optunas() {
    for (c, case) in items(&golden("importances")).iter().enumerate() {
        let mut dimensions: Vec<Dimension> =
            (0..).zip(items(&case["domains"])).map(|(i, d)| Dimension::new(format!("p{i}"), domain(d))).collect();
        if case["conditional"] == json!(true) {
            let second = dimensions.remove(1).when("p0", vec![json!("word 0"), json!("word 1")]);
            dimensions.insert(1, second);
        }
        let space = Space::new(dimensions).unwrap();
        // Conditions may have moved dimensions behind others; codes go by name.
        let names: Vec<String> = space.dimensions().iter().map(|d| d.name().to_owned()).collect();
        let trials: Vec<Trial> = (0..)
            .zip(items(&case["rows"]).iter().zip(rows(&case["values"])))
            .map(|(number, (row, values))| {
                let place = |name: &String| name[1..].parse::<usize>().unwrap();
                let point = Point(names.iter().map(|name| row[place(name)].as_f64()).collect());
                Trial { state: TrialState::Complete, values, ..Trial::new(number, point) }
            })
            .collect();
        let goals = vec![goal(&case["goal"]); trials[0].values.len()];
        let trials: Vec<&Trial> = trials.iter().collect();
        let searched: Vec<usize> = (0..names.len()).collect();
        let ours: BTreeMap<&String, f64> = names.iter().zip(divergences(&space, &goals, &trials, &searched)).collect();
        for (i, theirs) in numbers(&case["divergences"]).into_iter().enumerate() {
            assert_close(ours[&format!("p{i}")], theirs, &format!("case {c}, parameter {i}"));
        }
    }
}

#[test]
fn the_versions_are_told() {
    let versions: Map<String, Value> = serde_json::from_value(golden("versions")).unwrap();
    assert_eq!(versions["optuna"], json!("5.0.0"));
}

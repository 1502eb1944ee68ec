//! What luck explains, against references: the `arch` package on the same numbers (`tests/golden/luck.py` made them), and
//! the deflated Sharpe ratios, probabilities of backtest overfitting and bootstraps that come with the real data, which
//! were checked against `pypbo` and `arch`.

use std::path::PathBuf;

use candlecast_core::Seed;
use candlecast_learn::significance::{
    Block, BlockSums, Blocks, EffectiveTrials, Overfitting, Performance, Resampler, Resamples, SharpeRatio, Statistic,
    block_lengths, confidence_set, expected_maximum, replicated,
};
use serde_json::Value;

/// Files carry twelve digits.
const DIGITS: f64 = 1e-9;

/// The generator of `luck.py`.
struct Noise(u64);

impl Noise {
    fn normal(&mut self) -> f64 {
        let mut uniform = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }
}

/// The series of `luck.py`.
fn series(kind: &str, parameter: f64, n: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise(seed);
    if kind == "recursion" {
        let mut value = 0.0;
        let next = |_| {
            value = parameter * value + noise.normal();
            value
        };
        return (0..n).map(next).collect();
    }
    let width = parameter as usize;
    let shocks: Vec<f64> = (0..n + width).map(|_| noise.normal()).collect();
    (0..n).map(|i| shocks[i..i + width].iter().sum()).collect()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/luck.json")).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

#[track_caller]
fn close(ours: f64, theirs: &Value, tolerance: f64, what: &str) {
    let theirs = number(theirs);
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{what}: {ours} against {theirs}");
}

#[test]
fn block_lengths_are_those_of_arch() {
    let golden = golden();
    let cases = list(&golden["blockLengths"]);
    assert_eq!(cases.len(), 28);
    for case in cases {
        let (n, seed) = (count(&case["n"]), case["seed"].as_u64().unwrap());
        let x = series(case["kind"].as_str().unwrap(), number(&case["parameter"]), n, seed);
        let found = block_lengths(&x).unwrap();
        close(found.stationary, &case["stationary"], DIGITS, &format!("{case}"));
        close(found.circular, &case["circular"], DIGITS, &format!("{case}"));
    }
}

#[test]
fn confidence_sets_are_those_of_arch_on_the_same_resamples() {
    let golden = golden();
    let cases = list(&golden["confidenceSets"]);
    assert_eq!(cases.len(), 3);
    for case in cases {
        let (n, seed) = (count(&case["n"]), case["seed"].as_u64().unwrap());
        let market = series("overlap", 3.0, n, seed);
        let of_model = |(k, edge): (usize, f64)| -> Vec<f64> {
            let own = series("overlap", 3.0, n, seed + 1 + k as u64);
            market.iter().zip(own).map(|(market, own)| 2.0 * market + own - edge).collect()
        };
        let losses: Vec<Vec<f64>> = numbers(&case["edges"]).into_iter().enumerate().map(of_model).collect();
        let sums = BlockSums::of(&losses.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let mut resampled = Vec::new();
        for resample in list(&case["resamples"]) {
            let blocks: Vec<Block> =
                list(resample).iter().map(|block| Block { start: count(&block[0]), len: count(&block[1]) }).collect();
            assert_eq!(blocks.iter().map(|block| block.len).sum::<usize>(), n);
            let mut means = vec![0.0; losses.len()];
            sums.resampled_means(&blocks, &mut means);
            resampled.extend(means);
        }
        for (statistic, name) in [(Statistic::Range, "range"), (Statistic::Max, "max")] {
            let found = confidence_set(sums.means(), &resampled, statistic).unwrap();
            // A resample whose statistic is that of the losses themselves falls to either side by rounding.
            let one = 1.0 / list(&case["resamples"]).len() as f64;
            for (k, p) in found.iter().enumerate() {
                close(*p, &case[name][k], one + DIGITS, &format!("{name} {k} of {n}"));
            }
        }
    }
}

/// A file of the simulator's golden results; `None` where the data are not there.
fn simulator(file: &str) -> Option<String> {
    let path: PathBuf = candlecast_testenv::real_data()?.join("simulator").join(file);
    if !path.is_file() {
        candlecast_testenv::missing(&format!("{} of the real data", path.display()));
        return None;
    }
    Some(std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

fn simulator_json(file: &str) -> Option<Value> {
    simulator(file).map(|text| serde_json::from_str(&text).unwrap())
}

#[test]
fn deflated_sharpe_ratios_are_those_of_the_worked_cases() {
    let Some(found) = simulator_json("dsr.json") else { return };
    let cases = list(&found["cases"]);
    assert_eq!(cases.len(), 7);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let per_year = number(&case["periodsPerYear"]);
        let sharpe = SharpeRatio {
            sharpe: number(&case["sharpeAnnual"]) / per_year.sqrt(),
            observations: count(&case["observations"]),
            skewness: number(&case["skew"]),
            kurtosis: number(&case["kurtosis"]),
        };
        let (trials, variance) = (number(&case["trials"]), number(&case["varianceOfTrialSharpesAnnual"]) / per_year);
        let expected = expected_maximum(trials, variance).unwrap();
        close(sharpe.sharpe, &case["sharpePerPeriod"], DIGITS, name);
        close(expected_maximum(trials, 1.0).unwrap(), &case["expectedMaxStd"], DIGITS, name);
        close(expected, &case["expectedMaxSharpePerPeriod"], DIGITS, name);
        close(expected * per_year.sqrt(), &case["expectedMaxSharpeAnnual"], DIGITS, name);
        close(sharpe.probability_above(0.0).unwrap(), &case["psrZero"], DIGITS, name);
        close(sharpe.deflated(trials, variance).unwrap(), &case["dsr"], DIGITS, name);
        close(sharpe.standard_error().unwrap() * per_year.sqrt(), &case["sharpeStdErrAnnual"], DIGITS, name);
        match sharpe.minimum_track_record(0.0, 0.95) {
            Some(length) => close(length, &case["minTrackRecordObservations95"], DIGITS, name),
            None => assert!(case["minTrackRecordObservations95"].is_null(), "{name}"),
        }
    }
}

/// The columns of a table of numbers without a header.
fn matrix(text: &str) -> Vec<Vec<f64>> {
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for line in text.lines() {
        for (k, field) in line.split(',').enumerate() {
            if columns.len() == k {
                columns.push(Vec::new());
            }
            columns[k].push(field.parse().unwrap());
        }
    }
    columns
}

/// What the best of the trials is worth, beside what is on record.
fn check_deflated(columns: &[&[f64]], expected: &Value, name: &str) {
    let ratios: Vec<SharpeRatio> = columns.iter().map(|column| SharpeRatio::of(column).unwrap()).collect();
    let best = &ratios[count(&expected["bestColumn"])];
    assert!(ratios.iter().all(|ratio| ratio.sharpe <= best.sharpe), "{name}");
    for (ratio, sharpe) in ratios.iter().zip(list(&expected["sharpes"])) {
        close(ratio.sharpe, sharpe, DIGITS, name);
    }
    let n = ratios.len() as f64;
    let mean = ratios.iter().map(|ratio| ratio.sharpe).sum::<f64>() / n;
    let variance = ratios.iter().map(|ratio| (ratio.sharpe - mean).powi(2)).sum::<f64>() / (n - 1.0);
    close(best.skewness, &expected["skew"], DIGITS, name);
    close(best.kurtosis, &expected["kurtosis"], DIGITS, name);
    close(variance, &expected["varianceOfTrialSharpes"], DIGITS, name);
    close(expected_maximum(n, variance).unwrap(), &expected["expectedMaxSharpe"], DIGITS, name);
    close(best.deflated(n, variance).unwrap(), &expected["dsr"], DIGITS, name);
    let effective = EffectiveTrials::of(columns).unwrap();
    close(effective.by_eigenvalues, &expected["effectiveTrialsEigen"], DIGITS, name);
    close(effective.by_mean_correlation, &expected["effectiveTrialsAverageCorrelation"], DIGITS, name);
    let dsr = best.deflated(effective.by_eigenvalues, variance).unwrap();
    close(dsr, &expected["dsrEffectiveEigen"], DIGITS, name);
    // Chance makes independent columns look alike, so without it there are more of them.
    assert!((23.4..23.6).contains(&effective.without_chance), "{effective:?}");
}

#[test]
fn probabilities_of_overfitting_are_those_of_pypbo() {
    let Some((text, found)) = simulator("pbo_matrix.csv").zip(simulator_json("pbo.json")) else { return };
    let plain = matrix(&text);
    let variants = list(&found["variants"]);
    assert_eq!((plain.len(), plain[0].len(), variants.len()), (40, 480, 3));
    for variant in variants {
        let name = variant["name"].as_str().unwrap();
        let mut columns = plain.clone();
        let (column, skill) = match name {
            "noise" => (0, 0.0),
            "weak-skill" => (7, 0.0015),
            "strong-skill" => (33, 0.004),
            other => panic!("{other} is not known"),
        };
        columns[column].iter_mut().for_each(|x| *x += skill);
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        for expected in list(&variant["results"]) {
            let what = format!("{name}, {} blocks", expected["S"]);
            let found = Overfitting::of(&columns, count(&expected["S"]), Performance::Sharpe).unwrap();
            assert_eq!(found.choices.len(), count(&expected["combinations"]), "{what}");
            close(found.probability(), &expected["pbo"], 1e-11, &what);
            close(found.probability_of_loss(), &expected["probOosLoss"], 1e-11, &what);
            close(found.median_logit(), &expected["medianLogit"], DIGITS, &what);
            let logits = found.choices.iter().map(|choice| choice.logit).sum::<f64>();
            close(logits / found.choices.len() as f64, &expected["meanLogit"], DIGITS, &what);
            let (inside, outside) = found.mean_performance();
            close(inside, &expected["meanInSampleSharpe"], DIGITS, &what);
            close(outside, &expected["meanOutOfSampleSharpe"], DIGITS, &what);
            let line = found.degradation().unwrap();
            close(line.slope, &expected["degradationSlope"], 1e-8, &what);
            close(line.intercept, &expected["degradationIntercept"], 1e-8, &what);
            for (column, times) in expected["bestColumnCounts"].as_object().unwrap() {
                let column: usize = column.parse().unwrap();
                let chosen = found.choices.iter().filter(|choice| choice.trial == column).count();
                assert_eq!(chosen, count(times), "{what}: column {column}");
            }
        }
        check_deflated(&columns, &variant["deflatedSharpe"], name);
    }
}

/// Daily returns of two strategies, day by day.
fn returns(text: &str, a: &str, b: &str) -> Vec<(f64, f64)> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|field| *field == name).unwrap();
    let (a, b) = (column(a), column(b));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[a].parse().unwrap(), fields[b].parse().unwrap())
        })
        .collect()
}

/// By how much the first of two strategies has the higher Sharpe ratio, a year.
fn difference(days: &[(f64, f64)]) -> Option<f64> {
    let of = |pick: fn(&(f64, f64)) -> f64| SharpeRatio::of(&days.iter().map(pick).collect::<Vec<_>>());
    Some((of(|day| day.0)?.sharpe - of(|day| day.1)?.sharpe) * 365.0_f64.sqrt())
}

#[test]
fn bootstraps_of_sharpe_ratios_are_those_of_the_simulator_within_the_noise_of_drawing() {
    let Some((text, found)) = simulator("daily_returns.csv").zip(simulator_json("bootstrap_sharpe.json")) else {
        return;
    };
    for case in list(&found["cases"]) {
        let (a, b) = (case["a"].as_str().unwrap(), case["b"].as_str().unwrap());
        let days = returns(&text, a, b);
        let estimate = difference(&days).unwrap();
        close(estimate, &case["difference"], DIGITS, a);
        for (k, expected) in numbers(&case["optimalBlockLengthStationary"]).into_iter().enumerate() {
            let column: Vec<f64> = days.iter().map(|day| if k == 0 { day.0 } else { day.1 }).collect();
            let found = block_lengths(&column).unwrap().stationary;
            assert!((found - expected).abs() < DIGITS, "{a} {b} {k}: {found} against {expected}");
        }
        for expected in list(&case["byBlock"]) {
            let what = format!("{a} against {b}, blocks of {}", expected["meanBlock"]);
            let resampler = Resampler::new(Blocks::Stationary, days.len(), number(&expected["meanBlock"]));
            let drawn = replicated(&days, &resampler, 10_000, Seed(42), difference);
            let resamples = Resamples::new(estimate, drawn).unwrap();
            let ((lower, upper), (basic_lower, basic_upper)) =
                (resamples.percentile_interval(0.95), resamples.basic_interval(0.95));
            let within = |ours: f64, field: &str, tolerance: &str| {
                let (theirs, noise) = (number(&expected[field]), number(&expected["tolerance"][tolerance]));
                // The file's tolerance is the noise of one side; both are drawn.
                let noise = noise * std::f64::consts::SQRT_2;
                assert!((ours - theirs).abs() <= noise, "{what}: {field} {ours} against {theirs} +- {noise}");
            };
            within(lower, "lower", "lower");
            within(upper, "upper", "upper");
            within(basic_lower, "basicLower", "upper");
            within(basic_upper, "basicUpper", "lower");
            within(resamples.standard_error(), "stdErr", "stdErr");
            within(resamples.p_value_of(0.0), "pValueTwoSided", "p");
        }
    }
}

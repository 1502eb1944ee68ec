//! Against scikit-learn and XGBoost on the same numbers; `golden/make_golden.py` made them.

use candlecast_core::Seed;
use candlecast_models::{ForestConfig, ForestKind, GbdtConfig, Matrix, Objective, logistic, ridge};
use serde_json::Value;

fn read(name: &str) -> Value {
    let path = format!("{}/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

struct Inputs {
    n_train: usize,
    p: usize,
    x: Vec<f64>,
    y: Vec<f64>,
    second: Vec<f64>,
    binary: Vec<f64>,
    classes: Vec<f64>,
}

impl Inputs {
    fn read() -> Self {
        let v = read("inputs");
        Self {
            n_train: v["nTrain"].as_u64().unwrap() as usize,
            p: v["nFeatures"].as_u64().unwrap() as usize,
            x: numbers(&v["x"]),
            y: numbers(&v["y"]),
            second: numbers(&v["second"]),
            binary: numbers(&v["binary"]),
            classes: numbers(&v["classes"]),
        }
    }

    fn x32(&self) -> Vec<f32> {
        self.x.iter().map(|&v| v as f32).collect()
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

fn rmse(forecast: impl Iterator<Item = f64>, y: &[f64]) -> f64 {
    (forecast.zip(y).map(|(f, y)| (f - y).powi(2)).sum::<f64>() / y.len() as f64).sqrt()
}

/// Area under the ROC curve by ranks, ties shared.
fn auc(score: &[f64], y: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[a].total_cmp(&score[b]));
    let mut rank_sum = 0.0;
    let mut i = 0;
    while i < order.len() {
        let tied = order[i..].iter().take_while(|&&k| score[k] == score[order[i]]).count();
        let rank = i as f64 + f64::midpoint(tied as f64, 1.0);
        rank_sum += order[i..i + tied].iter().map(|&k| rank * y[k]).sum::<f64>();
        i += tied;
    }
    let positive: f64 = y.iter().sum();
    (rank_sum - positive * (positive + 1.0) / 2.0) / (positive * (y.len() as f64 - positive))
}

fn log_loss(p: &[f64], classes: &[f64], k: usize) -> f64 {
    p.chunks_exact(k).zip(classes).map(|(p, &c)| -p[c as usize].ln()).sum::<f64>() / classes.len() as f64
}

fn assert_near(ours: f64, theirs: f64, what: &str) {
    assert!((ours / theirs - 1.0).abs() < 0.01, "{what}: {ours} against {theirs}");
}

#[test]
fn ridge_coefficients_are_scikit_learns() {
    let (inputs, golden) = (Inputs::read(), read("linear"));
    let n = golden["n"].as_u64().unwrap() as usize;
    let y: Vec<f64> = (0..n).flat_map(|i| [inputs.y[i], inputs.second[i]]).collect();
    for case in golden["ridge"].as_array().unwrap() {
        let fit = ridge(&inputs.x[..n * inputs.p], &y, inputs.p, 2, case["alpha"].as_f64().unwrap()).unwrap();
        for (ours, theirs) in fit.coefficients.iter().zip(numbers(&case["coef"])) {
            assert!((ours - theirs).abs() < 1e-8, "{case}: {ours} against {theirs}");
        }
        for (ours, theirs) in fit.intercept.iter().zip(numbers(&case["intercept"])) {
            assert!((ours - theirs).abs() < 1e-8, "{case}: {ours} against {theirs}");
        }
    }
}

#[test]
fn logistic_weights_are_scikit_learns() {
    let (inputs, golden) = (Inputs::read(), read("linear"));
    let n = golden["n"].as_u64().unwrap() as usize;
    let class: Vec<usize> = inputs.classes[..n].iter().map(|&c| c as usize).collect();
    for case in golden["logistic"].as_array().unwrap() {
        let alpha = case["alpha"].as_f64().unwrap();
        let fit = logistic(&inputs.x[..n * inputs.p], &class, inputs.p, 3, alpha).unwrap();
        for (ours, theirs) in fit.weights.iter().zip(numbers(&case["coef"])) {
            assert!((ours - theirs).abs() < 1e-4, "{case}: {ours} against {theirs}");
        }
    }
}

#[test]
fn boosted_trees_are_as_accurate_as_xgboosts() {
    let (inputs, golden) = (Inputs::read(), read("boosting"));
    let (n, p) = (inputs.n_train, inputs.p);
    let x = inputs.x32();
    let (train, test) = (Matrix::new(&x[..n * p], p).unwrap(), Matrix::new(&x[n * p..], p).unwrap());
    let (early, held) = (Matrix::new(&x[..900 * p], p).unwrap(), Matrix::new(&x[900 * p..n * p], p).unwrap());
    let (y, binary, classes) = (single(&inputs.y), single(&inputs.binary), single(&inputs.classes));
    let softmax = Objective::Softmax { classes: 3 };
    let bins = numbers(&golden["settings"]["bins"]);
    let mut sums = [0.0; 4];
    for &max_bins in &bins {
        let max_bins = max_bins as usize;
        let config = GbdtConfig { rounds: 150, max_depth: 4, learning_rate: 0.1, max_bins, ..GbdtConfig::default() };
        let fit = config.fit_matrix((&train, &y[..n]), None, Objective::Squared, Seed(1), 2).unwrap();
        assert_eq!(fit.n_rounds(), 150);
        sums[0] += rmse(fit.predict_matrix(&test).into_iter(), &inputs.y[n..]);
        let long = GbdtConfig { rounds: 2000, ..config };
        let valid = Some((&held, &y[900..n]));
        let fit = long.fit_matrix((&early, &y[..900]), valid, Objective::Squared, Seed(1), 1).unwrap();
        assert!((60..900).contains(&fit.n_rounds()), "{} rounds", fit.n_rounds());
        sums[1] += rmse(fit.predict_matrix(&test).into_iter(), &inputs.y[n..]);
        let fit = config.fit_matrix((&train, &binary[..n]), None, Objective::Logistic, Seed(1), 2).unwrap();
        sums[2] += auc(&fit.predict_matrix(&test), &inputs.binary[n..]);
        let fit = config.fit_matrix((&train, &classes[..n]), None, softmax, Seed(1), 2).unwrap();
        sums[3] += log_loss(&fit.predict_matrix(&test), &inputs.classes[n..], 3);
    }
    let [squared, stopped, area, soft] = sums.map(|sum| sum / bins.len() as f64);
    let expected = |name: &str| golden[name].as_f64().unwrap();
    assert_near(squared, expected("rmse"), "rmse");
    assert_near(stopped, expected("earlyRmse"), "early rmse");
    assert_near(area, expected("auc"), "auc");
    // The log loss of overfitted probabilities is far noisier than the area under the curve.
    assert!((soft / expected("softmaxLogLoss") - 1.0).abs() < 0.04, "softmax {soft}");
}

#[test]
fn forests_are_as_accurate_as_scikit_learns() {
    let (inputs, golden) = (Inputs::read(), read("forest"));
    let (n, p) = (inputs.n_train, inputs.p);
    let x = inputs.x32();
    let (train, test) = (Matrix::new(&x[..n * p], p).unwrap(), Matrix::new(&x[n * p..], p).unwrap());
    let config = ForestConfig { trees: 100, ..ForestConfig::default() };
    let seeds = golden["settings"]["seeds"].as_u64().unwrap();
    let both: Vec<f32> = (0..n).flat_map(|i| [inputs.y[i] as f32, inputs.second[i] as f32]).collect();
    let (y, binary, classes) = (single(&inputs.y), single(&inputs.binary), single(&inputs.classes));
    let mut sums = [0.0; 5];
    for seed in 0..seeds {
        let fit = |y: &[f32], kind| config.fit_matrix(&train, y, kind, Seed(seed), 2).unwrap().predict_matrix(&test);
        let one = fit(&y[..n], ForestKind::Regression { outputs: 1 });
        let two = fit(&both, ForestKind::Regression { outputs: 2 });
        let two_classes = fit(&binary[..n], ForestKind::Classes { classes: 2 });
        let three = fit(&classes[..n], ForestKind::Classes { classes: 3 });
        let of_one: Vec<f64> = two_classes.chunks_exact(2).map(|p| p[1]).collect();
        sums[0] += rmse(one.into_iter(), &inputs.y[n..]);
        sums[1] += rmse(two.chunks_exact(2).map(|v| v[0]), &inputs.y[n..]);
        sums[2] += rmse(two.chunks_exact(2).map(|v| v[1]), &inputs.second[n..]);
        sums[3] += auc(&of_one, &inputs.binary[n..]);
        sums[4] += log_loss(&three, &inputs.classes[n..], 3);
    }
    let names = ["rmse", "rmseFirstOfTwo", "rmseSecondOfTwo", "auc", "classesLogLoss"];
    for (sum, name) in sums.iter().zip(names) {
        assert_near(sum / seeds as f64, golden[name].as_f64().unwrap(), name);
    }
}

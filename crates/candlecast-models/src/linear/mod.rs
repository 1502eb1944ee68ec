//! `linear`: ridge regression of log returns or of the log variance, or logistic regression of directions, on the
//! features at the origin.

mod blocks;
mod logistic;
mod normal_equations;

use candlecast_core::FeatureSet;
use candlecast_core::catalog::{Entry, read_config};
use candlecast_learn::{
    Asked, CLASSES, Curve, DEFAULT_WINDOW, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState,
    Panel, Prediction, PriceTarget, RestoreError, Samples, ScalerKind, Smearing, Stop, TargetKind, Task, Tensor,
};

pub use logistic::{Logistic, logistic};
pub use normal_equations::{Ridge, ridge};

use blocks::Blocks;
use logistic::Problem;

use crate::softmax::softmax;
use crate::{checks, holdout};

/// Catalog id.
const ID: &str = "linear";

candlecast_core::params! {
    /// Ridge regression: one solve for all steps of the horizon. Predictions are
    /// `drift + (x - mean of x)' b`, where `b` minimises `sum (y - mean of y - (x - mean of x)' b)^2 + alpha |b|^2`.
    /// Directions are forecast by multinomial logistic regression with the penalty `alpha / 2 |W|^2` on the sum of
    /// losses.
    #[derive(Copy)]
    pub struct LinearConfig {
        /// Scikit-learn's `alpha`, above 0. `None` chooses it by the loss on the validation part, or else on the newest
        /// 15 % of the training part, from `n * 10^k`, `k` = -3, -2.5 .. 4, and infinity (no feature is used). Losses
        /// of steps are weighed by the inverse mean square of their returns.
        "alpha" => alpha: Option<f64> = null, float(1e-6..=1e9, log), search(1.0..=1e8, log),
            "L2 penalty on the sum of squares; null: chosen on the validation part";
        /// The factor is the positive-part James-Stein `max(0, 1 - 1 / t^2)`, `t` being the t-value of the mean return
        /// (drift) over one step: on a random walk most of it vanishes. The drift is otherwise not penalised.
        "shrinkDrift" => shrink_drift: bool = true, bool,
            "shrink the mean return towards 0 as far as it is insignificant";
        /// With `raw` the penalty, chosen or given, is one for all steps, on features as they are scaled, and the model is
        /// that of scikit-learn's `Ridge`. Otherwise it is `alpha / n` a row of features that are standardised over the
        /// window, by default 0.1 up to 4 steps and 0.5 from 24 on.
        "target" => target: TargetKind = "clipped", choice("clipped", "wide", "raw"),
            "what is learnt of a price: the move in units of sigma sqrt(h), clipped; wide: clipped at 3; raw: the log return";
        "targetBound" => target_bound: Option<f64> = null, float(0.05..=10.0),
            "bound k of the clipped target in units of sigma sqrt(h); null: 1 up to 4 steps, 0.5 from 24 on";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Learner> = Entry {
    id: ID,
    aliases: &["ridge"],
    summary: "ridge regression on the features at the origin",
    params: LinearConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<LinearConfig>(ID, config)?)),
};

impl Learner for LinearConfig {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. } | Task::Direction { .. } | Task::Volatility { .. })
    }

    fn lookback(&self) -> usize {
        1
    }

    fn inputs(&self, asked: &Asked) -> Inputs {
        if self.learns_moves(&asked.task) && reversal_suits(asked) {
            return Inputs { features: FeatureSet::of(&["reversal"]), scaler: ScalerKind::None };
        }
        Inputs { features: FeatureSet::of(&["default"]), scaler: ScalerKind::Standard }
    }

    fn uses_validation(&self, task: &Task) -> bool {
        // Penalties of moves are compared within the window, all of which is then learnt from.
        !self.learns_moves(task)
    }

    fn windows(&self, task: &Task) -> &'static [u32] {
        if self.learns_moves(task) { &MOVE_WINDOWS } else { &[DEFAULT_WINDOW] }
    }

    fn scales_itself(&self, task: &Task) -> bool {
        self.learns_moves(task)
    }

    fn memory_bytes(&self, n_samples: usize, n_features: usize, task: &Task) -> usize {
        8 * (n_samples * (n_features + 2 * task.width()) + 3 * n_features * (n_features + task.width()))
    }

    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        checks::enough(train.len(), self.min_samples())?;
        if self.learns_moves(train.task()) {
            let model = Box::new(self.fit_moves(train, cx)?);
            return Ok(FitOutcome { model, stopped: Stop::Converged, steps: 1, curve: Curve::default() });
        }
        checks::finite_inputs(train)?;
        if !self.supports(train.task()) {
            return Err(FitError::Unsupported { model: ID.into(), task: train.task().id().into() });
        }
        let model = match train.task() {
            Task::Price { .. } => self.fit_ridge(train, cx, self.shrink_drift)?,
            Task::Direction { .. } => self.fit_direction(train, cx)?,
            Task::Volatility { .. } => {
                // The mean is not shrunk: smearing makes up for any constant, so that without use of the features the
                // base remains, times a factor.
                let plain = self.fit_ridge(train, cx, false)?;
                let mut out = Prediction::default();
                plain.predict_into(train, &mut out);
                FittedLinear { output: Output::Variance(Smearing::fit(train, &out)?), ..plain }
            }
        };
        Ok(FitOutcome { model: Box::new(model), stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }

    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        let n_features: usize = state.fact("features")?;
        let width = task.width();
        Ok(Box::new(FittedLinear {
            alpha: state.fact("alpha")?,
            width,
            output: match task {
                Task::Price { .. } if self.learns_moves(task) => Output::Moves(self.price_target()),
                Task::Price { .. } => Output::Returns,
                Task::Direction { .. } => Output::Classes,
                Task::Volatility { .. } => Output::Variance(Smearing::read(state)?),
            },
            weights: state.f64("weights", &[n_features, width])?.to_vec(),
            intercept: state.f64("intercept", &[width])?.to_vec(),
            own: OwnMap::read(state, n_features, width)?,
        }))
    }
}

impl LinearConfig {
    fn price_target(&self) -> PriceTarget {
        PriceTarget::new(self.target, self.target_bound)
    }

    /// True for prices that are learnt as moves in units of the volatility.
    fn learns_moves(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. }) && self.target != TargetKind::Raw
    }

    /// The mean of fits over the windows of `cx`; of several markets the mean of a fit on all and one on each alone.
    fn fit_moves(&self, train: &Samples<'_>, cx: &FitContext<'_>) -> Result<FittedLinear, FitError> {
        let target = self.price_target();
        let blocks = Blocks::of(train, target, cx.extent.memo)?;
        let penalty = self.alpha.map(|alpha| alpha / train.len() as f64);
        let fit = blocks.fit(cx.extent.windows, penalty, self.shrink_drift)?;
        let (weights, intercept) = by_feature(&fit.pooled);
        let own = fit.own.iter().zip(train.data().panels()).filter_map(|(own, panel)| {
            let own = own.as_ref()?;
            let half = |pooled: &Vec<f64>, own: &Vec<f64>| pooled.iter().zip(own).map(|(a, b)| 0.5 * (a + b)).collect();
            let both: Vec<Vec<f64>> = fit.pooled.iter().zip(own).map(|(pooled, own)| half(pooled, own)).collect();
            let (weights, intercept) = by_feature(&both);
            Some(OwnMap { series: panel.market().series().key().to_string(), weights, intercept })
        });
        let own = own.collect();
        let used = fit.penalties.iter().copied().find(|p| p.is_finite());
        let alpha = used.map(|penalty| penalty * train.len() as f64);
        Ok(FittedLinear { alpha, width: intercept.len(), output: Output::Moves(target), weights, intercept, own })
    }

    fn fit_ridge(&self, train: &Samples<'_>, cx: &FitContext<'_>, shrink: bool) -> Result<FittedLinear, FitError> {
        let chosen = match (self.alpha, cx.valid) {
            (Some(alpha), _) => Some(alpha),
            (None, Some(valid)) => normal_equations::choose_alpha(train, valid, shrink)?,
            (None, None) => match holdout::holdout(train) {
                // The best penalty a sample carries over to the whole training part.
                Some((fitted, held)) => normal_equations::choose_alpha(&fitted, &held, shrink)?
                    .map(|alpha| alpha * train.len() as f64 / fitted.len() as f64),
                None => Some(train.len() as f64),
            },
        };
        normal_equations::fit_samples(train, chosen, shrink)
    }

    fn fit_direction(&self, train: &Samples<'_>, cx: &FitContext<'_>) -> Result<FittedLinear, FitError> {
        let class: Vec<usize> = (0..train.len()).map(|i| train.class(i)).collect();
        if class.iter().all(|&c| c == class[0]) {
            return Err(FitError::OneClass { class: class[0], samples: class.len() });
        }
        let problem = Problem::new(normal_equations::inputs(train), &class, CLASSES);
        let chosen = match (self.alpha, cx.valid, holdout::holdout(train)) {
            (Some(alpha), _, _) => Some(alpha),
            (None, Some(valid), _) => choose_alpha(&problem, valid)?,
            (None, None, Some((fitted, held))) => {
                let part = Problem::new(normal_equations::inputs(&fitted), &class[..fitted.len()], CLASSES);
                choose_alpha(&part, &held)?.map(|alpha| alpha * train.len() as f64 / fitted.len() as f64)
            }
            (None, None, None) => Some(train.len() as f64),
        };
        let weights = match chosen {
            Some(alpha) => problem.solve(alpha, logistic::EXACT, problem.start())?,
            None => problem.start(),
        };
        let Logistic { weights, intercept } = problem.logistic(&weights);
        Ok(FittedLinear { alpha: chosen, width: CLASSES, output: Output::Classes, weights, intercept, own: vec![] })
    }
}

/// Penalties in a row, each half a decade below the one before, that may fail to lower the validation loss.
const PATIENCE: usize = 3;

/// The penalty with the least log loss on `valid`; `None` when no use of the features beats the class shares. Penalties
/// fall until [`PATIENCE`] of them in a row have not helped: what lies below fits the noise closer still, and is where
/// nearly all the time would go.
fn choose_alpha(problem: &Problem<'_>, valid: &Samples<'_>) -> Result<Option<f64>, FitError> {
    let mut weights = problem.start();
    let (mut best, mut without_gain) = ((logistic::log_loss(&problem.logistic(&weights), valid), None), 0);
    for alpha in normal_equations::penalties(problem.n_rows()) {
        weights = problem.solve(alpha, logistic::ROUGH, weights)?;
        let loss = logistic::log_loss(&problem.logistic(&weights), valid);
        if loss < best.0 {
            (best, without_gain) = ((loss, Some(alpha)), 0);
        } else if without_gain + 1 == PATIENCE {
            break;
        } else {
            without_gain += 1;
        }
    }
    Ok(best.1)
}

/// Days of the windows that moves are learnt from.
const MOVE_WINDOWS: [u32; 3] = [365, 1_095, 1_825];
/// Intervals that reversal was found at.
const REVERSAL_MS: std::ops::RangeInclusive<i64> = 900_000..=14_400_000;
/// Candles below which too few are left behind the 199 that its features need.
const REVERSAL_CANDLES: usize = 1_000;

/// True where the features of reversal are the default ones.
pub(crate) fn reversal_suits(asked: &Asked) -> bool {
    REVERSAL_MS.contains(&asked.interval.ms()) && asked.candles >= REVERSAL_CANDLES
}

/// Coefficients `[step][1 + feature]` as weights `[feature, step]` and intercepts `[step]`.
fn by_feature(maps: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let width = maps.first().map_or(0, |map| map.len() - 1);
    let weights = (0..width).flat_map(|j| maps.iter().map(move |map| map[j + 1])).collect();
    (weights, maps.iter().map(|map| map[0]).collect())
}

/// The map of one series where there were several.
#[derive(Debug, Clone, PartialEq)]
struct OwnMap {
    series: String,
    /// `[feature, output]`.
    weights: Vec<f64>,
    /// `[output]`.
    intercept: Vec<f64>,
}

impl OwnMap {
    fn names(k: usize) -> [String; 2] {
        [format!("series{k}.weights"), format!("series{k}.intercept")]
    }

    fn write(maps: &[Self], width: usize, state: &mut ModelState) {
        if maps.is_empty() {
            return;
        }
        let series: Vec<&str> = maps.iter().map(|map| map.series.as_str()).collect();
        state.facts["series"] = serde_json::json!(series);
        for (k, map) in maps.iter().enumerate() {
            let [weights, intercept] = Self::names(k);
            let n_features = map.weights.len() / width;
            state.tensors.insert(weights, Tensor::f64(&[n_features, width], map.weights.clone()));
            state.tensors.insert(intercept, Tensor::f64(&[width], map.intercept.clone()));
        }
    }

    fn read(state: &ModelState, n_features: usize, width: usize) -> Result<Vec<Self>, RestoreError> {
        if state.facts.get("series").is_none() {
            return Ok(vec![]);
        }
        let series: Vec<String> = state.fact("series")?;
        let map = |(k, series): (usize, String)| {
            let [weights, intercept] = Self::names(k);
            Ok(Self {
                series,
                weights: state.f64(&weights, &[n_features, width])?.to_vec(),
                intercept: state.f64(&intercept, &[width])?.to_vec(),
            })
        };
        series.into_iter().enumerate().map(map).collect()
    }
}

/// What the outputs of the linear map are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Output {
    /// Log returns.
    Returns,
    /// Moves in units of the volatility.
    Moves(PriceTarget),
    /// Log odds of the classes.
    Classes,
    /// The log variance relative to its base.
    Variance(Smearing),
}

/// A fitted linear map from features.
#[derive(Debug, Clone, PartialEq)]
struct FittedLinear {
    /// Penalty; `None` when no feature is used.
    alpha: Option<f64>,
    width: usize,
    output: Output,
    /// `[feature, output]`.
    weights: Vec<f64>,
    /// `[output]`.
    intercept: Vec<f64>,
    /// Maps of the series that were learnt from, where there were several; of another series the one above holds.
    own: Vec<OwnMap>,
}

impl Fitted for FittedLinear {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), self.width);
        let maps = self.maps(x);
        for i in 0..x.len() {
            let row = out.row_mut(i);
            let (weights, intercept) = maps[x.ids()[i].panel as usize];
            scores(weights, intercept, x.last(i), row);
            match self.output {
                Output::Returns => {}
                Output::Moves(target) => target.to_returns(x, i, row),
                Output::Classes => softmax(row),
                Output::Variance(smearing) => row[0] = smearing.log_variance(x, i, row[0]),
            }
        }
    }

    fn state(&self) -> ModelState {
        let n_features = self.weights.len() / self.width;
        let mut state = ModelState {
            facts: serde_json::json!({ "alpha": self.alpha, "features": n_features }),
            tensors: [
                ("weights".to_owned(), Tensor::f64(&[n_features, self.width], self.weights.clone())),
                ("intercept".to_owned(), Tensor::f64(&[self.width], self.intercept.clone())),
            ]
            .into(),
        };
        if let Output::Variance(smearing) = self.output {
            smearing.write(&mut state);
        }
        OwnMap::write(&self.own, self.width, &mut state);
        state
    }

    fn importances(&self) -> Option<Vec<f64>> {
        let sums: Vec<f64> = self.weights.chunks_exact(self.width).map(|w| w.iter().map(|v| v.abs()).sum()).collect();
        let total: f64 = sums.iter().sum();
        (total > 0.0).then(|| sums.iter().map(|s| s / total).collect())
    }
}

impl FittedLinear {
    /// Weights and intercepts that hold for each panel of `x`.
    fn maps(&self, x: &Samples<'_>) -> Vec<(&[f64], &[f64])> {
        let of = |panel: &Panel| {
            let key = panel.market().series().key().to_string();
            let own = self.own.iter().find(|own| own.series == key);
            own.map_or((&self.weights[..], &self.intercept[..]), |own| (&own.weights[..], &own.intercept[..]))
        };
        x.data().panels().iter().map(of).collect()
    }
}

/// `intercept + x' weights`.
fn scores(weights: &[f64], intercept: &[f64], x: &[f32], out: &mut [f64]) {
    out.copy_from_slice(intercept);
    for (&v, w) in x.iter().zip(weights.chunks_exact(out.len())) {
        for (o, &w) in out.iter_mut().zip(w) {
            *o += f64::from(v) * w;
        }
    }
}

//! `log-har`: a straight line through the log realised variances of the last day, week and month (Corsi 2009).

use candlecast_core::catalog::{Entry, read_config};

use super::closes_only;
use crate::dataset::{Market, SampleId, floored_log_variance};
use crate::{
    Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, Stop, Task, Tensor,
};

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "log-har",
    aliases: &["har"],
    summary: "least squares on the log variances of the last day, week and 30 days",
    params: LogHarParams::PARAMS,
    build: |config| {
        let hour_steps = read_config::<LogHarParams>("log-har", config)?.hour_steps;
        Ok(Box::new(LogHar { spans: HOURS.map(|hours| ((hours * hour_steps).round() as usize).max(1)) }))
    },
};

candlecast_core::params! {
    /// Parameters of `log-har`.
    #[derive(Copy)]
    struct LogHarParams {
        "hourSteps" => hour_steps: f64 = 1, float(0.001..=3600.0, log),
            "candles in an hour; the platform sets it to that of the series' interval";
    }
}

/// Days of the training window.
const WINDOW_DAYS: u32 = 730;
/// Spans of the past variances.
const SPANS: usize = 3;
/// Their lengths in hours: a day, a week, 30 days.
const HOURS: [f64; SPANS] = [24.0, 168.0, 720.0];
/// Coefficients: the intercept and one a span.
const COEFFICIENTS: usize = SPANS + 1;
/// Penalty on the squared slopes, as a share of the regressors' variance: it decides only where two spans have the same
/// rows, as a day and a week of weekly candles do.
const RIDGE: f64 = 1e-10;
/// Variance of regressors that is nothing but rounding.
const NO_VARIANCE: f64 = 1e-20;

/// Heterogeneous autoregression in logarithms: `ln RV` of the next steps on `ln RV` of the last 24, 168 and 720 hours,
/// by least squares with an intercept. The forecast is the line's value plus half the residual variance, which makes it
/// the logarithm of the expected variance where residuals are normal.
#[derive(Debug, Clone, Copy)]
struct LogHar {
    /// Rows of each span, at least 1.
    spans: [usize; SPANS],
}

#[derive(Debug)]
struct FittedLogHar {
    spans: [usize; SPANS],
    /// The intercept first.
    coefficients: [f64; COEFFICIENTS],
    residual_variance: f64,
}

impl Learner for LogHar {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Volatility { .. })
    }
    fn lookback(&self) -> usize {
        self.spans[SPANS - 1] + 1
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        closes_only()
    }
    fn uses_validation(&self, _: &Task) -> bool {
        false
    }
    fn windows(&self, _: &Task) -> &'static [u32] {
        &[WINDOW_DAYS]
    }
    fn fit(&self, train: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        if train.len() < self.min_samples() {
            return Err(FitError::TooFewSamples { have: train.len(), need: self.min_samples() });
        }
        let past = log_variances(train, self.spans);
        let ahead: Vec<f64> = (0..train.len()).map(|i| train.log_variance(i)).collect();
        let (coefficients, residual_variance) = least_squares(&past, &ahead);
        let model = Box::new(FittedLogHar { spans: self.spans, coefficients, residual_variance });
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }
    fn restore(&self, state: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        let coefficients = state.f64("coefficients", &[COEFFICIENTS])?;
        let residual_variance = state.f64("residualVariance", &[1])?[0];
        if residual_variance < 0.0 {
            let reason = format!("{residual_variance} is below 0");
            return Err(RestoreError::Fact { name: "residualVariance".into(), reason });
        }
        let coefficients = std::array::from_fn(|k| coefficients[k]);
        Ok(Box::new(FittedLogHar { spans: self.spans, coefficients, residual_variance }))
    }
}

impl Fitted for FittedLogHar {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), 1);
        for (i, past) in log_variances(x, self.spans).iter().enumerate() {
            out.row_mut(i)[0] = line(&self.coefficients, past) + 0.5 * self.residual_variance;
        }
    }
    fn state(&self) -> ModelState {
        ModelState {
            facts: serde_json::Value::Null,
            tensors: [
                ("coefficients".to_owned(), Tensor::f64(&[COEFFICIENTS], self.coefficients.to_vec())),
                ("residualVariance".to_owned(), Tensor::f64(&[1], vec![self.residual_variance])),
            ]
            .into(),
        }
    }
}

/// Log realised variances of the last rows up to each origin, `[sample][span]`.
fn log_variances(x: &Samples<'_>, spans: [usize; SPANS]) -> Vec<[f64; SPANS]> {
    let market = |id: &SampleId| x.data().panels()[id.panel as usize].market();
    let segment = |id: &SampleId| (id.panel, market(id).series().segment_of(id.row as usize).start);
    let mut out = Vec::with_capacity(x.len());
    for run in x.ids().chunk_by(|a, b| segment(a) == segment(b)) {
        let squares = Squares::before(market(&run[0]), run, spans[SPANS - 1]);
        let sums = spans.map(|span| squares.window_sums(span));
        out.extend(run.iter().map(|id| -> [f64; SPANS] {
            let at = id.row as usize - squares.first_row;
            std::array::from_fn(|s| floored_log_variance(sums[s][at], spans[s]))
        }));
    }
    out
}

/// Squared one-step log returns of successive rows of a segment.
struct Squares {
    /// Row of the first.
    first_row: usize,
    /// Candles from a fixed instant to the first row.
    clock: i64,
    values: Vec<f64>,
}

impl Squares {
    /// Those of the rows that windows of `rows` rows span, which end at the origins `run` of one segment.
    fn before(market: &Market, run: &[SampleId], rows: usize) -> Self {
        let (series, closes) = (market.series(), market.log_close());
        let ends = || run.iter().map(|id| id.row as usize);
        let (earliest, latest) = (ends().min().unwrap_or(0), ends().max().unwrap_or(0));
        let segment_start = series.segment_of(earliest).start;
        // The first row of a segment has no return; it counts as one of 0.
        let first_row = segment_start.max((earliest + 1).saturating_sub(rows));
        let square = |row: usize| if row == segment_start { 0.0 } else { (closes[row] - closes[row - 1]).powi(2) };
        Self {
            first_row,
            clock: series.columns().open_time[first_row].div_euclid(series.key().interval.ms()),
            values: (first_row..=latest).map(square).collect(),
        }
    }

    /// Sums of the last `span` values up to each, of all there are where there are fewer.
    ///
    /// Time is cut into blocks of `span` candles; a window is the end of one block and the beginning of the next, and
    /// the sums of both are formed once for all windows. Nothing is subtracted, so a bad tick leaves no rounding error
    /// behind, and the blocks begin at fixed times, so a sum has the same bits in whatever company it is formed.
    fn window_sums(&self, span: usize) -> Vec<f64> {
        let n = self.values.len();
        let phase = self.clock.rem_euclid(span as i64) as usize;
        let place = |i: usize| (phase + i) % span;
        let mut to_block_end = self.values.clone();
        for i in (0..n.saturating_sub(1)).rev() {
            if place(i) + 1 < span {
                to_block_end[i] += to_block_end[i + 1];
            }
        }
        let (mut all, mut from_block_start) = (0.0, 0.0);
        let mut sums = Vec::with_capacity(n);
        for (i, &value) in self.values.iter().enumerate() {
            all += value;
            from_block_start = if place(i) == 0 { value } else { from_block_start + value };
            sums.push(match (i + 1).checked_sub(span) {
                None => all,
                Some(start) if place(start) == 0 => to_block_end[start],
                Some(start) => to_block_end[start] + from_block_start,
            });
        }
        sums
    }
}

/// `intercept + x'slopes`.
fn line(coefficients: &[f64; COEFFICIENTS], x: &[f64; SPANS]) -> f64 {
    x.iter().zip(&coefficients[1..]).fold(coefficients[0], |sum, (x, slope)| sum + x * slope)
}

/// The least-squares line through `(x, y)`, without slopes where no regressor varies, and the variance of its residuals,
/// whose degrees of freedom are less by the number of coefficients.
fn least_squares(x: &[[f64; SPANS]], y: &[f64]) -> ([f64; COEFFICIENTS], f64) {
    let n = y.len() as f64;
    let mean_x: [f64; SPANS] = std::array::from_fn(|k| x.iter().map(|row| row[k]).sum::<f64>() / n);
    let mean_y = y.iter().sum::<f64>() / n;
    let (mut gram, mut cross) = ([[0.0; SPANS]; SPANS], [0.0; SPANS]);
    for (row, y) in x.iter().zip(y) {
        let centred: [f64; SPANS] = std::array::from_fn(|k| row[k] - mean_x[k]);
        for j in 0..SPANS {
            cross[j] += centred[j] * (y - mean_y);
            for k in 0..SPANS {
                gram[j][k] += centred[j] * centred[k];
            }
        }
    }
    let trace: f64 = (0..SPANS).map(|k| gram[k][k]).sum();
    let slopes = if trace > NO_VARIANCE * n { solve(gram, cross, RIDGE * trace) } else { [0.0; SPANS] };
    let intercept = slopes.iter().zip(mean_x).fold(mean_y, |rest, (slope, mean)| rest - slope * mean);
    let coefficients = [intercept, slopes[0], slopes[1], slopes[2]];
    let squares: f64 = x.iter().zip(y).map(|(x, y)| (y - line(&coefficients, x)).powi(2)).sum();
    (coefficients, squares / (n - COEFFICIENTS as f64))
}

/// Solves `(gram + ridge I) b = cross` by elimination.
fn solve(mut gram: [[f64; SPANS]; SPANS], mut cross: [f64; SPANS], ridge: f64) -> [f64; SPANS] {
    for k in 0..SPANS {
        gram[k][k] += ridge;
    }
    // The matrix is positive definite, so its pivots are above 0 in any order.
    for k in 0..SPANS {
        for j in k + 1..SPANS {
            let factor = gram[j][k] / gram[k][k];
            for l in k..SPANS {
                gram[j][l] -= factor * gram[k][l];
            }
            cross[j] -= factor * cross[k];
        }
    }
    let mut slopes = [0.0; SPANS];
    for k in (0..SPANS).rev() {
        let known: f64 = (k + 1..SPANS).map(|l| gram[k][l] * slopes[l]).sum();
        slopes[k] = (cross[k] - known) / gram[k][k];
    }
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extent;
    use crate::Silent;
    use crate::made::{closes_of, market_of, origins};
    use candlecast_core::Seed;
    use serde_json::json;

    const TASK: Task = Task::Volatility { horizon: 12 };

    /// Returns whose volatility is a slow wave, the size of which is `wave`.
    fn returns(n: usize, wave: f64) -> Vec<f64> {
        let mut rng = Seed(9).stream();
        (0..n).map(|i| 0.01 * (wave * (i as f64 / 60.0).sin()).exp() * rng.normal()).collect()
    }

    fn learner(hour_steps: f64) -> Box<dyn Learner> {
        ENTRY.build(&json!({ "hourSteps": hour_steps })).unwrap()
    }

    fn fit(learner: &dyn Learner, train: &Samples<'_>) -> Result<Box<dyn Fitted>, FitError> {
        let observer = &mut Silent;
        let mut cx = FitContext {
            seed: Seed(1),
            valid: None,
            threads: 1,
            warm: None,
            resume: None,
            extent: Extent::default(),
            observer,
        };
        learner.fit(train, &mut cx).map(|outcome| outcome.model)
    }

    fn predict(model: &dyn Fitted, samples: &Samples<'_>) -> Vec<f64> {
        let mut out = Prediction::default();
        model.predict_into(samples, &mut out);
        assert_eq!(out.width, 1);
        out.mean
    }

    #[test]
    fn spans_are_hours_in_rows_and_at_least_one() {
        for (hour_steps, rows) in [(1.0, 720), (60.0, 43_200), (0.25, 180), (1.0 / 24.0, 30), (1.0 / 168.0, 4)] {
            assert_eq!(learner(hour_steps).lookback(), rows + 1, "{hour_steps}");
        }
        assert_eq!(ENTRY.build(&serde_json::Value::Null).unwrap().lookback(), 721);
        assert!(ENTRY.build(&json!({ "hourSteps": 0 })).is_err());
    }

    #[test]
    fn sums_over_blocks_are_the_sums_over_windows_with_the_same_bits_in_any_company() {
        let values: Vec<f64> = returns(200, 1.0).iter().map(|r| r * r).collect();
        for span in [1, 2, 7, 30] {
            let whole = Squares { first_row: 0, clock: 1_000, values: values.clone() }.window_sums(span);
            for cut in [1, 5, 29, 100] {
                let squares = Squares { first_row: cut, clock: 1_000 + cut as i64, values: values[cut..].to_vec() };
                let part = squares.window_sums(span);
                for i in cut + span - 1..200 {
                    let plain: f64 = values[i + 1 - span..=i].iter().sum();
                    assert!((whole[i] / plain - 1.0).abs() < 1e-12, "{span} {i}");
                    assert_eq!(part[i - cut].to_bits(), whole[i].to_bits(), "{span} {cut} {i}");
                }
            }
        }
    }

    #[test]
    fn a_line_is_found_and_its_noise_is_measured() {
        let mut rng = Seed(4).stream();
        let x: Vec<[f64; SPANS]> = (0..500).map(|_| std::array::from_fn(|_| -9.0 + rng.normal())).collect();
        let exact: Vec<f64> = x.iter().map(|x| 0.5 + 0.4 * x[0] + 0.3 * x[1] - 0.2 * x[2]).collect();
        let (coefficients, variance) = least_squares(&x, &exact);
        for (found, planted) in coefficients.iter().zip([0.5, 0.4, 0.3, -0.2]) {
            assert!((found - planted).abs() < 1e-7, "{coefficients:?}");
        }
        assert!(variance < 1e-14, "{variance}");
        let noisy: Vec<f64> = exact.iter().map(|y| y + 0.5 * rng.normal()).collect();
        let (_, variance) = least_squares(&x, &noisy);
        assert!((variance / 0.25 - 1.0).abs() < 0.25, "{variance}");
    }

    #[test]
    fn equal_regressors_share_a_slope_and_constant_ones_have_none() {
        let x: Vec<[f64; SPANS]> = (0..60).map(|i| [f64::from(i % 7), f64::from(i % 7), 5.0]).collect();
        let y: Vec<f64> = x.iter().map(|x| 2.0 + 3.0 * x[0]).collect();
        let ([intercept, a, b, c], _) = least_squares(&x, &y);
        assert!((a + b - 3.0).abs() < 1e-6 && c == 0.0 && (intercept - 2.0).abs() < 1e-5, "{intercept} {a} {b} {c}");
        assert_eq!(least_squares(&[[1.0; SPANS]; 60], &[7.0; 60]), ([7.0, 0.0, 0.0, 0.0], 0.0));
    }

    #[test]
    fn forecasts_are_the_line_plus_half_the_residual_variance() {
        let (data, ids) = (closes_of(market_of(&returns(2_000, 0.6))), origins(721..1_980));
        let learner = learner(1.0);
        let samples = Samples::new(&data, &ids, learner.lookback(), TASK, None);
        let model = fit(&*learner, &samples.slice(0..900)).unwrap();
        let state = model.state();
        let coefficients = state.f64("coefficients", &[4]).unwrap();
        let residual_variance = state.f64("residualVariance", &[1]).unwrap()[0];
        let forecasts = predict(&*model, &samples);
        for i in (0..samples.len()).step_by(97) {
            let closes = samples.log_closes(i, 721);
            let past = |rows: usize| {
                closes[closes.len() - rows - 1..].windows(2).map(|w| (w[1] - w[0]).powi(2)).sum::<f64>().ln()
            };
            let [day, week, month] = [24, 168, 720].map(past);
            let line = coefficients[0] + coefficients[1] * day + coefficients[2] * week + coefficients[3] * month;
            assert!((forecasts[i] - (line + 0.5 * residual_variance)).abs() < 1e-9, "{i}");
            assert_eq!(predict(&*model, &samples.slice(i..i + 1)), forecasts[i..=i], "{i}");
        }
        // Residuals of the fit have no mean.
        let residuals = (0..900).map(|i| samples.log_variance(i) - forecasts[i] + 0.5 * residual_variance);
        assert!((residuals.sum::<f64>() / 900.0).abs() < 1e-9);
        let restored = learner.restore(&state, &TASK).unwrap();
        assert_eq!(predict(&*restored, &samples), forecasts);
        assert_eq!(restored.state(), state);
    }

    #[test]
    fn a_standstill_and_too_few_samples_are_no_trap() {
        let (data, ids) = (closes_of(market_of(&[0.0; 900])), origins(721..880));
        let learner = learner(1.0);
        let samples = Samples::new(&data, &ids, learner.lookback(), TASK, None);
        let model = fit(&*learner, &samples).unwrap();
        assert!(predict(&*model, &samples).iter().all(|v| (v - 12e-10_f64.ln()).abs() < 1e-9));
        let error = fit(&*learner, &samples.slice(0..49)).unwrap_err();
        assert_eq!(error, FitError::TooFewSamples { have: 49, need: 50 });
    }
}

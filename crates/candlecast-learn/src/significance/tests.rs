//! Size and power of the tests where they are known.

use candlecast_core::{Seed, SigmaState, Stream};

use super::*;

/// How the market and the forecasts of [`losses`] are made.
#[derive(Clone, Copy)]
struct Design {
    origins: usize,
    horizon: usize,
    /// Correlation of a forecast with the one before it.
    memory: f64,
    /// True where volatility comes in clusters.
    clustered: bool,
}

/// First values of a market, over which its volatility becomes known.
const LEAD: usize = 300;

/// An autoregression of unit variance.
fn slow(rng: &mut Stream, n: usize, memory: f64) -> Vec<f64> {
    let mut value = rng.normal();
    let fresh = (1.0 - memory * memory).sqrt();
    let mut values = Vec::with_capacity(n);
    for _ in 0..n {
        values.push(value);
        value = memory * value + fresh * rng.normal();
    }
    values
}

/// Differences of the losses of two forecasts that are equally bad on a random walk: noise of 0.3 of the size of the
/// outcome, each independent of the other and of the market. Losses are absolute errors in units of `sigma sqrt(h)`,
/// averaged over the steps.
fn losses(design: Design, run: u64) -> Vec<f64> {
    let Design { origins: n, horizon, memory, clustered } = design;
    let mut rng = Seed(2_027).derive("losses", run).stream();
    let volatility = slow(&mut rng, LEAD + n + horizon, 0.98);
    let size = |v: &f64| if clustered { 0.01 * (0.5 * v).exp() } else { 0.01 };
    let returns: Vec<f64> = volatility.iter().map(|v| size(v) * rng.student_t(5)).collect();
    let (mut state, mut close) = (SigmaState::default(), 0.0);
    let sigma: Vec<f64> = returns
        .iter()
        .map(|r| {
            close += r;
            state.step(close)
        })
        .collect();
    let forecasts = [slow(&mut rng, n, memory), slow(&mut rng, n, memory)];
    let of_origin = |i: usize| {
        let origin = LEAD + i - 1;
        let (mut outcome, mut difference) = (0.0, 0.0);
        for h in 1..=horizon {
            outcome += returns[origin + h];
            let scaled = outcome / (sigma[origin] * (h as f64).sqrt());
            difference += (scaled - 0.3 * forecasts[1][i]).abs() - (scaled - 0.3 * forecasts[0][i]).abs();
        }
        difference / horizon as f64
    };
    (0..n).map(of_origin).collect()
}

/// A week of hourly candles between refits.
fn serial(horizon: usize) -> Serial {
    Serial { horizon, refit: 168 }
}

#[test]
fn the_statistic_is_that_of_the_cosine_transform() {
    // scipy.fft.dct(d, type=2, norm="ortho")[1:6] squared, their mean over n for the squared standard error, and
    // scipy.stats.t with 5 degrees of freedom.
    let d: Vec<f64> = (0..64).map(f64::from).map(|i| 0.3 + i.sin() + 0.5 * (0.1 * i * i).cos()).collect();
    let test = mean_above_zero(&d, Serial { horizon: 4, refit: 0 }).unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-8, "{a} {b}");
    assert_eq!(test.degrees_of_freedom, 5.0);
    close(test.mean, 0.279_598_912_611_443_8);
    close(test.standard_error, 0.065_149_677_607_627_2);
    close(test.statistic, 4.291_639_235_659_251);
    close(test.p_value, 0.003_888_473_986_336_812_5);
    let (low, high) = test.interval(0.9);
    assert!((low - 0.148_319_160_7).abs() < 1e-6 && (high - 0.410_878_664_5).abs() < 1e-6, "{low} {high}");
    let turned: Vec<f64> = d.iter().map(|d| -d).collect();
    close(mean_above_zero(&turned, Serial { horizon: 4, refit: 0 }).unwrap().p_value, test.other_side());
    // The tests are this one on their own series.
    let naive: Vec<f64> = (0..64).map(f64::from).map(|i| 1.0 + (0.7 * i).cos()).collect();
    let model: Vec<f64> = naive.iter().zip(&d).map(|(naive, d)| naive - d).collect();
    close(diebold_mariano(&model, &naive, Serial { horizon: 4, refit: 0 }).unwrap().statistic, test.statistic);
    assert_eq!(clark_west(&d, Serial { horizon: 4, refit: 0 }), Some(test));
}

#[test]
fn size_is_right_for_overlapping_losses_of_equal_expectation() {
    for (n, h) in [(1_500, 12), (96, 12)] {
        let runs = 600;
        let rejections = (0..runs)
            .filter(|&k| {
                let mut rng = Seed(5).derive("dm", k).stream();
                let shocks: Vec<f64> = (0..n + h).map(|_| rng.normal()).collect();
                let d: Vec<f64> = (0..n).map(|i| shocks[i..i + h].iter().sum()).collect();
                mean_above_zero(&d, Serial { horizon: h, refit: 0 }).is_some_and(|t| t.p_value < 0.05)
            })
            .count();
        let share = rejections as f64 / runs as f64;
        assert!((0.03..0.085).contains(&share), "{n} {h}: {share}");
    }
}

/// Of 3,000 runs of the same design in numpy 5.8 % are rejected with a memory of 0.995 and of 0.8 alike; with
/// autocovariances up to `horizon - 1` it is 8.6 % with the long memory.
#[test]
fn size_is_right_for_forecasts_that_stay_for_weeks_where_volatility_is_clustered() {
    for memory in [0.8, 0.995] {
        let design = Design { origins: 2_160, horizon: 24, memory, clustered: true };
        let runs = 600;
        // Neither forecast is the better one, so both sides are looked at.
        let rejections: usize = (0..runs)
            .map(|run| {
                let p = mean_above_zero(&losses(design, run), serial(24)).unwrap().p_value;
                usize::from(p < 0.05) + usize::from(p > 0.95)
            })
            .sum();
        let share = rejections as f64 / (2 * runs) as f64;
        assert!((0.035..0.08).contains(&share), "{memory}: {share}");
    }
}

/// An oracle knows the true variance of the mean and so takes normal quantiles: it finds an advantage of 2.487 standard
/// errors in 80 % of cases. Estimating the variance costs little of that: of 800 runs in numpy 75 % are found.
#[test]
fn power_is_close_to_that_of_an_oracle_who_knows_the_variance() {
    for (horizon, memory) in [(1, 0.8), (24, 0.8), (24, 0.995)] {
        let design = Design { origins: 2_160, horizon, memory, clustered: true };
        let runs: Vec<Vec<f64>> = (0..400).map(|run| losses(design, run)).collect();
        let mean = |d: &[f64]| d.iter().sum::<f64>() / d.len() as f64;
        let error = (runs.iter().map(|d| mean(d).powi(2)).sum::<f64>() / runs.len() as f64).sqrt();
        let found = |better: &dyn Fn(&[f64]) -> bool| {
            let shifted = runs.iter().map(|d| d.iter().map(|d| d + 2.487 * error).collect::<Vec<f64>>());
            shifted.filter(|d| better(d)).count() as f64 / runs.len() as f64
        };
        let oracle = found(&|d| mean(d) / error > 1.645);
        let ours = found(&|d| mean_above_zero(d, serial(horizon)).unwrap().p_value < 0.05);
        assert!((0.72..0.88).contains(&oracle), "{horizon} {memory}: {oracle}");
        assert!(ours > 0.8 * oracle, "{horizon} {memory}: {ours} against {oracle}");
    }
}

#[test]
fn degenerate_series_have_no_test() {
    let one = Serial { horizon: 1, refit: 0 };
    assert!(mean_above_zero(&[0.0; 100], Serial { horizon: 3, refit: 0 }).is_none());
    assert!(mean_above_zero(&[1.0, 2.0], one).is_none());
    assert!(mean_above_zero(&[0.5; 9], Serial { horizon: 5, refit: 0 }).is_none());
    assert!(mean_above_zero(&[f64::NAN; 100], one).is_none());
    assert!(mean_above_zero(&[0.1; 100], one).is_none(), "a constant has no variance beyond rounding");
}

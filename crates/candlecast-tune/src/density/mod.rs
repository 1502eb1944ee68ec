//! [`Parzen`]: a density over codes, one kernel around each observation and a wide one over the whole space.
//!
//! It is the estimator of Optuna's `TPESampler` (Watanabe 2023, "Tree-Structured Parzen Estimator: Understanding Its
//! Algorithm Components and Their Roles for Better Empirical Performance"). Kernels are products over the dimensions. On
//! a line they are normal and cut off at its bounds, with a width by the distance to the neighbours; between values
//! without an order one weight goes to the one observed, and the prior's is spread over all.

pub(crate) mod normal;

use candlecast_core::Stream;

use crate::domain::{Axis, Line};

/// Newest observations that weigh as much as any.
const RECENT: usize = 25;
/// A kernel is at least one hundredth of the line wide.
const NARROWEST: f64 = 100.0;
/// Least width of a kernel where `magic_clip` is off.
const TINY: f64 = 1e-12;

/// How kernels are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KernelOptions {
    /// Weight of the kernel over the whole space, beside 1 for an observation.
    pub(crate) prior_weight: f64,
    /// Widths do not fall below a share of the line that shrinks with the number of observations.
    pub(crate) magic_clip: bool,
    /// The first and the last observation of a line are as wide as their distance to its bounds, if that is more.
    pub(crate) endpoints: bool,
}

/// Optuna's defaults.
impl Default for KernelOptions {
    fn default() -> Self {
        Self { prior_weight: 1.0, magic_clip: true, endpoints: false }
    }
}

/// A mixture of kernels.
#[derive(Debug)]
pub(crate) struct Parzen {
    /// Shares of the kernels, the last that of the prior.
    weights: Vec<f64>,
    kernels: Vec<Kernels>,
}

/// The kernels of one dimension.
#[derive(Debug)]
pub(crate) enum Kernels {
    /// Probabilities of `n` values, `[kernel, value]`.
    Choices { n: usize, shares: Vec<f64> },
    /// Normal ones on the scale of `line`; `ln_mass` is what of each lies within its bounds.
    Line { line: Line, centers: Vec<f64>, widths: Vec<f64>, ln_mass: Vec<f64> },
}

/// Weights of `n` observations in the order in which they came: the newest 25 have 1, those before them less, down to
/// `1 / n` for the first.
pub(crate) fn recency_weights(n: usize) -> Vec<f64> {
    let n_older = n.saturating_sub(RECENT);
    let first = 1.0 / n.max(1) as f64;
    let step = if n_older > 1 { (1.0 - first) / (n_older - 1) as f64 } else { 0.0 };
    // The last of those that weigh less comes to 1 exactly, where there are several.
    let is_full = |i: usize| i >= n_older || (i > 0 && i == n_older - 1);
    (0..n).map(|i| if is_full(i) { 1.0 } else { first + i as f64 * step }).collect()
}

impl Parzen {
    /// A kernel for each of `rows`, which hold a code for each of `axes` and have these `weights`, and the prior's.
    pub(crate) fn new(axes: &[Axis], rows: &[Vec<f64>], weights: Vec<f64>, options: KernelOptions) -> Self {
        let kernels = axes
            .iter()
            .enumerate()
            .map(|(d, axis)| {
                let codes: Vec<f64> = rows.iter().map(|row| row[d]).collect();
                match axis {
                    Axis::Choices(n) => Kernels::choices(*n, &codes, options.prior_weight),
                    Axis::Line(line) => Kernels::near(*line, &codes, options),
                }
            })
            .collect();
        Self::of(weights, options.prior_weight, kernels)
    }

    /// The mixture of `kernels`, of which the last is the prior's.
    pub(crate) fn of(mut weights: Vec<f64>, prior_weight: f64, kernels: Vec<Kernels>) -> Self {
        weights.push(if weights.is_empty() { 1.0 } else { prior_weight });
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Self { weights, kernels }
    }

    /// Logarithm of the density at `codes`, one for each dimension. On a logarithmic scale it is that of the logarithm,
    /// so it serves to compare densities over the same space alone.
    pub(crate) fn ln_density(&self, codes: &[f64]) -> f64 {
        let mut terms: Vec<f64> = self.weights.iter().map(|weight| weight.ln()).collect();
        for (kernels, code) in self.kernels.iter().zip(codes) {
            kernels.add_ln_density(*code, &mut terms);
        }
        let greatest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if greatest == f64::NEG_INFINITY {
            return greatest;
        }
        terms.iter().map(|term| (term - greatest).exp()).sum::<f64>().ln() + greatest
    }

    /// A point drawn from it: a code for each dimension, all of one kernel.
    pub(crate) fn draw(&self, rng: &mut Stream) -> Vec<f64> {
        let at = chosen(&self.weights, rng.uniform());
        self.kernels.iter().map(|kernels| kernels.draw(at, rng)).collect()
    }
}

impl Kernels {
    /// Values without an order.
    pub(crate) fn choices(n: usize, codes: &[f64], prior_weight: f64) -> Self {
        let n_kernels = codes.len() + 1;
        let base = if codes.is_empty() { 1.0 } else { prior_weight / n_kernels as f64 };
        let mut shares = vec![base; n_kernels * n];
        for (row, code) in shares.chunks_exact_mut(n).zip(codes) {
            row[*code as usize] += 1.0;
        }
        for row in shares.chunks_exact_mut(n) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().filter(|_| sum > 0.0).for_each(|share| *share /= sum);
        }
        Self::Choices { n, shares }
    }

    /// Kernels on a line, as wide as the farther of their two neighbours is away.
    fn near(line: Line, codes: &[f64], options: KernelOptions) -> Self {
        let (low, high) = line.bounds();
        let centers: Vec<f64> = codes.iter().map(|code| line.on_scale(*code)).collect();
        let mut order: Vec<usize> = (0..centers.len()).collect();
        order.sort_by(|&a, &b| centers[a].total_cmp(&centers[b]));
        let narrowest = if options.magic_clip {
            // One kernel more, that of the prior.
            (high - low) / NARROWEST.min(2.0 + centers.len() as f64)
        } else {
            TINY
        };
        let mut widths = vec![0.0; centers.len()];
        let last = centers.len().saturating_sub(1);
        for (place, &at) in order.iter().enumerate() {
            let before = if place == 0 { low } else { centers[order[place - 1]] };
            let after = if place == last { high } else { centers[order[place + 1]] };
            let (left, right) = (centers[at] - before, after - centers[at]);
            let width = match place {
                // With one observation alone the bounds are all there is.
                _ if options.endpoints || last == 0 => left.max(right),
                0 => right,
                _ if place == last => left,
                _ => left.max(right),
            };
            widths[at] = width.max(narrowest).min(high - low);
        }
        Self::on_line(line, centers, widths, (f64::midpoint(low, high), high - low))
    }

    /// Kernels on a line with these centers and widths on its scale, and the prior's.
    pub(crate) fn on_line(line: Line, mut centers: Vec<f64>, mut widths: Vec<f64>, prior: (f64, f64)) -> Self {
        centers.push(prior.0);
        widths.push(prior.1);
        let (low, high) = line.bounds();
        let within = |(center, width): (&f64, &f64)| normal::ln_mass((low - center) / width, (high - center) / width);
        let ln_mass = centers.iter().zip(&widths).map(within).collect();
        Self::Line { line, centers, widths, ln_mass }
    }

    fn add_ln_density(&self, code: f64, terms: &mut [f64]) {
        match self {
            Self::Choices { n, shares } => {
                for (term, row) in terms.iter_mut().zip(shares.chunks_exact(*n)) {
                    *term += row[code as usize].ln();
                }
            }
            Self::Line { line, centers, widths, ln_mass } => {
                let half = line.step / 2.0;
                let (from, to) = (line.on_scale(code - half), line.on_scale(code + half));
                for (k, term) in terms.iter_mut().enumerate() {
                    let place = |x: f64| (x - centers[k]) / widths[k];
                    let own = if half > 0.0 {
                        normal::ln_mass(place(from), place(to))
                    } else {
                        normal::ln_density(place(from)) - widths[k].ln()
                    };
                    *term += own - ln_mass[k];
                }
            }
        }
    }

    fn draw(&self, kernel: usize, rng: &mut Stream) -> f64 {
        match self {
            Self::Choices { n, shares } => chosen(&shares[kernel * n..(kernel + 1) * n], rng.uniform()) as f64,
            Self::Line { line, centers, widths, .. } => {
                let (low, high) = line.bounds();
                let (center, width) = (centers[kernel], widths[kernel]);
                let z = normal::quantile_within(rng.uniform(), (low - center) / width, (high - center) / width);
                line.snap(center + z * width)
            }
        }
    }
}

/// The place of `shares`, which add up to 1, that a uniform number falls into.
fn chosen(shares: &[f64], uniform: f64) -> usize {
    let mut below = 0.0;
    let place = shares.iter().position(|share| {
        below += share;
        uniform < below
    });
    // Rounding may leave the sum below 1.
    place.unwrap_or(shares.len() - 1)
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    const LINE: Line = Line { low: 1.0, high: 5.0, step: 1.0, log: false };

    #[test]
    fn probabilities_of_all_codes_add_up_to_one() {
        for log in [false, true] {
            let axes = [Axis::Line(Line { log, ..LINE }), Axis::Choices(3)];
            let rows = [vec![1.0, 2.0], vec![5.0, 0.0], vec![2.0, 2.0], vec![2.0, 1.0]];
            let density = Parzen::new(&axes, &rows, recency_weights(4), KernelOptions::default());
            let codes = (1..=5).flat_map(|a| (0..3).map(move |b| [f64::from(a), f64::from(b)]));
            let sum: f64 = codes.map(|code| density.ln_density(&code).exp()).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        }
    }

    #[test]
    fn draws_follow_the_density() {
        let axes = [Axis::Line(LINE), Axis::Choices(2)];
        let rows = [vec![1.0, 1.0], vec![4.0, 1.0], vec![4.0, 0.0]];
        let density = Parzen::new(&axes, &rows, recency_weights(3), KernelOptions::default());
        let mut rng = Seed(5).stream();
        let n = 40_000;
        let draws: Vec<Vec<f64>> = (0..n).map(|_| density.draw(&mut rng)).collect();
        for a in 1..=5 {
            for b in 0..2 {
                let code = [f64::from(a), f64::from(b)];
                let share = draws.iter().filter(|draw| draw.as_slice() == code).count() as f64 / f64::from(n);
                let expected = density.ln_density(&code).exp();
                // Four standard errors of a share near one fifth.
                assert!((share - expected).abs() < 0.008, "{code:?}: {share} against {expected}");
            }
        }
    }

    #[test]
    fn without_observations_it_is_the_prior() {
        let axes = [Axis::Line(Line { low: 0.0, high: 2.0, step: 0.0, log: false }), Axis::Choices(4)];
        let density = Parzen::new(&axes, &[], vec![], KernelOptions::default());
        let middle = density.ln_density(&[1.0, 3.0]);
        // A normal density of width 2 at its center, of which what lies within one half of it on either side is kept.
        let expected = normal::ln_density(0.0) - 2.0_f64.ln() - normal::ln_mass(-0.5, 0.5) - 4.0_f64.ln();
        assert!((middle - expected).abs() < 1e-14);
        assert_eq!(recency_weights(0), Vec::<f64>::new());
    }
}

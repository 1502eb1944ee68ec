//! Metrics of forecasts, by task. Formulas agree with scikit-learn's where it has the function.

mod class;
mod hit_rate;
mod price;
mod volatility;

pub use class::{ClassAccumulator, ClassMetrics, roc_auc};
pub use hit_rate::{HIT_RATE_LEVEL, HitRate, OriginHits};
pub use price::{Accumulator, Bounds, Metrics, Outcome};
pub use volatility::{VolatilityAccumulator, VolatilityMetrics, VolatilityOutcome};

/// Mean and sum of squared deviations, one value at a time.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: f64,
    mean: f64,
    m2: f64,
}

impl Moments {
    /// Welford's update.
    fn add(&mut self, x: f64) {
        self.n += 1.0;
        let delta = x - self.mean;
        self.mean += delta / self.n;
        self.m2 += delta * (x - self.mean);
    }
}

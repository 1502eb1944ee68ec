//! Metrics of forecasts, by task. Formulas agree with scikit-learn's where it has the function.

mod class;
mod hit_rate;
mod price;
mod volatility;

pub use class::{ClassAccumulator, ClassMetrics, roc_auc};
pub use hit_rate::{HIT_RATE_LEVEL, HitRate, OriginHits};
pub use price::{Accumulator, Bounds, Metrics, Outcome};
pub use volatility::{VolatilityAccumulator, VolatilityMetrics, VolatilityOutcome};

use serde::{Deserialize, Serialize};

/// Mean and sum of squared deviations, one value at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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

    /// Adds the values that `other` was fed (Chan, Golub and LeVeque 1983).
    fn merge(&mut self, other: &Self) {
        let n = self.n + other.n;
        if n > 0.0 {
            let delta = other.mean - self.mean;
            self.mean += delta * other.n / n;
            self.m2 += other.m2 + delta * delta * self.n * other.n / n;
            self.n = n;
        }
    }
}

/// For sums that are left out of what is written where nothing was fed to them.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

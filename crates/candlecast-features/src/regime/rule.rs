//! Memberships in bull, bear and sideways from the signed efficiency of a window, which volatility does not move.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Returns, Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "regime",
    group: Group::Regime,
    summary: "memberships in bull, bear and sideways (they sum to 1) by trend, and volatility against its usual level; missing where prices stand still",
    unit: "0-1, ratio",
    formula: "z = sum(r, n) / sum(abs(r), n) * sqrt(2 n / pi); bull = s(4 (z - 1)), bear = s(4 (-z - 1)), sideways = 1 - bull - bear, s the logistic function; volatility = rms(r, n / 5) / rms(r, n)",
    source: "own rule: z is the signed efficiency ratio of Kaufman 1995 in standard errors of a Gaussian walk",
    params: &[ParamRange::candles("n", 10, 10_000)],
    listed: &[&[50]],
    outputs: &["regime_bull", "regime_bear", "regime_sideways", "regime_volatility"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n, Memory::Finite(n + 1), Rule::new(n)))
    },
};

/// Standard errors of trend at which bull (or bear) and sideways are about even.
const BORDER: f64 = 1.0;
/// How sharply memberships change at the border.
const STEEPNESS: f64 = 4.0;

#[derive(Debug, Clone)]
struct Rule {
    returns: Returns,
    /// Returns, absolute returns and squared returns of the window.
    window: Window<Sums<3>>,
    newest: Window<Sums<1>>,
    n: f64,
    n_newest: f64,
}

impl Rule {
    fn new(n: usize) -> Self {
        Self {
            returns: Returns::default(),
            window: Window::new(n),
            newest: Window::new(n / 5),
            n: n as f64,
            n_newest: (n / 5) as f64,
        }
    }

    #[inline]
    fn memberships(&mut self, close: f64) -> Option<[f64; 4]> {
        let r = self.returns.push(close)?;
        let newest = self.newest.push(Sums([r * r]));
        let Sums([net, path, squares]) = self.window.push(Sums([r, r.abs(), r * r]))?;
        let Sums([newest_squares]) = newest?;
        if path <= 0.0 {
            return None;
        }
        let z = net / path * (2.0 * self.n / std::f64::consts::PI).sqrt();
        let (bull, bear) = (logistic(STEEPNESS * (z - BORDER)), logistic(STEEPNESS * (-z - BORDER)));
        let volatility = (newest_squares / self.n_newest / (squares / self.n)).sqrt();
        Some([bull, bear, 1.0 - bull - bear, volatility])
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Formula<4> for Rule {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 4] {
        self.memberships(o.candle.close).unwrap_or([f64::NAN; 4])
    }
}

//! [`Forecast`]: what a model says from one origin, with intervals and calibrated confidence.

use crate::{SeriesKey, Timestamp};

/// A forecast made from the candle that closed at `origin`.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The series.
    pub key: SeriesKey,
    /// Close of the candle that it starts from.
    pub origin: Timestamp,
    /// Price there.
    pub origin_price: f64,
    /// Share of outcomes that intervals cover.
    pub level: f64,
    /// What it says.
    pub outlook: Outlook,
    /// Quantiles of its distribution, where they were asked for; classes have none.
    pub quantiles: Option<Quantiles>,
}

/// Quantiles of the distribution that a forecast comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiles {
    /// Shares of outcomes expected at or below, ascending, above 0 and below 1; `[quantile]`.
    pub shares: Vec<f64>,
    /// Prices in quote units, a row a step, or the volatility, one row; `[claim][quantile]`, no row descends.
    pub values: Vec<Vec<f64>>,
}

/// What a forecast says, by task.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// The price at each of the next steps.
    Price(Vec<ForecastStep>),
    /// SELL, HOLD or BUY over the horizon.
    Direction(DirectionOutlook),
    /// The volatility over the horizon.
    Volatility(VolatilityOutlook),
}

/// The price at one step ahead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForecastStep {
    /// Candles ahead, from 1.
    pub step: usize,
    /// Close of the target candle.
    pub target_time: Timestamp,
    /// Forecast price.
    pub price: f64,
    /// Lower bound of the interval.
    pub lower: f64,
    /// Upper bound of the interval.
    pub upper: f64,
    /// Direction of the forecast before its factor.
    pub direction: Move,
    /// What the forecast was multiplied by, 0 to 2: how much of it past forecasts have earned. At 0 the price is that of
    /// the origin while the direction stands.
    pub factor: f64,
    /// Probability that the direction is right.
    pub confidence: f64,
    /// False where `confidence` is 0.5 for want of outcomes or of a direction.
    pub calibrated: bool,
}

/// Where a price goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Move {
    /// It rises.
    Up,
    /// It falls.
    Down,
    /// Nothing is said.
    None,
}

impl Move {
    /// The direction of a log return; none of 0.
    pub fn of(log_return: f64) -> Self {
        if log_return > 0.0 {
            Self::Up
        } else if log_return < 0.0 {
            Self::Down
        } else {
            Self::None
        }
    }

    /// `UP`, `DOWN` or `NONE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::None => "NONE",
        }
    }
}

impl std::str::FromStr for Move {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Up, Self::Down, Self::None];
        let found = known.into_iter().find(|direction| direction.as_str() == text);
        found.ok_or_else(|| format!("direction `{text}` is not known: there are UP, DOWN and NONE"))
    }
}

impl std::fmt::Display for Move {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is to be done about a price, in the order of class probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It falls.
    Sell,
    /// It stays.
    Hold,
    /// It rises.
    Buy,
}

impl Action {
    /// All, in the order of class probabilities.
    pub const ALL: [Self; 3] = [Self::Sell, Self::Hold, Self::Buy];

    /// `SELL`, `HOLD` or `BUY`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sell => "SELL",
            Self::Hold => "HOLD",
            Self::Buy => "BUY",
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The class of the price's move over the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectionOutlook {
    /// Candles ahead.
    pub step: usize,
    /// Close of the target candle.
    pub target_time: Timestamp,
    /// The most probable class.
    pub action: Action,
    /// Probabilities as the model gives them, in the order of [`Action::ALL`].
    pub probabilities: [f64; 3],
    /// At or below this price the outcome is SELL.
    pub sell_at: f64,
    /// At or above this price the outcome is BUY.
    pub buy_at: f64,
    /// Probability that the class is right, calibrated on past forecasts.
    pub confidence: f64,
    /// False where `confidence` is that of chance for want of outcomes.
    pub calibrated: bool,
}

/// The realised volatility of the next steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VolatilityOutlook {
    /// Candles ahead that it is over.
    pub step: usize,
    /// Close of the last of them.
    pub target_time: Timestamp,
    /// Root of the forecast sum of squared log returns over the horizon; not annualised.
    pub volatility: f64,
    /// Lower bound of the interval.
    pub lower: f64,
    /// Upper bound of the interval.
    pub upper: f64,
}

impl Forecast {
    /// The steps of a price forecast; none of another task's.
    pub fn steps(&self) -> &[ForecastStep] {
        match &self.outlook {
            Outlook::Price(steps) => steps,
            Outlook::Direction(_) | Outlook::Volatility(_) => &[],
        }
    }

    /// Cuts a price forecast to its first `steps` steps.
    pub fn truncate(&mut self, steps: usize) {
        if let Outlook::Price(all) = &mut self.outlook {
            all.truncate(steps);
            if let Some(quantiles) = &mut self.quantiles {
                quantiles.values.truncate(steps);
            }
        }
    }

    /// Quantiles of claim `claim` (of prices the step less 1, of a volatility 0) as `(share, value)`, ascending; empty
    /// where none were asked for.
    pub fn quantiles_of(&self, claim: usize) -> Vec<(f64, f64)> {
        let pairs = |q: &Quantiles| {
            let values = q.values.get(claim).map_or(&[][..], Vec::as_slice);
            q.shares.iter().copied().zip(values.iter().copied()).collect()
        };
        self.quantiles.as_ref().map_or_else(Vec::new, pairs)
    }

    /// The same with intervals of `level` in the place of its own: `bounds` are `(lower, upper)` in the unit of the
    /// forecast, `[claim]`. Classes have no interval and stay as they are.
    #[must_use]
    pub fn with_intervals(mut self, level: f64, bounds: &[(f64, f64)]) -> Self {
        match &mut self.outlook {
            Outlook::Price(steps) => {
                for (step, &(lower, upper)) in steps.iter_mut().zip(bounds) {
                    (step.lower, step.upper) = (lower, upper);
                }
            }
            Outlook::Volatility(volatility) => {
                if let Some(&(lower, upper)) = bounds.first() {
                    (volatility.lower, volatility.upper) = (lower, upper);
                }
            }
            Outlook::Direction(_) => {}
        }
        if self.task() != "direction" {
            self.level = level;
        }
        self
    }

    /// Close of the first candle that has something to say about it: the first target of a price forecast, the only
    /// one of another.
    pub fn first_target(&self) -> Option<Timestamp> {
        match &self.outlook {
            Outlook::Price(steps) => steps.first().map(|step| step.target_time),
            Outlook::Direction(d) => Some(d.target_time),
            Outlook::Volatility(v) => Some(v.target_time),
        }
    }

    /// Candles that it reaches ahead.
    pub fn reach(&self) -> usize {
        match &self.outlook {
            Outlook::Price(steps) => steps.len(),
            Outlook::Direction(d) => d.step,
            Outlook::Volatility(v) => v.step,
        }
    }

    /// `price`, `direction` or `volatility`.
    pub fn task(&self) -> &'static str {
        match &self.outlook {
            Outlook::Price(_) => "price",
            Outlook::Direction(_) => "direction",
            Outlook::Volatility(_) => "volatility",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_come_back_from_their_names() {
        for (log_return, direction, name) in
            [(0.1, Move::Up, "UP"), (-0.1, Move::Down, "DOWN"), (0.0, Move::None, "NONE")]
        {
            assert_eq!((Move::of(log_return), direction.as_str()), (direction, name));
            assert_eq!(name.parse::<Move>(), Ok(direction));
        }
        assert!("up".parse::<Move>().unwrap_err().contains("UP, DOWN and NONE"));
    }

    fn forecast(outlook: Outlook, values: Vec<Vec<f64>>) -> Forecast {
        let key = "binance:BTCUSDT:1h".parse().unwrap();
        let quantiles = Some(Quantiles { shares: vec![0.25, 0.75], values });
        Forecast { key, origin: Timestamp(0), origin_price: 100.0, level: 0.9, outlook, quantiles }
    }

    fn prices() -> Forecast {
        let step = |step: usize| ForecastStep {
            step,
            target_time: Timestamp(step as i64),
            price: 100.0,
            lower: 90.0,
            upper: 110.0,
            direction: Move::None,
            factor: 0.0,
            confidence: 0.5,
            calibrated: false,
        };
        forecast(Outlook::Price(vec![step(1), step(2)]), vec![vec![99.0, 101.0], vec![98.0, 102.0]])
    }

    #[test]
    fn a_cut_takes_the_quantiles_of_the_steps_with_it() {
        let mut forecast = prices();
        assert_eq!(forecast.quantiles_of(1), [(0.25, 98.0), (0.75, 102.0)]);
        forecast.truncate(1);
        assert_eq!((forecast.steps().len(), forecast.quantiles_of(0).len()), (1, 2));
        assert!(forecast.quantiles_of(1).is_empty(), "the second step is gone");
    }

    #[test]
    fn intervals_of_another_level_take_the_place_of_the_own_ones_except_of_classes() {
        let told = prices().with_intervals(0.5, &[(97.0, 103.0), (96.0, 104.0)]);
        let bounds: Vec<(f64, f64)> = told.steps().iter().map(|s| (s.lower, s.upper)).collect();
        assert_eq!((told.level, bounds), (0.5, vec![(97.0, 103.0), (96.0, 104.0)]));
        let volatility =
            VolatilityOutlook { step: 2, target_time: Timestamp(2), volatility: 0.03, lower: 0.02, upper: 0.05 };
        let told = forecast(Outlook::Volatility(volatility), vec![]).with_intervals(0.8, &[(0.025, 0.04)]);
        assert_eq!(
            (told.level, told.outlook),
            (0.8, Outlook::Volatility(VolatilityOutlook { lower: 0.025, upper: 0.04, ..volatility }))
        );
        let class = DirectionOutlook {
            step: 2,
            target_time: Timestamp(2),
            action: Action::Hold,
            probabilities: [0.2, 0.6, 0.2],
            sell_at: 99.0,
            buy_at: 101.0,
            confidence: 0.6,
            calibrated: true,
        };
        let direction = forecast(Outlook::Direction(class), vec![]);
        assert_eq!(direction.clone().with_intervals(0.5, &[]), direction);
    }
}

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
        }
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
}

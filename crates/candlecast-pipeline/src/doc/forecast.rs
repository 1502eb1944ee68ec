//! What forecasts say, by task: parts of the documents of `predict` and `stream`.

use candlecast_core::{Action, DirectionOutlook, Forecast, ForecastStep, Outlook, Timestamp, VolatilityOutlook};
use serde::Serialize;

/// The price that a share of outcomes is expected to lie at or below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceQuantileDoc {
    /// The share.
    pub share: f64,
    /// The price.
    pub price: f64,
}

/// The volatility that a share of outcomes is expected to lie at or below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolatilityQuantileDoc {
    /// The share.
    pub share: f64,
    /// The volatility.
    pub volatility: f64,
}

/// One step of a price forecast. `timestamp` is the close instant of the target candle.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForecastStepDoc {
    /// Close instant of the target candle.
    pub timestamp: Timestamp,
    /// Candles ahead, from 1.
    pub step: usize,
    /// Forecast price.
    pub price: f64,
    /// `UP`, `DOWN` or `NONE`: the direction of the forecast before its factor.
    pub direction: &'static str,
    /// What the forecast move was multiplied by, 0 to 2; at 0 the price is that of the origin while the direction stands.
    pub factor: f64,
    /// Probability that the direction is right.
    pub confidence: f64,
    /// False where `confidence` is 0.5 for want of outcomes or of a direction.
    pub calibrated: bool,
    /// Lower bound of the interval.
    pub lower_bound: f64,
    /// Upper bound of the interval.
    pub upper_bound: f64,
    /// By ascending share; empty and left out unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<PriceQuantileDoc>,
}

/// Probabilities of the classes, as the model gives them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbabilitiesDoc {
    /// Of SELL.
    pub sell: f64,
    /// Of HOLD.
    pub hold: f64,
    /// Of BUY.
    pub buy: f64,
}

/// The class of the move over the horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectionOutlookDoc {
    /// Close instant of the target candle.
    pub timestamp: Timestamp,
    /// Candles ahead.
    pub step: usize,
    /// `SELL`, `HOLD` or `BUY`.
    pub action: &'static str,
    /// Of each class.
    pub probabilities: ProbabilitiesDoc,
    /// At or below this price the outcome is SELL.
    pub sell_at: f64,
    /// At or above this price the outcome is BUY.
    pub buy_at: f64,
    /// Probability that the class is right, calibrated on past forecasts.
    pub confidence: f64,
    /// False where `confidence` is that of chance for want of outcomes.
    pub calibrated: bool,
}

/// The volatility over the horizon.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolatilityOutlookDoc {
    /// Close instant of the last candle that it is over.
    pub timestamp: Timestamp,
    /// Candles ahead that it is over.
    pub step: usize,
    /// Root of the sum of squared log returns over the horizon; not annualised.
    pub volatility: f64,
    /// Lower bound of the interval.
    pub lower_bound: f64,
    /// Upper bound of the interval.
    pub upper_bound: f64,
    /// By ascending share; empty and left out unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<VolatilityQuantileDoc>,
}

/// What a forecast says: one field by task, besides which `predictions` is empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutlookDoc {
    /// `price`, `direction` or `volatility`.
    pub task: &'static str,
    /// Prices by step; empty for the other tasks.
    pub predictions: Vec<ForecastStepDoc>,
    /// Of the direction task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<DirectionOutlookDoc>,
    /// Of the volatility task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volatility: Option<VolatilityOutlookDoc>,
}

impl From<&Forecast> for OutlookDoc {
    fn from(forecast: &Forecast) -> Self {
        let (direction, volatility) = match &forecast.outlook {
            Outlook::Price(_) => (None, None),
            Outlook::Direction(direction) => (Some(direction.into()), None),
            Outlook::Volatility(volatility) => {
                (None, Some(VolatilityOutlookDoc::new(volatility, &forecast.quantiles_of(0))))
            }
        };
        let step = |(k, step)| ForecastStepDoc::new(step, &forecast.quantiles_of(k));
        let predictions = forecast.steps().iter().enumerate().map(step).collect();
        Self { task: forecast.task(), predictions, direction, volatility }
    }
}

impl ForecastStepDoc {
    /// Of a step with its quantiles `(share, price)`.
    fn new(step: &ForecastStep, quantiles: &[(f64, f64)]) -> Self {
        Self {
            timestamp: step.target_time,
            step: step.step,
            price: step.price,
            direction: step.direction.as_str(),
            factor: step.factor,
            confidence: step.confidence,
            calibrated: step.calibrated,
            lower_bound: step.lower,
            upper_bound: step.upper,
            quantiles: quantiles.iter().map(|&(share, price)| PriceQuantileDoc { share, price }).collect(),
        }
    }
}

impl From<&DirectionOutlook> for DirectionOutlookDoc {
    fn from(outlook: &DirectionOutlook) -> Self {
        let of = |action: Action| outlook.probabilities[action as usize];
        Self {
            timestamp: outlook.target_time,
            step: outlook.step,
            action: outlook.action.as_str(),
            probabilities: ProbabilitiesDoc { sell: of(Action::Sell), hold: of(Action::Hold), buy: of(Action::Buy) },
            sell_at: outlook.sell_at,
            buy_at: outlook.buy_at,
            confidence: outlook.confidence,
            calibrated: outlook.calibrated,
        }
    }
}

impl VolatilityOutlookDoc {
    /// Of an outlook with its quantiles `(share, volatility)`.
    fn new(outlook: &VolatilityOutlook, quantiles: &[(f64, f64)]) -> Self {
        let quantile = |&(share, volatility): &(f64, f64)| VolatilityQuantileDoc { share, volatility };
        Self {
            timestamp: outlook.target_time,
            step: outlook.step,
            volatility: outlook.volatility,
            lower_bound: outlook.lower,
            upper_bound: outlook.upper,
            quantiles: quantiles.iter().map(quantile).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Move;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_direction_stands_where_its_factor_leaves_the_price_where_it_is() {
        let step = ForecastStep {
            step: 1,
            target_time: Timestamp::year_start(2024),
            price: 100.0,
            lower: 99.0,
            upper: 101.0,
            direction: Move::Down,
            factor: 0.0,
            confidence: 0.52,
            calibrated: true,
        };
        let doc = serde_json::to_value(ForecastStepDoc::new(&step, &[])).unwrap();
        assert_eq!((&doc["direction"], &doc["factor"], &doc["price"]), (&json!("DOWN"), &json!(0.0), &json!(100.0)));
    }

    use candlecast_core::Quantiles;

    fn doc(quantiles: Option<Quantiles>) -> serde_json::Value {
        let volatility =
            VolatilityOutlook { step: 2, target_time: Timestamp(0), volatility: 0.03, lower: 0.02, upper: 0.05 };
        let forecast = Forecast {
            key: "binance:BTCUSDT:1h".parse().unwrap(),
            origin: Timestamp(0),
            origin_price: 100.0,
            level: 0.9,
            outlook: Outlook::Volatility(volatility),
            quantiles,
        };
        serde_json::to_value(OutlookDoc::from(&forecast)).unwrap()
    }

    #[test]
    fn quantiles_are_in_the_document_where_they_were_asked_for() {
        assert!(doc(None)["volatility"].get("quantiles").is_none());
        let told = doc(Some(Quantiles { shares: vec![0.05, 0.5], values: vec![vec![0.02, 0.03]] }));
        assert_eq!(
            told["volatility"]["quantiles"],
            json!([{ "share": 0.05, "volatility": 0.02 }, { "share": 0.5, "volatility": 0.03 }])
        );
    }
}

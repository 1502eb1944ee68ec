//! Writing forecasts into the log.

use candlecast_core::{DirectionOutlook, Forecast, ForecastStep, Move, Outlook, Problem, Timestamp, VolatilityOutlook};
use candlecast_host::{Host, briefly};
use candlecast_meta::{ClassBorders, NewPrediction, PriceInterval, class_number};

/// A forecast that is to be logged.
#[derive(Debug, Clone, Copy)]
pub struct MadeForecast<'a> {
    /// The forecast.
    pub forecast: &'a Forecast,
    /// Id of its model.
    pub model_id: &'a str,
    /// Close of the last candle that the model learnt from.
    pub trained_to: Timestamp,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Logs forecasts, of prices a row a step, of other tasks one row, and returns how many are new. A forecast that is
/// there already stays as it was first made; one whose model has seen the future of its origin is left out. Forecasts
/// whose outcome could be known when they were made are for the caller to leave out.
///
/// A database that does not answer within five seconds is an error: who waits for a forecast has it already, and is not
/// to wait for the log.
pub async fn log_forecasts(host: &Host, made: &[MadeForecast<'_>]) -> Result<u64, Problem> {
    let rows: Vec<NewPrediction> =
        made.iter().flat_map(|m| rows_of(m.forecast, m.model_id, m.trained_to, m.made_at)).collect();
    if rows.is_empty() {
        return Ok(0);
    }
    briefly(append(host, &rows)).await
}

async fn append(host: &Host, rows: &[NewPrediction]) -> Result<u64, Problem> {
    Ok(host.metadata().await?.append_predictions(rows).await?)
}

/// The rows of a forecast, of prices one a step, of another task one, made at `made_at` by the model `model_id`, which
/// has learnt from candles up to `trained_to`. None if these reach beyond the origin: such a forecast knows what it
/// forecasts, and in the log it would pass for skill.
pub fn rows_of(forecast: &Forecast, model_id: &str, trained_to: Timestamp, made_at: Timestamp) -> Vec<NewPrediction> {
    if trained_to > forecast.origin {
        return Vec::new();
    }
    let row = |claim: RowClaim| NewPrediction {
        task: forecast.task().to_owned(),
        model_id: model_id.to_owned(),
        series: forecast.key.clone(),
        origin: forecast.origin,
        step: u32::try_from(claim.step).unwrap_or(u32::MAX),
        target_time: claim.target_time,
        made_at,
        base_price: forecast.origin_price,
        prediction: claim.prediction,
        interval: claim.interval.map(|(lower, upper)| PriceInterval { lower, upper, level: forecast.level }),
        borders: claim.borders,
        confidence: claim.confidence,
        direction: claim.direction,
    };
    match &forecast.outlook {
        Outlook::Price(steps) => steps.iter().map(|step| row(step.into())).collect(),
        Outlook::Direction(direction) => vec![row(direction.into())],
        Outlook::Volatility(volatility) => vec![row(volatility.into())],
    }
}

/// What differs between the rows of a task's forecasts.
struct RowClaim {
    step: usize,
    target_time: Timestamp,
    prediction: f64,
    /// Lower and upper bound.
    interval: Option<(f64, f64)>,
    borders: Option<ClassBorders>,
    /// `None` where too few outcomes were known: there is no calibrated probability, only the number for none.
    confidence: Option<f64>,
    /// Of prices.
    direction: Option<Move>,
}

impl From<&ForecastStep> for RowClaim {
    fn from(s: &ForecastStep) -> Self {
        Self {
            step: s.step,
            target_time: s.target_time,
            prediction: s.price,
            interval: Some((s.lower, s.upper)),
            borders: None,
            confidence: s.calibrated.then_some(s.confidence),
            direction: Some(s.direction),
        }
    }
}

impl From<&DirectionOutlook> for RowClaim {
    fn from(d: &DirectionOutlook) -> Self {
        Self {
            step: d.step,
            target_time: d.target_time,
            prediction: class_number(d.action),
            interval: None,
            borders: Some(ClassBorders { sell_at: d.sell_at, buy_at: d.buy_at }),
            confidence: d.calibrated.then_some(d.confidence),
            direction: None,
        }
    }
}

impl From<&VolatilityOutlook> for RowClaim {
    fn from(v: &VolatilityOutlook) -> Self {
        Self {
            step: v.step,
            target_time: v.target_time,
            prediction: v.volatility,
            interval: Some((v.lower, v.upper)),
            borders: None,
            confidence: None,
            direction: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Action, Interval};

    use super::*;
    use crate::made::key;

    fn forecast(origin: Timestamp) -> Forecast {
        let step = |step: usize| ForecastStep {
            step,
            target_time: origin.plus_ms(step as i64 * Interval::H1.ms()),
            price: 100.0 + step as f64,
            lower: 90.0,
            upper: 120.0,
            direction: if step == 1 { Move::None } else { Move::Down },
            factor: 0.5,
            confidence: 0.75,
            calibrated: step > 1,
        };
        of(origin, Outlook::Price(vec![step(1), step(2)]))
    }

    fn of(origin: Timestamp, outlook: Outlook) -> Forecast {
        Forecast { key: key(), origin, origin_price: 100.0, level: 0.9, outlook, quantiles: None }
    }

    #[test]
    fn a_forecast_becomes_a_row_a_step() {
        let origin = Timestamp::year_start(2024);
        let rows = rows_of(&forecast(origin), "m", origin, origin.plus_ms(5));
        assert_eq!(rows.iter().map(|r| (r.step, r.prediction)).collect::<Vec<_>>(), [(1, 101.0), (2, 102.0)]);
        assert_eq!((rows[0].confidence, rows[1].confidence), (None, Some(0.75)));
        assert_eq!(rows[1].target_time, origin.plus_ms(7_200_000));
        assert_eq!(rows[0].interval, Some(PriceInterval { lower: 90.0, upper: 120.0, level: 0.9 }));
        assert!(rows.iter().all(|r| r.task == "price" && r.borders.is_none()));
        // As it was told, whatever the price says.
        assert_eq!((rows[0].direction, rows[1].direction), (Some(Move::None), Some(Move::Down)));
    }

    #[test]
    fn a_class_becomes_one_row_with_what_separates_the_classes() {
        let origin = Timestamp::year_start(2024);
        let target_time = origin.plus_ms(6 * Interval::H1.ms());
        let row = |action, calibrated| {
            let direction = DirectionOutlook {
                step: 6,
                target_time,
                action,
                probabilities: [0.2, 0.3, 0.5],
                sell_at: 98.0,
                buy_at: 103.0,
                confidence: 0.45,
                calibrated,
            };
            let mut rows = rows_of(&of(origin, Outlook::Direction(direction)), "m", origin, origin.plus_ms(5));
            assert_eq!(rows.len(), 1);
            rows.remove(0)
        };
        let buy = row(Action::Buy, true);
        assert_eq!(
            (buy.task.as_str(), buy.step, buy.target_time, buy.base_price),
            ("direction", 6, target_time, 100.0)
        );
        assert_eq!((buy.prediction, buy.interval, buy.confidence), (1.0, None, Some(0.45)));
        assert_eq!(buy.borders, Some(ClassBorders { sell_at: 98.0, buy_at: 103.0 }));
        assert_eq!((row(Action::Sell, true).prediction, row(Action::Hold, true).prediction), (-1.0, 0.0));
        assert_eq!((row(Action::Buy, false).confidence, buy.direction), (None, None));
        for action in Action::ALL {
            assert_eq!(row(action, true).class(), Some(action));
        }
    }

    #[test]
    fn a_volatility_becomes_one_row_with_its_interval() {
        let origin = Timestamp::year_start(2024);
        let target_time = origin.plus_ms(24 * Interval::H1.ms());
        let volatility = VolatilityOutlook { step: 24, target_time, volatility: 0.03, lower: 0.02, upper: 0.05 };
        let forecast = of(origin, Outlook::Volatility(volatility));
        let rows = rows_of(&forecast, "m", origin, origin);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].task.as_str(), rows[0].step, rows[0].target_time), ("volatility", 24, target_time));
        assert_eq!((rows[0].prediction, rows[0].confidence, rows[0].borders), (0.03, None, None));
        assert_eq!(rows[0].direction, None);
        assert_eq!(rows[0].interval, Some(PriceInterval { lower: 0.02, upper: 0.05, level: 0.9 }));
        assert!(rows_of(&forecast, "m", origin.plus_ms(1), origin).is_empty(), "it has seen the future");
    }

    #[test]
    fn a_model_that_has_seen_the_future_leaves_no_row() {
        let origin = Timestamp::year_start(2024);
        assert!(rows_of(&forecast(origin), "m", origin.plus_ms(1), origin).is_empty());
        assert_eq!(
            rows_of(&forecast(origin), "m", origin, origin).len(),
            2,
            "the origin's own candle may be learnt from"
        );
    }
}

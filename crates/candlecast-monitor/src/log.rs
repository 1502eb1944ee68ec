//! Writing forecasts into the log.

use candlecast_core::{Forecast, Problem, Timestamp};
use candlecast_host::{Host, briefly};
use candlecast_meta::{NewPrediction, PriceInterval};

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

/// Logs forecasts, a row a step, and returns how many rows are new. A forecast that is there already stays as it was
/// first made; one whose model has seen the future of its origin is left out. Forecasts whose outcome could be known
/// when they were made are for the caller to leave out.
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

/// The rows of a forecast, a step each, made at `made_at` by the model `model_id`, which has learnt from candles up to
/// `trained_to`. None if these reach beyond the origin: such a forecast knows what it forecasts, and in the log it would
/// pass for skill.
pub fn rows_of(forecast: &Forecast, model_id: &str, trained_to: Timestamp, made_at: Timestamp) -> Vec<NewPrediction> {
    if trained_to > forecast.origin {
        return Vec::new();
    }
    let row = |step: &candlecast_core::ForecastStep| NewPrediction {
        model_id: model_id.to_owned(),
        series: forecast.key.clone(),
        origin: forecast.origin,
        step: u32::try_from(step.step).unwrap_or(u32::MAX),
        target_time: step.target_time,
        made_at,
        base_price: forecast.origin_price,
        prediction: step.price,
        interval: Some(PriceInterval { lower: step.lower, upper: step.upper, level: forecast.level }),
        // Where too few outcomes were known there is no calibrated probability, only the number for none.
        confidence: step.calibrated.then_some(step.confidence),
    };
    forecast.steps.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use candlecast_core::{ForecastStep, Interval, SeriesKey, Symbol, Venue};

    use super::*;

    fn forecast(origin: Timestamp) -> Forecast {
        let step = |step: usize| ForecastStep {
            step,
            target_time: origin.plus_ms(step as i64 * Interval::H1.ms()),
            price: 100.0 + step as f64,
            lower: 90.0,
            upper: 120.0,
            confidence: 0.75,
            calibrated: step > 1,
        };
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        Forecast { key, origin, origin_price: 100.0, level: 0.9, steps: vec![step(1), step(2)] }
    }

    #[test]
    fn a_forecast_becomes_a_row_a_step() {
        let origin = Timestamp::year_start(2024);
        let rows = rows_of(&forecast(origin), "m", origin, origin.plus_ms(5));
        assert_eq!(rows.iter().map(|r| (r.step, r.prediction)).collect::<Vec<_>>(), [(1, 101.0), (2, 102.0)]);
        assert_eq!((rows[0].confidence, rows[1].confidence), (None, Some(0.75)));
        assert_eq!(rows[1].target_time, origin.plus_ms(7_200_000));
        assert_eq!(rows[0].interval, Some(PriceInterval { lower: 90.0, upper: 120.0, level: 0.9 }));
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

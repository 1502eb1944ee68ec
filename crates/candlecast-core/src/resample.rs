//! Exact resampling to a coarser interval.

use crate::{Candle, CandleSeries, Columns, Interval, SeriesKey, Timestamp};

/// Why a series cannot be resampled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{from} candles cannot be made into {to} candles: {to} must be a longer multiple of {from}")]
pub struct ResampleError {
    /// Of the series.
    pub from: Interval,
    /// Wanted.
    pub to: Interval,
}

/// A resampled series and how many incomplete candles were left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Resampled {
    /// Complete candles only.
    pub series: CandleSeries,
    /// Candles left out because a part of them was missing.
    pub incomplete: usize,
}

/// Resamples `series` to `to`: open first, high max, low min, close last, volumes summed. Candles of which any
/// part is missing are left out; an optional column is missing where any part of it is.
pub fn resample(series: &CandleSeries, to: Interval) -> Result<Resampled, ResampleError> {
    let from = series.key().interval;
    if !to.is_multiple_of(from) || to == from {
        return Err(ResampleError { from, to });
    }
    let parts = (to.ms() / from.ms()) as usize;
    let times = series.open_time();
    let mut columns = Columns::default();
    let mut incomplete = 0;
    let mut i = 0;
    while i < times.len() {
        let open_time = to.floor(Timestamp(times[i]));
        let n = times[i..].iter().take_while(|&&t| t < open_time.0 + to.ms()).count();
        if n == parts {
            columns.push(&join(series, i..i + n, open_time));
        } else {
            incomplete += 1;
        }
        i += n;
    }
    let key = SeriesKey { interval: to, ..series.key().clone() };
    let series = CandleSeries::new(key, columns).map_err(|_| ResampleError { from, to })?;
    Ok(Resampled { series, incomplete })
}

fn join(series: &CandleSeries, rows: std::ops::Range<usize>, open_time: Timestamp) -> Candle {
    let c = series.columns();
    let sum = |v: &Option<Vec<f64>>| v.as_ref().map(|v| v[rows.clone()].iter().sum::<f64>()).filter(|s| !s.is_nan());
    Candle {
        open_time,
        open: c.open[rows.start],
        high: c.high[rows.clone()].iter().copied().fold(f64::MIN, f64::max),
        low: c.low[rows.clone()].iter().copied().fold(f64::MAX, f64::min),
        close: c.close[rows.end - 1],
        volume: c.volume[rows.clone()].iter().sum(),
        quote_volume: sum(&c.quote_volume),
        trades: sum(&c.trades),
        taker_buy_base: sum(&c.taker_buy_base),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{MarketConfig, generate};

    #[test]
    fn resampling_is_exact_and_leaves_out_incomplete_candles() {
        let market = generate(&MarketConfig { n_candles: 50, interval: Interval::H1, ..MarketConfig::default() });
        let hourly = &market[0].series;
        let four = resample(hourly, "4h".parse().unwrap()).unwrap();
        let first = four.series.candle(0);
        let a = hourly.open_time().iter().position(|&t| t == first.open_time.0).unwrap();
        let parts: Vec<Candle> = (a..a + 4).map(|i| hourly.candle(i)).collect();
        assert_eq!(first.open, parts[0].open);
        assert_eq!(first.close, parts[3].close);
        assert_eq!(first.high, parts.iter().map(|c| c.high).fold(0.0, f64::max));
        assert_eq!(first.low, parts.iter().map(|c| c.low).fold(f64::MAX, f64::min));
        assert_eq!(first.volume, parts.iter().map(|c| c.volume).sum::<f64>());
        let at = four.series.open_time().to_vec();
        assert!(at.iter().all(|&t| "4h".parse::<Interval>().unwrap().on_grid(Timestamp(t))));
        assert!(resample(&four.series, Interval::H1).is_err());
        assert!(resample(hourly, Interval::H1).is_err());
        assert!(resample(&four.series, "6h".parse().unwrap()).is_err());
    }
}

//! [`Candle`] and [`CandleSeries`], columnar and valid by construction.

use crate::{Interval, SeriesKey, TimeRange, Timestamp};

/// One OHLCV bar, named by its open time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candle {
    /// First instant of the bar.
    pub open_time: Timestamp,
    /// First price, in quote units.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price, above zero.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Volume in base units.
    pub volume: f64,
    /// Volume in quote units, where the source has it.
    pub quote_volume: Option<f64>,
    /// Number of trades, where the source has it.
    pub trades: Option<f64>,
    /// Base volume bought by takers, where the source has it.
    pub taker_buy_base: Option<f64>,
}

/// What is wrong with one candle.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CandleError {
    /// NaN or infinite.
    #[error("{field} is not a finite number")]
    NotFinite {
        /// Column.
        field: &'static str,
    },
    /// Zero or negative price.
    #[error("{field} is {value}, prices must be above 0")]
    NotPositive {
        /// Column.
        field: &'static str,
        /// As read.
        value: f64,
    },
    /// Negative volume or count.
    #[error("{field} is {value}, it must not be negative")]
    Negative {
        /// Column.
        field: &'static str,
        /// As read.
        value: f64,
    },
    /// `low <= min(open, close)` and `high >= max(open, close)` do not hold.
    #[error("prices contradict each other: open {open}, high {high}, low {low}, close {close}")]
    Inconsistent {
        /// First price.
        open: f64,
        /// Highest price.
        high: f64,
        /// Lowest price.
        low: f64,
        /// Last price.
        close: f64,
    },
    /// Open time off the interval's grid.
    #[error("open time {time} is not on the grid of {interval} candles")]
    OffGrid {
        /// As read.
        time: Timestamp,
        /// Of the series.
        interval: Interval,
    },
}

impl Candle {
    /// Checks everything that a candle of `interval` must satisfy.
    pub fn check(&self, interval: Interval) -> Result<(), CandleError> {
        let prices = [("open", self.open), ("high", self.high), ("low", self.low), ("close", self.close)];
        let amounts = [
            ("volume", Some(self.volume)),
            ("quote_volume", self.quote_volume),
            ("trades", self.trades),
            ("taker_buy_base", self.taker_buy_base),
        ];
        for (field, value) in prices {
            if !value.is_finite() {
                return Err(CandleError::NotFinite { field });
            }
            if value <= 0.0 {
                return Err(CandleError::NotPositive { field, value });
            }
        }
        for (field, value) in amounts {
            let Some(value) = value else { continue };
            if !value.is_finite() {
                return Err(CandleError::NotFinite { field });
            }
            if value < 0.0 {
                return Err(CandleError::Negative { field, value });
            }
        }
        let Self { open, high, low, close, .. } = *self;
        if low > open.min(close) || high < open.max(close) {
            return Err(CandleError::Inconsistent { open, high, low, close });
        }
        if !interval.on_grid(self.open_time) {
            return Err(CandleError::OffGrid { time: self.open_time, interval });
        }
        Ok(())
    }
}

/// The columns of a series, all of one length. In the optional columns NaN means missing for that candle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns {
    /// Open times in ms.
    pub open_time: Vec<i64>,
    /// First prices.
    pub open: Vec<f64>,
    /// Highest prices.
    pub high: Vec<f64>,
    /// Lowest prices.
    pub low: Vec<f64>,
    /// Last prices.
    pub close: Vec<f64>,
    /// Base volumes.
    pub volume: Vec<f64>,
    /// Quote volumes; `None` where no candle has one.
    pub quote_volume: Option<Vec<f64>>,
    /// Trade counts.
    pub trades: Option<Vec<f64>>,
    /// Taker-buy base volumes.
    pub taker_buy_base: Option<Vec<f64>>,
}

impl Columns {
    /// Number of candles.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// True without candles.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// Adds one candle; optional columns appear when the first candle has a value for them.
    pub fn push(&mut self, c: &Candle) {
        let n = self.len();
        self.open_time.push(c.open_time.0);
        self.open.push(c.open);
        self.high.push(c.high);
        self.low.push(c.low);
        self.close.push(c.close);
        self.volume.push(c.volume);
        for (column, value) in [
            (&mut self.quote_volume, c.quote_volume),
            (&mut self.trades, c.trades),
            (&mut self.taker_buy_base, c.taker_buy_base),
        ] {
            if value.is_some() && column.is_none() {
                *column = Some(vec![f64::NAN; n]);
            }
            if let Some(column) = column {
                column.push(value.unwrap_or(f64::NAN));
            }
        }
    }

    /// The candle at `i`.
    pub fn candle(&self, i: usize) -> Candle {
        let optional = |c: &Option<Vec<f64>>| c.as_ref().map(|v| v[i]).filter(|v| !v.is_nan());
        Candle {
            open_time: Timestamp(self.open_time[i]),
            open: self.open[i],
            high: self.high[i],
            low: self.low[i],
            close: self.close[i],
            volume: self.volume[i],
            quote_volume: optional(&self.quote_volume),
            trades: optional(&self.trades),
            taker_buy_base: optional(&self.taker_buy_base),
        }
    }

    /// Candles `range` as columns of their own.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let optional = |c: &Option<Vec<f64>>| {
            c.as_ref().map(|v| v[range.clone()].to_vec()).filter(|v| v.iter().any(|x| !x.is_nan()))
        };
        Self {
            open_time: self.open_time[range.clone()].to_vec(),
            open: self.open[range.clone()].to_vec(),
            high: self.high[range.clone()].to_vec(),
            low: self.low[range.clone()].to_vec(),
            close: self.close[range.clone()].to_vec(),
            volume: self.volume[range.clone()].to_vec(),
            quote_volume: optional(&self.quote_volume),
            trades: optional(&self.trades),
            taker_buy_base: optional(&self.taker_buy_base),
        }
    }
}

/// Why columns are no series.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SeriesError {
    /// Columns differ in length.
    #[error("column {column} has {len} values, open_time has {expected}")]
    Length {
        /// Which.
        column: &'static str,
        /// Its length.
        len: usize,
        /// Length of `open_time`.
        expected: usize,
    },
    /// Open times do not strictly increase.
    #[error("open times must strictly increase: row {row} ({time}) does not come after the one before")]
    Order {
        /// First offending row.
        row: usize,
        /// Its open time.
        time: Timestamp,
    },
    /// A candle is not valid.
    #[error("row {row}: {error}")]
    Candle {
        /// Row.
        row: usize,
        /// What is wrong.
        error: CandleError,
    },
    /// Two series of different keys were joined.
    #[error("series {0} cannot take candles of {1}")]
    OtherSeries(SeriesKey, SeriesKey),
}

/// A series of candles: strictly increasing open times on the interval's grid, every candle valid.
#[derive(Debug, Clone, PartialEq)]
pub struct CandleSeries {
    key: SeriesKey,
    columns: Columns,
}

/// True when `ok` holds for every value; looks at all of them, so that no branch stands in the way.
#[allow(clippy::needless_bitwise_bool, reason = "a lazy operator is a branch")]
fn holds(column: &[f64], ok: impl Fn(f64) -> bool) -> bool {
    column.iter().fold(true, |all, &v| all & ok(v))
}

/// True when [`Candle::check`] accepts every row of ascending `columns` of one length. Column by column without a
/// branch; a row is asked on its own only to name what is wrong.
#[allow(clippy::needless_bitwise_bool, clippy::manual_range_contains, reason = "a lazy operator is a branch")]
fn all_valid(columns: &Columns, interval: Interval) -> bool {
    let Columns { open_time, open, high, low, close, volume, quote_volume, trades, taker_buy_base } = columns;
    let price = |v: f64| (v > 0.0) & (v < f64::INFINITY);
    let amount = |v: f64| (v >= 0.0) & (v < f64::INFINITY);
    // NaN stands for a value that is missing.
    let amount_or_none = |v: f64| v.is_nan() | ((v >= 0.0) & (v < f64::INFINITY));
    let optional = [quote_volume, trades, taker_buy_base];
    let n = open_time.len();
    let (open, high, low, close) = (&open[..n], &high[..n], &low[..n], &close[..n]);
    let consistent = (0..n).fold(true, |all, i| {
        all & (low[i] <= open[i]) & (low[i] <= close[i]) & (high[i] >= open[i]) & (high[i] >= close[i])
    });
    // Most rows follow the one before by one interval, which spares them the division.
    let on_grid = open_time.first().is_none_or(|&t| interval.on_grid(Timestamp(t)))
        && open_time.windows(2).all(|w| w[1].wrapping_sub(w[0]) == interval.ms() || interval.on_grid(Timestamp(w[1])));
    consistent
        && on_grid
        && [open, high, low, close].into_iter().all(|column| holds(column, price))
        && holds(volume, amount)
        && optional.into_iter().flatten().all(|column| holds(column, amount_or_none))
}

impl CandleSeries {
    /// Checks `columns` and makes a series of them.
    pub fn new(key: SeriesKey, columns: Columns) -> Result<Self, SeriesError> {
        let expected = columns.len();
        let lengths = [
            ("open", columns.open.len()),
            ("high", columns.high.len()),
            ("low", columns.low.len()),
            ("close", columns.close.len()),
            ("volume", columns.volume.len()),
            ("quote_volume", columns.quote_volume.as_ref().map_or(expected, Vec::len)),
            ("trades", columns.trades.as_ref().map_or(expected, Vec::len)),
            ("taker_buy_base", columns.taker_buy_base.as_ref().map_or(expected, Vec::len)),
        ];
        if let Some(&(column, len)) = lengths.iter().find(|(_, len)| *len != expected) {
            return Err(SeriesError::Length { column, len, expected });
        }
        if let Some(i) = (1..expected).find(|&i| columns.open_time[i] <= columns.open_time[i - 1]) {
            return Err(SeriesError::Order { row: i, time: Timestamp(columns.open_time[i]) });
        }
        if !all_valid(&columns, key.interval) {
            for row in 0..expected {
                columns.candle(row).check(key.interval).map_err(|error| SeriesError::Candle { row, error })?;
            }
        }
        Ok(Self { key, columns })
    }

    /// A series from candles in any order; of equal open times the last wins.
    pub fn from_unsorted(key: SeriesKey, candles: &Columns) -> Result<Self, SeriesError> {
        let mut order: Vec<usize> = (0..candles.len()).collect();
        order.sort_by_key(|&i| candles.open_time[i]);
        let mut columns = Columns::default();
        for (k, &i) in order.iter().enumerate() {
            let last_of_its_time = order.get(k + 1).is_none_or(|&j| candles.open_time[j] != candles.open_time[i]);
            if last_of_its_time {
                columns.push(&candles.candle(i));
            }
        }
        Self::new(key, columns)
    }

    /// A series without candles.
    pub fn empty(key: SeriesKey) -> Self {
        Self { key, columns: Columns::default() }
    }

    /// Its name.
    pub fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// Number of candles.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// True without candles.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// All columns.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Gives up the columns.
    pub fn into_columns(self) -> Columns {
        self.columns
    }

    /// Open times in ms.
    pub fn open_time(&self) -> &[i64] {
        &self.columns.open_time
    }

    /// Closing prices.
    pub fn close(&self) -> &[f64] {
        &self.columns.close
    }

    /// The candle at `i`.
    pub fn candle(&self, i: usize) -> Candle {
        self.columns.candle(i)
    }

    /// From the first open time to the last close, `None` without candles.
    pub fn range(&self) -> Option<TimeRange> {
        let (first, last) = (self.columns.open_time.first()?, self.columns.open_time.last()?);
        Some(TimeRange { from: Timestamp(*first), to: Timestamp(last + self.key.interval.ms()) })
    }

    /// The candles that open within `range`.
    #[must_use]
    pub fn between(&self, range: TimeRange) -> Self {
        let times = &self.columns.open_time;
        let a = times.partition_point(|&t| t < range.from.0);
        let b = times.partition_point(|&t| t < range.to.0).max(a);
        Self { key: self.key.clone(), columns: self.columns.slice(a..b) }
    }

    /// This series with `newer` laid over it: where both have a candle, `newer` wins.
    pub fn merged(&self, newer: &Self) -> Result<Self, SeriesError> {
        if self.key != newer.key {
            return Err(SeriesError::OtherSeries(self.key.clone(), newer.key.clone()));
        }
        let (a, b) = (&self.columns, &newer.columns);
        if a.is_empty() || b.is_empty() {
            return Ok(if b.is_empty() { self.clone() } else { newer.clone() });
        }
        let mut columns = Columns::default();
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            let (ta, tb) = (a.open_time.get(i), b.open_time.get(j));
            match (ta, tb) {
                (Some(ta), Some(tb)) if ta < tb => {
                    columns.push(&a.candle(i));
                    i += 1;
                }
                (Some(_), None) => {
                    columns.push(&a.candle(i));
                    i += 1;
                }
                (ta, _) => {
                    i += usize::from(ta == tb);
                    columns.push(&b.candle(j));
                    j += 1;
                }
            }
        }
        Ok(Self { key: self.key.clone(), columns })
    }
}

/// Gaps of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gaps {
    /// Runs of missing candles.
    pub count: usize,
    /// Longest run, in candles.
    pub longest: usize,
    /// Missing candles in all.
    pub missing: usize,
}

impl Gaps {
    /// Gaps between increasing open times.
    pub fn of(open_time: &[i64], interval: Interval) -> Self {
        open_time.windows(2).fold(Self::default(), |g, w| {
            let missing = ((w[1] - w[0]) / interval.ms() - 1).max(0) as usize;
            if missing == 0 {
                return g;
            }
            Self { count: g.count + 1, longest: g.longest.max(missing), missing: g.missing + missing }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Symbol, Venue};

    fn key() -> SeriesKey {
        SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1)
    }

    proptest::proptest! {
        #[test]
        fn columns_are_valid_exactly_where_every_candle_is(
            row in 0_usize..5,
            column in 0_usize..9,
            value in proptest::prop_oneof![
                proptest::num::f64::ANY,
                0.0..300.0_f64,
                proptest::strategy::Just(0.0),
                proptest::strategy::Just(f64::INFINITY),
            ],
            shift in proptest::prop_oneof![proptest::strategy::Just(0_i64), -3_i64..3],
        ) {
            let mut columns = Columns::default();
            for hour in 0..5 {
                let amounts = (Some(5.0), Some(3.0), None);
                let candle = candle(hour, 100.0 + hour as f64);
                columns.push(&Candle { quote_volume: amounts.0, trades: amounts.1, taker_buy_base: amounts.2, ..candle });
            }
            columns.open_time[row] += shift;
            let c = &mut columns;
            let optional = [&mut c.quote_volume, &mut c.trades, &mut c.taker_buy_base];
            let mut all = vec![&mut c.open, &mut c.high, &mut c.low, &mut c.close, &mut c.volume];
            all.extend(optional.into_iter().flatten());
            let n = all.len();
            all[column % n][row] = value;
            let one_by_one = (0..5).all(|row| columns.candle(row).check(Interval::H1).is_ok());
            proptest::prop_assert_eq!(all_valid(&columns, Interval::H1), one_by_one);
        }
    }

    fn candle(hour: i64, close: f64) -> Candle {
        Candle {
            open_time: Timestamp(hour * 3_600_000),
            open: close,
            high: close + 1.0,
            low: close / 2.0,
            close,
            volume: 1.0,
            quote_volume: (hour % 2 == 0).then_some(close),
            trades: None,
            taker_buy_base: None,
        }
    }

    fn series(hours: &[(i64, f64)]) -> CandleSeries {
        let mut c = Columns::default();
        for &(h, p) in hours {
            c.push(&candle(h, p));
        }
        CandleSeries::from_unsorted(key(), &c).unwrap()
    }

    #[test]
    fn the_last_of_equal_times_wins() {
        let s = series(&[(3, 30.0), (1, 10.0), (3, 31.0), (2, 20.0)]);
        assert_eq!(s.close(), [10.0, 20.0, 31.0]);
        assert_eq!(s.candle(0).quote_volume, None);
        assert_eq!(s.candle(1).quote_volume, Some(20.0));
    }

    #[test]
    fn merging_lets_the_newer_win() {
        let merged =
            series(&[(1, 1.0), (2, 2.0), (4, 4.0)]).merged(&series(&[(2, 20.0), (3, 30.0), (5, 50.0)])).unwrap();
        assert_eq!(merged.close(), [1.0, 20.0, 30.0, 4.0, 50.0]);
        assert_eq!(Gaps::of(merged.open_time(), Interval::H1), Gaps::default());
    }

    #[test]
    fn invalid_candles_are_named() {
        let good = candle(1, 10.0);
        assert_eq!(good.check(Interval::H1), Ok(()));
        let bad = |f: fn(&mut Candle)| {
            let mut c = good;
            f(&mut c);
            c.check(Interval::H1).unwrap_err().to_string()
        };
        assert!(bad(|c| c.open = f64::NAN).contains("open is not a finite"));
        assert!(bad(|c| c.low = 0.0).contains("low is 0"));
        assert!(bad(|c| c.high = 5.0).contains("contradict"));
        assert!(bad(|c| c.volume = -1.0).contains("volume is -1"));
        assert!(bad(|c| c.open_time = Timestamp(1)).contains("grid"));
    }

    #[test]
    fn gaps_are_counted_in_candles() {
        let s = series(&[(1, 1.0), (2, 1.0), (5, 1.0), (7, 1.0)]);
        assert_eq!(Gaps::of(s.open_time(), Interval::H1), Gaps { count: 2, longest: 2, missing: 3 });
    }
}

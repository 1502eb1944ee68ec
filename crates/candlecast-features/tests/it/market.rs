//! Candles and indicators that the tests share.

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{
    Candle, CandleSeries, Columns, FilledSeries, Interval, Segment, SeriesKey, Symbol, Timestamp, Venue,
};
use candlecast_features::{FeatureSpec, Indicator, Observation, catalog};

/// One listed feature with its parameters.
pub(crate) struct Listed {
    pub(crate) spec: &'static FeatureSpec,
    pub(crate) id: String,
    pub(crate) indicator: Box<dyn Indicator>,
}

/// Every feature with every listed set of parameters.
pub(crate) fn listed() -> Vec<Listed> {
    let build = |spec: &'static FeatureSpec, params: &[u32]| Listed {
        spec,
        id: spec.id_with(params),
        indicator: spec.build(params).unwrap_or_else(|e| panic!("{}: {e}", spec.id)),
    };
    catalog().iter().flat_map(|spec| spec.listed.iter().map(move |p| build(spec, p))).collect()
}

/// A regular market of `n` hourly candles.
pub(crate) fn regular(n: usize) -> FilledSeries {
    let config = MarketConfig { coins: vec![("BTCUSDT", 30_000.0)], n_candles: n, ..MarketConfig::default() };
    FilledSeries::new(&generate(&config)[0].series, 3)
}

/// Hourly candles from `open, high, low, close, volume` rows, with the optional columns filled in.
pub(crate) fn series(rows: &[[f64; 5]]) -> FilledSeries {
    let mut columns = Columns::default();
    for (hour, &[open, high, low, close, volume]) in rows.iter().enumerate() {
        columns.push(&Candle {
            open_time: Timestamp(1_672_531_200_000 + hour as i64 * 3_600_000),
            open,
            high,
            low,
            close,
            volume,
            quote_volume: Some(volume * close),
            trades: Some((volume * 10.0).round()),
            taker_buy_base: Some(volume * 0.4),
        });
    }
    let key = SeriesKey::new(Venue::synthetic(), Symbol::new("TESTUSDT").expect("a symbol"), Interval::H1);
    FilledSeries::new(&CandleSeries::new(key, columns).expect("valid candles"), 0)
}

/// The one segment of a series without gaps.
pub(crate) fn whole(series: &FilledSeries) -> Segment<'_> {
    assert_eq!(series.segment_ranges().len(), 1);
    series.segment(0..series.len())
}

/// All outputs over a segment, `[output][row]`.
pub(crate) fn batch(indicator: &dyn Indicator, segment: &Segment<'_>) -> Vec<Vec<f64>> {
    // Not NaN to begin with: every row must be written.
    let mut columns = vec![vec![f64::INFINITY; segment.len()]; indicator.outputs().len()];
    let mut slices: Vec<&mut [f64]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
    indicator.compute(segment, &mut slices);
    columns
}

/// Values of a stream opened on the first `from` candles, over the rest, `[output][row - from]`.
pub(crate) fn streamed(indicator: &dyn Indicator, segment: &Segment<'_>, from: usize) -> Vec<Vec<f64>> {
    let width = indicator.outputs().len();
    let mut stream = indicator.open(&segment.prefix(from));
    let mut columns = vec![Vec::new(); width];
    let mut row = vec![0.0; width];
    for i in from..segment.len() {
        stream.update(&Observation::of(segment, i), &mut row);
        for (column, value) in columns.iter_mut().zip(&row) {
            column.push(*value);
        }
    }
    columns
}

/// Greatest absolute value of a column, 0 without values.
pub(crate) fn scale(column: &[f64]) -> f64 {
    column.iter().filter(|v| !v.is_nan()).fold(0.0, |m, v| v.abs().max(m))
}

/// Equal to `relative`, or to 1e-12 of the column's `scale`; missing equals missing.
pub(crate) fn same(a: f64, b: f64, relative: f64, scale: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    (a - b).abs() <= relative * a.abs().max(b.abs()) + 1e-12 * scale
}

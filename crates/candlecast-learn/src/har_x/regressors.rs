//! [`HarXState`]: the regressors of `har-x`, candle by candle.

use std::array;
use std::collections::VecDeque;
use std::f64::consts::{LN_2, TAU};

use candlecast_core::{Ewma, Interval};

use super::season::Season;
use super::window::WindowSum;
use crate::dataset::Market;

/// Candles of a segment up to the first that has regressors.
pub const WARM_UP: usize = 720;
/// Horizons, in candles, whose own season is at hand. Between two of them it is interpolated, linear in the logarithm
/// of the horizon.
pub(crate) const ANCHORS: [usize; 10] = [1, 2, 4, 8, 12, 24, 48, 96, 192, 288];
/// Spans of the mean squared ranges, in candles.
const LAGS: [usize; 6] = [1, 6, 24, 72, 168, 720];
/// Spans of the moves, in candles.
const MOVES: [usize; 3] = [6, 24, 168];
/// Spans of the mean volumes, in candles.
const VOLUMES: [usize; 4] = [1, 6, 24, 168];
/// Turns a week of the sines and cosines.
const HARMONICS: [f64; 5] = [1.0, 2.0, 3.0, 7.0, 14.0];
/// Spans of the past season, in candles.
const PAST_SEASONS: [usize; 2] = [24, 6];
/// Candles that the level is the variance of, and that the jump is looked for in.
const DAY: usize = 24;

/// Regressors that all horizons share.
pub(crate) const SHARED: usize =
    1 + LAGS.len() + PAST_SEASONS.len() + 2 * HARMONICS.len() + 2 * MOVES.len() + VOLUMES.len() + 1;
/// Values a row: the regressors that all horizons share, then the season over the next candles for each of [`ANCHORS`].
pub(crate) const COLUMNS: usize = SHARED + ANCHORS.len();
/// Regressors of one horizon: those that all share, then its season.
pub const REGRESSORS: usize = SHARED + 1;
/// Column of the level, the logarithm of the usual variance of 24 candles.
const LEVEL: usize = 0;

/// Half-life of the level and of the usual volume, in candles.
const LEVEL_HALF_LIFE: f64 = 720.0;
/// Half-life of what the squared range of a candle is compared with for the season, and the candles after which it is
/// known.
const USUAL_HALF_LIFE: f64 = 168.0;
const MIN_USUAL: usize = 168;
/// Bound on a squared range over what is usual.
const MAX_RATIO: f64 = 8.0;
/// Least value that a logarithm is taken of.
const FLOOR: f64 = 1e-9;
/// Added to the variance of 24 candles, to volumes and to sums of squared returns, which may all be 0.
const LAG_EPSILON: f64 = 1e-7;
const VOLUME_EPSILON: f64 = 1e-9;
const SQUARES_EPSILON: f64 = 1e-9;
/// Bound on moves and on logarithms of relative volumes.
const BOUND: f64 = 4.0;
/// Volumes beyond this count as this, so that their sums are finite.
const MAX_VOLUME: f64 = 1e100;

/// `ln max(x, 1e-9)`.
pub(super) fn log_floored(x: f64) -> f64 {
    x.max(FLOOR).ln()
}

/// The squared log range over `4 ln 2`: the variance of a candle by its range (Parkinson 1980).
pub(super) fn squared_range(high: f64, low: f64) -> f64 {
    (high.ln() - low.ln()).powi(2) / (4.0 * LN_2)
}

/// What the regressors are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HarXRow {
    /// In ms.
    pub(crate) open_time: i64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) log_close: f64,
    pub(crate) volume: f64,
    /// True for a flat candle that stands for a missing one: nothing of the season is learnt from it.
    pub(crate) filled: bool,
}

impl HarXRow {
    /// Row `row` of `market`.
    pub(crate) fn of(market: &Market, row: usize) -> Self {
        let series = market.series();
        let columns = series.columns();
        Self {
            open_time: columns.open_time[row],
            high: columns.high[row],
            low: columns.low[row],
            log_close: market.log_close()[row],
            volume: columns.volume[row],
            filled: series.filled()[row],
        }
    }
}

/// The regressors of `har-x` as candles come in. A whole market and a live one go through this same state, so their
/// values have the same bits.
///
/// With `PK` the squared range of a candle ([`squared_range`]), `c` its log close, `v` its volume, `r` its log return
/// and `EWMA_k` an exponentially weighted mean of half-life `k`, bias-corrected, the columns of the candle `t` are
///
/// - `lvl = ln(24 EWMA_720(PK))`;
/// - `ln(24 mean_m PK + 1e-7) - lvl`, `m` = 1, 6, 24, 72, 168, 720;
/// - `ln mean f(t-23..t)` and `ln mean f(t-5..t)`, `f` being the season of a candle as it was known before it
///   ([`Season`]), learnt from `q = min(8, PK / EWMA_168(PK))`, the mean being that up to the candle before;
/// - sine and cosine of `2 pi k w`, `k` = 1, 2, 3, 7, 14, `w` being the share of the week at which the next candle
///   opens;
/// - `min(0, z_m)` and `|z_m|`, `m` = 6, 24, 168, where `z_m = (c_t - c_(t-m)) / sqrt(m e^lvl / 24)` within -4 and 4;
/// - `ln(mean_m v / EWMA_720(v))` within -4 and 4, `m` = 1, 6, 24, 168;
/// - the greatest `r^2` of the last 24 candles over their sum;
/// - `ln mean f(t+1..t+h)` for each of [`ANCHORS`], by the season known at `t`.
///
/// Spans are in candles, whatever their length. A filled candle counts as one of no range and no volume.
#[derive(Debug, Clone)]
pub(crate) struct HarXState {
    season: Season,
    past: Past,
}

/// The candles of the segment so far, as far as they count.
#[derive(Debug, Clone)]
struct Past {
    candles: usize,
    level: Ewma,
    usual_range: Ewma,
    usual_volume: Ewma,
    ranges: [WindowSum; LAGS.len()],
    volumes: [WindowSum; VOLUMES.len()],
    /// Log closes, the newest last, as many as the longest move spans and one more.
    closes: VecDeque<f64>,
    /// Squared returns of a day, the newest last; the first of a segment is 0.
    squares: VecDeque<f64>,
    /// Season of each candle as it was known before it, the newest last.
    seasons: VecDeque<f64>,
}

impl HarXState {
    /// Before the first candle of a series of `interval`.
    pub(crate) fn new(interval: Interval) -> Self {
        Self { season: Season::new(interval), past: Past::new() }
    }

    /// What follows comes after a gap that is too long to fill: all but the season begins anew.
    pub(crate) fn begin_segment(&mut self) {
        self.past = Past::new();
    }

    /// Takes the next candle of the segment and gives its columns; `None` for the first 719 of a segment.
    pub(crate) fn step(&mut self, row: &HarXRow) -> Option<[f64; COLUMNS]> {
        let range = squared_range(row.high, row.low);
        let expected = self.season.factor(row.open_time);
        if let Some(usual) = self.past.usual_range().filter(|_| !row.filled) {
            self.season.take(row.open_time, (range / usual).min(MAX_RATIO));
        }
        self.past.push(row, range, expected);
        (self.past.candles >= WARM_UP).then(|| self.columns(row.open_time))
    }

    fn columns(&self, open_time: i64) -> [f64; COLUMNS] {
        let past = &self.past;
        let level = log_floored(DAY as f64 * past.level.mean());
        let turn = TAU * self.season.next_share_of_week(open_time);
        let lags = past.ranges.iter().map(|range| (DAY as f64 * range.mean() + LAG_EPSILON).ln() - level);
        let seasons = PAST_SEASONS.into_iter().map(|span| log_floored(past.mean_season(span)));
        let clock = HARMONICS.into_iter().flat_map(|k| <[f64; 2]>::from((k * turn).sin_cos()));
        let moves = MOVES.into_iter().flat_map(|span| {
            let z = past.relative_move(span, level);
            [z.min(0.0), z.abs()]
        });
        let volumes = past.volumes.iter().map(|volume| past.relative_volume(volume.mean()));
        let mut out = [0.0; COLUMNS];
        let values = std::iter::once(level)
            .chain(lags)
            .chain(seasons)
            .chain(clock)
            .chain(moves)
            .chain(volumes)
            .chain([past.jump()])
            .chain(self.season.ahead(open_time));
        out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
        out
    }
}

impl Past {
    fn new() -> Self {
        Self {
            candles: 0,
            level: Ewma::new(LEVEL_HALF_LIFE),
            usual_range: Ewma::new(USUAL_HALF_LIFE),
            usual_volume: Ewma::new(LEVEL_HALF_LIFE),
            ranges: LAGS.map(WindowSum::new),
            volumes: VOLUMES.map(WindowSum::new),
            closes: VecDeque::new(),
            squares: VecDeque::new(),
            seasons: VecDeque::new(),
        }
    }

    fn push(&mut self, row: &HarXRow, range: f64, season: f64) {
        let volume = row.volume.min(MAX_VOLUME);
        let change = self.closes.back().map_or(0.0, |last| row.log_close - last);
        self.candles += 1;
        self.level.push(range);
        self.usual_range.push(range);
        self.usual_volume.push(volume);
        self.ranges.iter_mut().for_each(|window| window.push(range));
        self.volumes.iter_mut().for_each(|window| window.push(volume));
        keep(&mut self.closes, row.log_close, MOVES[MOVES.len() - 1] + 1);
        keep(&mut self.squares, change * change, DAY);
        keep(&mut self.seasons, season, PAST_SEASONS[0]);
    }

    /// The squared range that is usual, once it is known.
    fn usual_range(&self) -> Option<f64> {
        (self.usual_range.count() >= MIN_USUAL).then(|| self.usual_range.mean().max(FLOOR))
    }

    /// Mean season of the last `span` candles.
    fn mean_season(&self, span: usize) -> f64 {
        self.seasons.iter().rev().take(span).sum::<f64>() / span as f64
    }

    /// `z_m` of the last `span` candles at the level `level`.
    fn relative_move(&self, span: usize, level: f64) -> f64 {
        let newest = self.closes.len() - 1;
        let sigma = (level.exp() / DAY as f64).sqrt();
        let z = (self.closes[newest] - self.closes[newest - span]) / (sigma * (span as f64).sqrt());
        z.clamp(-BOUND, BOUND)
    }

    fn relative_volume(&self, mean: f64) -> f64 {
        let ratio = (mean + VOLUME_EPSILON) / (self.usual_volume.mean() + VOLUME_EPSILON);
        ratio.ln().clamp(-BOUND, BOUND)
    }

    /// The greatest squared return of a day over their sum.
    fn jump(&self) -> f64 {
        let (greatest, sum) = self.squares.iter().fold((0.0_f64, 0.0_f64), |(max, sum), &x| (max.max(x), sum + x));
        (greatest / (sum + SQUARES_EPSILON)).clamp(0.0, 1.0)
    }
}

/// Adds `value` behind the others, of which `capacity` are kept.
fn keep(values: &mut VecDeque<f64>, value: f64, capacity: usize) {
    if values.len() == capacity {
        values.pop_front();
    }
    values.push_back(value);
}

/// Writes the columns of a row behind the others, in single precision, NaN where there are none.
pub(crate) fn push_columns(columns: Option<&[f64; COLUMNS]>, out: &mut Vec<f32>) {
    match columns {
        Some(columns) => out.extend(columns.iter().map(|&value| value as f32)),
        None => out.extend([f32::NAN; COLUMNS]),
    }
}

/// Columns of all rows of `market`, row-major `[row, column]`, in single precision; NaN where a row has none.
pub(crate) fn columns_of(market: &Market) -> Vec<f32> {
    let series = market.series();
    let mut state = HarXState::new(series.key().interval);
    let mut out = Vec::with_capacity(series.len() * COLUMNS);
    for segment in series.segment_ranges() {
        state.begin_segment();
        for row in segment.clone() {
            push_columns(state.step(&HarXRow::of(market, row)).as_ref(), &mut out);
        }
    }
    out
}

/// True where a row has columns.
pub(super) fn are_known(columns: &[f32]) -> bool {
    columns[LEVEL].is_finite()
}

/// `lvl' = lvl - ln 24 + ln h`: the logarithm of the variance of `horizon` candles that is usual at a row with these
/// columns. Targets are relative to it.
pub(super) fn base_of(columns: &[f32], horizon: usize) -> f64 {
    f64::from(columns[LEVEL]) - (DAY as f64).ln() + (horizon as f64).ln()
}

/// Place of a step among ascending anchors: between two of them, linear in the logarithm of the step; at the nearest
/// one beyond both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Between {
    lower: usize,
    upper: usize,
    /// Weight of the upper one, from 0 to below 1.
    weight: f64,
}

impl Between {
    /// The place of `step` (at least 1) among `anchors`, which are not empty.
    pub(super) fn of(anchors: &[usize], step: usize) -> Self {
        let above = anchors.partition_point(|&anchor| anchor <= step);
        let (lower, upper) = (above.saturating_sub(1), above.min(anchors.len() - 1));
        let logs = |a: usize, b: usize| (b as f64 / a as f64).ln();
        let weight =
            if lower == upper { 0.0 } else { logs(anchors[lower], step) / logs(anchors[lower], anchors[upper]) };
        Self { lower, upper, weight }
    }

    /// The value there of what is known at the anchors.
    pub(super) fn value(self, at_anchors: &[f64]) -> f64 {
        let lower = at_anchors[self.lower];
        lower + self.weight * (at_anchors[self.upper] - lower)
    }

    /// The season of the horizon that has this place among [`ANCHORS`], at a row with these columns.
    pub(super) fn season(self, columns: &[f32]) -> f64 {
        let (lower, upper) = (f64::from(columns[SHARED + self.lower]), f64::from(columns[SHARED + self.upper]));
        lower + self.weight * (upper - lower)
    }
}

/// Regressors of the horizon that has the place `season` among [`ANCHORS`], at a row with these columns.
pub(super) fn regressors(columns: &[f32], season: Between) -> [f64; REGRESSORS] {
    array::from_fn(|k| if k < SHARED { f64::from(columns[k]) } else { season.season(columns) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_31_regressors() {
        assert_eq!((SHARED, REGRESSORS, COLUMNS), (30, 31, 40));
        assert!(ANCHORS.is_sorted() && LAGS.iter().all(|&span| span <= WARM_UP));
    }

    #[test]
    fn steps_lie_between_anchors_by_their_logarithm() {
        let anchors = [1, 4, 24];
        let logs = anchors.map(|a: usize| (a as f64).ln());
        for step in 1..=24 {
            let found = Between::of(&anchors, step).value(&logs);
            assert!((found - (step as f64).ln()).abs() < 1e-12, "{step}");
        }
        assert_eq!(
            [1, 4, 24, 30].map(|step| Between::of(&anchors, step).value(&[1.0, 2.0, 3.0])),
            [1.0, 2.0, 3.0, 3.0]
        );
        assert_eq!(Between::of(&[1], 1), Between { lower: 0, upper: 0, weight: 0.0 });
    }

    #[test]
    fn a_standstill_without_volume_has_finite_columns() {
        let mut state = HarXState::new(Interval::H1);
        let row = |i: i64| HarXRow {
            open_time: i * 3_600_000,
            high: 5.0,
            low: 5.0,
            log_close: 5.0_f64.ln(),
            volume: 0.0,
            filled: false,
        };
        for i in 0..2_000 {
            let columns = state.step(&row(i));
            assert_eq!(columns.is_some(), i >= 719, "{i}");
            assert!(columns.is_none_or(|columns| columns.iter().all(|v| v.is_finite())), "{i}");
        }
        // A price that leaves all bounds is as far as it goes.
        let wild = HarXRow { high: 1e300, low: 1e-300, volume: f64::MAX, log_close: 690.0, ..row(2_000) };
        let columns = state.step(&wild).unwrap();
        assert!(columns.iter().all(|v| v.is_finite()), "{columns:?}");
        let again: Vec<_> = (2_001..2_800).filter_map(|i| state.step(&row(i))).collect();
        assert!(again.iter().flatten().all(|v| v.is_finite()));
    }

    /// Hourly candles of a range of 1 %, of noon twice as much.
    fn noons(i: i64) -> HarXRow {
        let size: f64 = if i % 24 == 12 { 0.01 } else { 0.005 };
        HarXRow {
            open_time: i * 3_600_000,
            high: size.exp(),
            low: (-size).exp(),
            log_close: 0.0,
            volume: 1.0,
            filled: false,
        }
    }

    fn feed(state: &mut HarXState, hours: std::ops::Range<i64>) {
        for i in hours {
            state.step(&noons(i));
        }
    }

    #[test]
    fn the_season_outlasts_a_gap_and_all_else_begins_anew() {
        let mut state = HarXState::new(Interval::H1);
        let newest = (0..1_512).filter_map(|i| state.step(&noons(i))).last().unwrap();
        let noon = 1_524 * 3_600_000;
        let factor = state.season.factor(noon);
        assert!(factor > 2.0 * state.season.factor(noon + 3_600_000), "{factor}");
        state.begin_segment();
        assert_eq!(state.season.factor(noon), factor);
        // 2,000 hours are missing; the second segment begins at an hour of another day.
        let mut again = (3_512..4_500).map(|i| state.step(&noons(i)));
        assert_eq!(again.by_ref().take(719).flatten().count(), 0);
        let columns: Vec<[f64; COLUMNS]> = again.flatten().collect();
        assert_eq!(columns.len(), 988 - 719);
        assert!((columns[0][LEVEL] - newest[LEVEL]).abs() < 0.01);
        // Its first 168 candles have nothing to be compared with, so they taught nothing; the season stood still.
        let mut short = HarXState::new(Interval::H1);
        feed(&mut short, 0..1_512);
        short.begin_segment();
        feed(&mut short, 3_512..3_680);
        assert_eq!(short.season.factor(noon), factor);
        feed(&mut short, 3_680..3_681);
        assert_eq!(short.season.factor(noon), factor, "that was another hour");
        feed(&mut short, 3_681..3_705);
        assert_ne!(short.season.factor(noon), factor);
    }

    #[test]
    fn filled_candles_teach_no_season() {
        let mut state = HarXState::new(Interval::H1);
        feed(&mut state, 0..1_512);
        let before = state.season.clone();
        let flat = |i: i64| HarXRow { high: 1.0, low: 1.0, volume: 0.0, filled: true, ..noons(i) };
        let columns = (1_512..1_515).filter_map(|i| state.step(&flat(i))).last().unwrap();
        assert!((0..168).all(|hour| state.season.factor(hour * 3_600_000) == before.factor(hour * 3_600_000)));
        assert!(columns.iter().all(|value| value.is_finite()));
        state.step(&HarXRow { filled: false, ..flat(1_515) });
        let hour = 1_515 * 3_600_000;
        assert!(state.season.factor(hour) < before.factor(hour), "a real candle that does not move teaches");
    }
}

//! [`audit()`]: every value is computed again without the future and with a false one; none may change.

use std::ops::Range;

use candlecast_core::{Columns, FeatureSet, FilledSeries, Seed, Segment, Stream};
use rayon::prelude::*;

use crate::error::FeatureError;
use crate::indicator::Indicator;
use crate::resolve::resolve;

/// How thoroughly to audit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AuditConfig {
    /// Random cut points a segment, besides those around the warm-up.
    pub cuts: usize,
    /// Segments audited, longest first.
    pub segments: usize,
    /// Relative difference up to which values are the same.
    pub tolerance: f64,
    /// Root of the cut points and of the false futures.
    pub seed: Seed,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { cuts: 12, segments: 3, tolerance: 1e-12, seed: Seed::default() }
    }
}

/// Which check a value failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leak {
    /// It changes when the candles after the cut are taken away.
    Truncated,
    /// It changes when the candles after the cut are exchanged for others.
    Scrambled,
}

/// An output that depends on the future: the first value found to change.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Id of the output.
    pub output: String,
    /// Check that it failed.
    pub leak: Leak,
    /// Row of the series whose value changed.
    pub row: usize,
    /// Last row of the series that was left as it is.
    pub cut: usize,
    /// Value over the whole series.
    pub whole: f64,
    /// Value without the true future.
    pub without: f64,
}

/// Audits the features of `set` over `series`. Nothing found means that no value at or before any cut point answers
/// to the candles after it; short series have little power, a few thousand candles are right.
pub fn audit(set: &FeatureSet, series: &FilledSeries, config: &AuditConfig) -> Result<Vec<Finding>, FeatureError> {
    let selected = resolve(set)?;
    let mut built: Vec<Box<dyn Indicator>> = Vec::new();
    let mut keys: Vec<(usize, Vec<u32>)> = Vec::new();
    for output in &selected {
        let key = (output.spec, output.params.clone());
        if !keys.contains(&key) {
            built.push(output.spec().build(&output.params)?);
            keys.push(key);
        }
    }
    let indicators: Vec<&dyn Indicator> = built.iter().map(|b| &**b).collect();
    let ids: Vec<String> = selected.iter().map(crate::resolve::Selected::id).collect();
    let mut findings = audit_indicators(&indicators, series, config);
    findings.retain(|f| ids.contains(&f.output));
    Ok(findings)
}

/// Audits any indicators over `series`: at most one finding an output and check, in the order of `indicators`.
pub fn audit_indicators(indicators: &[&dyn Indicator], series: &FilledSeries, config: &AuditConfig) -> Vec<Finding> {
    let mut longest: Vec<Range<usize>> = series.segment_ranges().to_vec();
    longest.sort_by_key(|r| (std::cmp::Reverse(r.len()), r.start));
    longest.truncate(config.segments);
    indicators
        .par_iter()
        .enumerate()
        .flat_map_iter(|(k, indicator)| {
            let probes: Vec<Probe> = longest
                .iter()
                .enumerate()
                .flat_map(|(s, range)| {
                    let rng = config.seed.derive("feature-audit", (k * longest.len() + s) as u64).stream();
                    probes(range, indicator.warmup(), config.cuts, rng)
                })
                .collect();
            examine(*indicator, series, &probes, config.tolerance)
        })
        .collect()
}

/// A segment, and the last of its rows that stays as it is.
struct Probe {
    range: Range<usize>,
    cut: usize,
    future: Seed,
}

/// Cut points around the warm-up, where values begin, and at random.
fn probes(range: &Range<usize>, warmup: usize, cuts: usize, mut rng: Stream) -> Vec<Probe> {
    let n = range.len();
    let mut at = vec![0, warmup / 2, warmup.saturating_sub(1), warmup, warmup + 1, n.saturating_sub(2)];
    at.extend((0..cuts).map(|_| rng.below(n)));
    at.retain(|&cut| cut + 1 < n);
    at.sort_unstable();
    at.dedup();
    at.into_iter().map(|cut| Probe { range: range.clone(), cut, future: Seed(rng.next_u64()) }).collect()
}

fn examine(indicator: &dyn Indicator, series: &FilledSeries, probes: &[Probe], tolerance: f64) -> Vec<Finding> {
    let ids = indicator.outputs();
    let mut findings: Vec<Finding> = Vec::new();
    let mut whole: (Range<usize>, Vec<Vec<f64>>) = (0..0, Vec::new());
    for probe in probes {
        let segment = series.segment(probe.range.clone());
        if whole.0 != probe.range {
            whole = (probe.range.clone(), values(indicator, &segment));
        }
        let truncated = values(indicator, &segment.prefix(probe.cut + 1));
        let false_future = scrambled(&segment, probe.cut, probe.future.stream());
        let scrambled = values(indicator, &view(&segment, &false_future));
        for (leak, without) in [(Leak::Truncated, truncated), (Leak::Scrambled, scrambled)] {
            for (output, id) in ids.iter().enumerate() {
                if findings.iter().any(|f| f.output == *id && f.leak == leak) {
                    continue;
                }
                let (a, b) = (&whole.1[output][..=probe.cut], &without[output][..=probe.cut]);
                let Some(row) = (0..a.len()).find(|&i| differ(a[i], b[i], tolerance)) else { continue };
                let start = probe.range.start;
                findings.push(Finding {
                    output: id.clone(),
                    leak,
                    row: start + row,
                    cut: start + probe.cut,
                    whole: a[row],
                    without: b[row],
                });
            }
        }
    }
    findings
}

fn values(indicator: &dyn Indicator, segment: &Segment<'_>) -> Vec<Vec<f64>> {
    let mut columns = vec![vec![f64::NAN; segment.len()]; indicator.outputs().len()];
    let mut slices: Vec<&mut [f64]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
    indicator.compute(segment, &mut slices);
    columns
}

fn differ(a: f64, b: f64, tolerance: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() != b.is_nan();
    }
    a != b && (a - b).abs() > tolerance * a.abs().max(b.abs())
}

/// The candles of `segment` with those after `cut` shuffled, and scaled each by a factor of its own.
fn scrambled(segment: &Segment<'_>, cut: usize, mut rng: Stream) -> Columns {
    let mut source: Vec<usize> = (0..segment.len()).collect();
    rng.shuffle(&mut source[cut + 1..]);
    let (mut price, mut amount) = (vec![1.0; source.len()], vec![1.0; source.len()]);
    for row in cut + 1..source.len() {
        price[row] = (0.3 * rng.normal()).exp();
        amount[row] = rng.normal().exp();
    }
    let taken = |column: &[f64], factor: &[f64]| -> Vec<f64> {
        source.iter().zip(factor).map(|(&from, f)| column[from] * f).collect()
    };
    Columns {
        open_time: segment.open_time.to_vec(),
        open: taken(segment.open, &price),
        high: taken(segment.high, &price),
        low: taken(segment.low, &price),
        close: taken(segment.close, &price),
        volume: taken(segment.volume, &amount),
        quote_volume: segment.quote_volume.map(|v| taken(v, &amount)),
        trades: segment.trades.map(|v| taken(v, &amount)),
        taker_buy_base: segment.taker_buy_base.map(|v| taken(v, &amount)),
    }
}

/// `columns` in the place of the candles of `segment`.
fn view<'a>(segment: &Segment<'a>, columns: &'a Columns) -> Segment<'a> {
    Segment {
        interval: segment.interval,
        first_row: segment.first_row,
        open_time: &columns.open_time,
        open: &columns.open,
        high: &columns.high,
        low: &columns.low,
        close: &columns.close,
        volume: &columns.volume,
        quote_volume: columns.quote_volume.as_deref(),
        trades: columns.trades.as_deref(),
        taker_buy_base: columns.taker_buy_base.as_deref(),
        filled: segment.filled,
    }
}

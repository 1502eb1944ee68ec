//! [`Engine`]: a feature set over a series, and [`EngineStream`]: the same set candle by candle.

use std::fmt;

use candlecast_core::{FeatureSet, FeatureTable, FilledSeries, Segment};
use rayon::prelude::*;

use crate::error::FeatureError;
use crate::indicator::{Indicator, IndicatorStream, MAX_OUTPUTS, Memory, Observation};
use crate::resolve::{Selected, resolve};

/// Computes one feature set.
pub struct Engine {
    selected: Vec<Selected>,
    names: Vec<String>,
    parts: Vec<Part>,
}

/// One indicator, and the column of each of its outputs that the set names.
struct Part {
    indicator: Box<dyn Indicator>,
    columns: Vec<Option<usize>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("outputs", &self.names).finish_non_exhaustive()
    }
}

impl Engine {
    /// Resolves the names in `set`: output and feature ids with parameters (`rsi_7`), without (`rsi`, the first
    /// listed ones), aliases, `default`, `reversal`, `ohlcv`, `group:trend`. Unknown names bring the nearest known ones.
    pub fn new(set: &FeatureSet) -> Result<Self, FeatureError> {
        let selected = resolve(set)?;
        let names = selected.iter().map(Selected::id).collect();
        let parts = parts(&selected)?;
        Ok(Self { selected, names, parts })
    }

    /// Ids of the columns.
    pub fn outputs(&self) -> &[String] {
        &self.names
    }

    /// The set with aliases and groups spelled out: what to save with a model.
    pub fn expanded(&self) -> FeatureSet {
        FeatureSet(self.names.clone())
    }

    /// Version of each output's definition, in the order of the columns.
    pub fn versions(&self) -> Vec<(String, u32)> {
        self.selected.iter().map(|s| (s.id(), s.spec().version)).collect()
    }

    /// Leading candles of a segment in which at least one column has no value.
    pub fn warmup(&self) -> usize {
        self.parts.iter().map(|p| p.indicator.warmup()).max().unwrap_or(0)
    }

    /// The longest memory of the set.
    pub fn memory(&self) -> Memory {
        self.parts.iter().map(|p| p.indicator.memory()).fold(Memory::Finite(0), Memory::max)
    }

    /// Every column over every row of `series`; each segment on its own. Indicators run in parallel, each writes
    /// its own columns: the values are the same bits at any number of threads.
    pub fn compute(&self, series: &FilledSeries) -> FeatureTable {
        let computed: Vec<Vec<Vec<f64>>> = self.parts.par_iter().map(|p| over_series(&*p.indicator, series)).collect();
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); self.names.len()];
        for (part, values) in self.parts.iter().zip(computed) {
            for (column, values) in part.columns.iter().zip(values) {
                if let Some(column) = column {
                    columns[*column] = values;
                }
            }
        }
        FeatureTable { names: self.names.clone(), columns }
    }

    /// The stream after the last candle of `history`. Its values are those of [`Engine::compute`] when `history`
    /// starts where its segment does, and agree with them to 1e-9 of their scale when it holds at least
    /// [`Engine::memory`] and [`Engine::warmup`] candles.
    pub fn open(&self, history: &Segment<'_>) -> EngineStream {
        let parts = self.parts.iter().map(|p| (p.indicator.open(history), p.columns.clone())).collect();
        EngineStream { width: self.names.len(), parts }
    }
}

/// One part for each feature with its parameters, in the order of their first mention.
fn parts(selected: &[Selected]) -> Result<Vec<Part>, FeatureError> {
    let mut keys: Vec<(usize, &[u32])> = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    for (column, output) in selected.iter().enumerate() {
        let key = (output.spec, output.params.as_slice());
        let place = if let Some(place) = keys.iter().position(|k| *k == key) {
            place
        } else {
            let indicator = output.spec().build(&output.params)?;
            parts.push(Part { indicator, columns: vec![None; output.spec().outputs.len()] });
            keys.push(key);
            keys.len() - 1
        };
        parts[place].columns[output.output] = Some(column);
    }
    Ok(parts)
}

/// All outputs of `indicator` over all rows, `[output][row]`.
pub(crate) fn over_series(indicator: &dyn Indicator, series: &FilledSeries) -> Vec<Vec<f64>> {
    // An indicator writes every row of a segment; what lies in none has no value.
    let mut columns: Vec<Vec<f64>> = indicator.outputs().iter().map(|_| vec![0.0; series.len()]).collect();
    let mut covered = 0;
    for (range, segment) in series.segment_ranges().iter().zip(series.segments()) {
        columns.iter_mut().for_each(|c| c[covered..range.start].fill(f64::NAN));
        covered = range.end;
        let mut slices: Vec<&mut [f64]> = columns.iter_mut().map(|c| &mut c[range.clone()]).collect();
        indicator.compute(&segment, &mut slices);
    }
    columns.iter_mut().for_each(|c| c[covered..].fill(f64::NAN));
    columns
}

/// A feature set in live use.
pub struct EngineStream {
    width: usize,
    parts: Vec<(Box<dyn IndicatorStream>, Vec<Option<usize>>)>,
}

impl fmt::Debug for EngineStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineStream").field("width", &self.width).finish_non_exhaustive()
    }
}

impl EngineStream {
    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Takes a closed candle; its values, `[column]`.
    pub fn update(&mut self, observation: &Observation) -> Vec<f64> {
        let mut row = vec![f64::NAN; self.width];
        for (stream, columns) in &mut self.parts {
            let mut values = [f64::NAN; MAX_OUTPUTS];
            stream.update(observation, &mut values[..columns.len()]);
            place(&values, columns, &mut row);
        }
        row
    }

    /// The values that [`EngineStream::update`] would give for a candle that is still forming; changes nothing.
    pub fn peek(&self, observation: &Observation) -> Vec<f64> {
        let mut row = vec![f64::NAN; self.width];
        for (stream, columns) in &self.parts {
            let mut values = [f64::NAN; MAX_OUTPUTS];
            stream.peek(observation, &mut values[..columns.len()]);
            place(&values, columns, &mut row);
        }
        row
    }
}

fn place(values: &[f64], columns: &[Option<usize>], row: &mut [f64]) {
    for (value, column) in values.iter().zip(columns) {
        if let Some(column) = column {
            row[*column] = *value;
        }
    }
}

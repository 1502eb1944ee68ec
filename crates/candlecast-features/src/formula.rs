//! [`Formula`]: a feature of our own, written once as a state machine; batch and stream both drive it.

use std::fmt;

use candlecast_core::{Interval, Segment};

use crate::indicator::{Indicator, IndicatorStream, Memory, Observation, columns_of, finite, for_each_candle};

/// A state machine from candles to `N` values. The state before the first candle is the built value itself.
pub(crate) trait Formula<const N: usize>: fmt::Debug + Clone + Send + Sync + 'static {
    /// Learns the candle length before the first candle; most formulas do not need it.
    fn begin(&mut self, _interval: Interval) {}

    /// Takes the next candle; NaN while there is too little history.
    fn step(&mut self, o: &Observation) -> [f64; N];
}

/// Makes an indicator of `formula`; `outputs` are its `N` ids.
pub(crate) fn own<F: Formula<N>, const N: usize>(
    outputs: Vec<String>,
    warmup: usize,
    memory: Memory,
    formula: F,
) -> Box<dyn Indicator> {
    debug_assert_eq!(outputs.len(), N, "one id an output");
    Box::new(Own { outputs, warmup, memory, formula })
}

#[derive(Debug, Clone)]
struct Own<F, const N: usize> {
    outputs: Vec<String>,
    warmup: usize,
    memory: Memory,
    formula: F,
}

impl<F: Formula<N>, const N: usize> Own<F, N> {
    fn begin(&self, interval: Interval) -> F {
        let mut state = self.formula.clone();
        state.begin(interval);
        state
    }
}

impl<F: Formula<N>, const N: usize> Indicator for Own<F, N> {
    fn outputs(&self) -> Vec<String> {
        self.outputs.clone()
    }

    fn warmup(&self) -> usize {
        self.warmup
    }

    fn memory(&self) -> Memory {
        self.memory
    }

    fn compute(&self, segment: &Segment<'_>, out: &mut [&mut [f64]]) {
        let mut state = self.begin(segment.interval);
        let mut columns: [&mut [f64]; N] = columns_of(out, segment.len());
        for_each_candle(segment, |row, candle| {
            let values = state.step(candle);
            for (column, value) in columns.iter_mut().zip(values) {
                column[row] = finite(value);
            }
        });
    }

    fn open(&self, history: &Segment<'_>) -> Box<dyn IndicatorStream> {
        let mut state = self.begin(history.interval);
        for row in 0..history.len() {
            state.step(&Observation::of(history, row));
        }
        Box::new(Running { state })
    }
}

#[derive(Debug)]
struct Running<F, const N: usize> {
    state: F,
}

impl<F: Formula<N>, const N: usize> IndicatorStream for Running<F, N> {
    fn update(&mut self, observation: &Observation, out: &mut [f64]) {
        write(self.state.step(observation), out);
    }

    fn peek(&self, observation: &Observation, out: &mut [f64]) {
        write(self.state.clone().step(observation), out);
    }
}

fn write<const N: usize>(values: [f64; N], out: &mut [f64]) {
    for (slot, value) in out.iter_mut().zip(values) {
        *slot = finite(value);
    }
}

//! [`ta`]: a TA-Lib function as an [`Indicator`]; batch by TA-Lib's batch form, stream by its stream form.

use candlecast_core::{Columns, Interval, Segment};
use ta_lib::Core;

use super::scratch;
use super::{Finish, Function, Guard};
use crate::error::FeatureError;
use crate::indicator::{Indicator, IndicatorStream, Memory, Observation, columns_of, finite, for_each_candle};

/// How fast a function forgets, from which its [`Memory`] follows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Decay {
    /// At once: a window as long as the warm-up plus one.
    Window,
    /// Exponential averages of a period, `k = 2 / (period + 1)`, so many over one another.
    Ema(u32, usize),
    /// Wilder's averages of a period, `k = 1 / period`, so many over one another.
    Wilder(u32, usize),
    /// This share of the last value is kept, in so many averages over one another.
    Kept(f64, usize),
    /// Never.
    Never,
}

impl Decay {
    fn memory(self, lookback: usize) -> Memory {
        match self {
            Self::Window => Memory::Finite(lookback + 1),
            Self::Ema(period, passes) => {
                let n = f64::from(period);
                Memory::decaying((n - 1.0) / (n + 1.0), passes, lookback)
            }
            Self::Wilder(period, passes) => {
                let n = f64::from(period);
                Memory::decaying((n - 1.0) / n, passes, lookback)
            }
            Self::Kept(share, passes) => Memory::decaying(share, passes, lookback),
            Self::Never => Memory::Unbounded,
        }
    }
}

/// Makes an indicator of `function`: NaN where `guard` says so, its other values as `finish` makes of them.
pub(crate) fn ta<F, G, P, const N: usize, const M: usize>(
    outputs: Vec<String>,
    function: F,
    guard: G,
    finish: P,
    decay: Decay,
) -> Result<Box<dyn Indicator>, FeatureError>
where
    F: Function<N>,
    G: Guard,
    P: Finish<N, M>,
{
    debug_assert_eq!(outputs.len(), M, "one id an output");
    let core = Core::new();
    let lookback = function.lookback(&core).map_err(|code| FeatureError::Parameters {
        id: outputs.first().cloned().unwrap_or_default(),
        message: format!("TA-Lib refuses the parameters: {code}"),
    })?;
    let warmup = lookback.max(finish.lookback());
    let memory = decay.memory(warmup);
    Ok(Box::new(Ta::<F, G, P, N, M> {
        outputs,
        lookback,
        warmup,
        memory,
        live: Live { core, function, guard, finish },
    }))
}

/// The parts that a stream takes along.
#[derive(Debug, Clone)]
struct Live<F, G, P> {
    core: Core,
    function: F,
    guard: G,
    finish: P,
}

#[derive(Debug, Clone)]
struct Ta<F, G, P, const N: usize, const M: usize> {
    outputs: Vec<String>,
    lookback: usize,
    warmup: usize,
    memory: Memory,
    live: Live<F, G, P>,
}

impl<F, G, P> Live<F, G, P> {
    /// TA-Lib's values at one candle as the feature's.
    #[inline]
    fn finished<const N: usize, const M: usize>(&mut self, o: &Observation, raw: [f64; N]) -> [f64; M]
    where
        G: Guard,
        P: Finish<N, M>,
    {
        let defined = self.guard.defined(o);
        let values = self.finish.step(o, raw);
        if defined { values.map(finite) } else { [f64::NAN; M] }
    }
}

impl<F, G, P, const N: usize, const M: usize> Indicator for Ta<F, G, P, N, M>
where
    F: Function<N>,
    G: Guard,
    P: Finish<N, M>,
{
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
        let n = segment.len();
        if n == 0 {
            return;
        }
        if N == M && self.raw_in_place(segment, columns_of(out, n)) {
            self.finish_in_place(segment, out);
            return;
        }
        let mut raw: [Vec<f64>; N] = scratch::take(n);
        let slices = raw.each_mut().map(Vec::as_mut_slice);
        // An error leaves no values, which is what the whole column then says.
        let (first, count) = match self.live.function.batch(&self.live.core, segment, slices) {
            Ok(range) => (range.beg_idx, range.count),
            Err(_) => (n, 0),
        };
        let mut live = self.live.clone();
        let values = raw.each_ref().map(|column| &column[..count]);
        let mut columns: [&mut [f64]; M] = columns_of(out, n);
        for_each_candle(segment, |row, candle| {
            // Before the first value the difference wraps to a number beyond the count.
            let k = row.wrapping_sub(first);
            let raw = values.map(|column| column.get(k).copied().unwrap_or(f64::NAN));
            let finished: [f64; M] = live.finished(candle, raw);
            for (column, value) in columns.iter_mut().zip(finished) {
                column[row] = value;
            }
        });
        scratch::give_back(raw);
    }

    fn open(&self, history: &Segment<'_>) -> Box<dyn IndicatorStream> {
        let mut live = self.live.clone();
        for row in 0..history.len() {
            let _: [f64; M] = live.finished(&Observation::of(history, row), [f64::NAN; N]);
        }
        let state = match open_with_values(&live, self.lookback, history) {
            Some((stream, _)) => State::Open(stream),
            None => State::Waiting(Buffer::of(history)),
        };
        Box::new(TaStream::<F, G, P, N, M> { live, lookback: self.lookback, state })
    }
}

impl<F, G, P, const N: usize, const M: usize> Ta<F, G, P, N, M>
where
    F: Function<N>,
    G: Guard,
    P: Finish<N, M>,
{
    /// TA-Lib writes into the columns themselves, behind the warm-up. False if its values do not begin there.
    fn raw_in_place(&self, segment: &Segment<'_>, columns: [&mut [f64]; N]) -> bool {
        let n = segment.len();
        let lookback = self.lookback.min(n);
        let mut values = columns.map(|column| {
            let (warmup, values) = column.split_at_mut(lookback);
            warmup.fill(f64::NAN);
            values
        });
        if lookback == n {
            return true;
        }
        let slices = values.each_mut().map(|column| &mut **column);
        let whole = self.live.function.batch(&self.live.core, segment, slices);
        whole.is_ok_and(|range| range.beg_idx == lookback && range.count == n - lookback)
    }

    /// Makes the feature's values of TA-Lib's in the same columns, of which there are as many.
    fn finish_in_place(&self, segment: &Segment<'_>, columns: &mut [&mut [f64]]) {
        let n = segment.len();
        let mut live = self.live.clone();
        let mut columns: [&mut [f64]; M] = columns_of(columns, n);
        for start in (0..n).step_by(BLOCK) {
            let rows = start..n.min(start + BLOCK);
            let block = segment.rows(rows.clone());
            let mut values = columns.each_mut().map(|column| &mut column[rows.clone()]);
            if P::AS_IS && live.guard.pass(&block) {
                values.iter_mut().for_each(|column| without_infinities(column));
                continue;
            }
            for_each_candle(&block, |row, candle| {
                let raw = std::array::from_fn(|output| values[output][row]);
                let finished: [f64; M] = live.finished(candle, raw);
                for (column, value) in values.iter_mut().zip(finished) {
                    column[row] = value;
                }
            });
        }
    }
}

/// Rows that are finished at a time.
const BLOCK: usize = 512;

/// Infinite values become NaN. Reading costs half of reading and writing, and there is hardly ever one.
fn without_infinities(values: &mut [f64]) {
    if values.iter().fold(false, |any, v| any | v.is_infinite()) {
        values.iter_mut().for_each(|v| *v = finite(*v));
    }
}

/// A stream after `history`, if that is long enough for one.
fn open_with_values<F: Function<N>, G, P, const N: usize>(
    live: &Live<F, G, P>,
    lookback: usize,
    history: &Segment<'_>,
) -> Option<(F::Stream, [f64; N])> {
    if history.len() <= lookback {
        return None;
    }
    live.function.open(&live.core, history).ok()
}

/// Candles collected until TA-Lib can open a stream on them.
#[derive(Debug, Clone)]
struct Buffer {
    interval: Interval,
    columns: Columns,
    filled: Vec<bool>,
}

impl Buffer {
    fn of(history: &Segment<'_>) -> Self {
        let mut buffer = Self { interval: history.interval, columns: Columns::default(), filled: Vec::new() };
        for row in 0..history.len() {
            buffer.push(&Observation::of(history, row));
        }
        buffer
    }

    fn push(&mut self, o: &Observation) {
        self.columns.push(&o.candle);
        self.filled.push(o.filled);
    }

    fn segment(&self) -> Segment<'_> {
        let c = &self.columns;
        Segment {
            interval: self.interval,
            first_row: 0,
            open_time: &c.open_time,
            open: &c.open,
            high: &c.high,
            low: &c.low,
            close: &c.close,
            volume: &c.volume,
            quote_volume: c.quote_volume.as_deref(),
            trades: c.trades.as_deref(),
            taker_buy_base: c.taker_buy_base.as_deref(),
            filled: &self.filled,
        }
    }
}

#[allow(clippy::large_enum_variant, reason = "an open stream is the usual state and is as large")]
enum State<S> {
    Waiting(Buffer),
    Open(S),
}

struct TaStream<F: Function<N>, G, P, const N: usize, const M: usize> {
    live: Live<F, G, P>,
    lookback: usize,
    state: State<F::Stream>,
}

impl<F, G, P, const N: usize, const M: usize> TaStream<F, G, P, N, M>
where
    F: Function<N>,
    G: Guard,
    P: Finish<N, M>,
{
    fn advance(&mut self, o: &Observation) -> [f64; N] {
        match &mut self.state {
            State::Open(stream) => F::update(stream, &o.candle).unwrap_or([f64::NAN; N]),
            State::Waiting(buffer) => {
                buffer.push(o);
                let Some((stream, values)) = open_with_values(&self.live, self.lookback, &buffer.segment()) else {
                    return [f64::NAN; N];
                };
                self.state = State::Open(stream);
                values
            }
        }
    }

    fn look(&self, o: &Observation) -> [f64; N] {
        match &self.state {
            State::Open(stream) => F::peek(stream, &o.candle).unwrap_or([f64::NAN; N]),
            State::Waiting(buffer) => {
                let mut longer = buffer.clone();
                longer.push(o);
                open_with_values(&self.live, self.lookback, &longer.segment()).map_or([f64::NAN; N], |(_, v)| v)
            }
        }
    }
}

impl<F, G, P, const N: usize, const M: usize> IndicatorStream for TaStream<F, G, P, N, M>
where
    F: Function<N>,
    G: Guard,
    P: Finish<N, M>,
{
    fn update(&mut self, observation: &Observation, out: &mut [f64]) {
        let raw = self.advance(observation);
        let values: [f64; M] = self.live.finished(observation, raw);
        out[..M].copy_from_slice(&values);
    }

    fn peek(&self, observation: &Observation, out: &mut [f64]) {
        let raw = self.look(observation);
        let values: [f64; M] = self.live.clone().finished(observation, raw);
        out[..M].copy_from_slice(&values);
    }
}

//! [`Function`]: what the adapter needs of a TA-Lib function, and the macro that declares one in a line.

use std::fmt;

use candlecast_core::{Candle, Segment};
use ta_lib::{Core, OutRange, RetCode};

/// A TA-Lib function with its parameters, `N` outputs.
pub(crate) trait Function<const N: usize>: fmt::Debug + Clone + Send + Sync + 'static {
    /// TA-Lib's stream handle.
    type Stream: Send + 'static;

    /// Leading candles without a value.
    fn lookback(&self, core: &Core) -> Result<usize, RetCode>;

    /// All values of `x`, which is not empty; `out[output]` is filled from its beginning.
    fn batch(&self, core: &Core, x: &Segment<'_>, out: [&mut [f64]; N]) -> Result<OutRange, RetCode>;

    /// A stream after the last candle of `x`, and the values at that candle.
    fn open(&self, core: &Core, x: &Segment<'_>) -> Result<(Self::Stream, [f64; N]), RetCode>;

    /// Values at the next candle.
    fn update(stream: &mut Self::Stream, c: &Candle) -> Result<[f64; N], RetCode>;

    /// Values at a forming candle; the stream stays as it is.
    fn peek(stream: &Self::Stream, c: &Candle) -> Result<[f64; N], RetCode>;
}

/// What a TA-Lib stream returns, as an array.
pub(crate) trait Values<const N: usize> {
    /// The outputs in TA-Lib's order.
    fn values(self) -> [f64; N];
}

impl Values<1> for f64 {
    fn values(self) -> [f64; 1] {
        [self]
    }
}

impl Values<2> for (f64, f64) {
    fn values(self) -> [f64; 2] {
        [self.0, self.1]
    }
}

impl Values<3> for (f64, f64, f64) {
    fn values(self) -> [f64; 3] {
        [self.0, self.1, self.2]
    }
}

impl Values<4> for (f64, f64, f64, f64) {
    fn values(self) -> [f64; 4] {
        [self.0, self.1, self.2, self.3]
    }
}

/// Declares a TA-Lib function: its parameters, its four names in `ta-lib`, its input columns and its outputs.
///
/// `ta_function!(Rsi { period: i32 } = rsi, rsi_lookback, rsi_open, RsiStream, (close) -> 1 (value));`
macro_rules! ta_function {
    ($name:ident { $($param:ident : $kind:ty),* } =
     $batch:ident, $lookback:ident, $open:ident, $stream:ident,
     ($($input:ident),+) -> $n:literal ($($output:ident),+)) => {
        #[derive(Debug, Clone, Copy)]
        struct $name {
            $($param: $kind),*
        }

        impl $crate::talib::Function<$n> for $name {
            type Stream = ta_lib::$stream;

            fn lookback(&self, core: &ta_lib::Core) -> Result<usize, ta_lib::RetCode> {
                core.$lookback($(self.$param),*)
            }

            fn batch(
                &self,
                core: &ta_lib::Core,
                x: &candlecast_core::Segment<'_>,
                out: [&mut [f64]; $n],
            ) -> Result<ta_lib::OutRange, ta_lib::RetCode> {
                let [$($output),+] = out;
                core.$batch(0, x.len() - 1, $(x.$input,)+ $(self.$param,)* $($output),+)
            }

            fn open(
                &self,
                core: &ta_lib::Core,
                x: &candlecast_core::Segment<'_>,
            ) -> Result<(Self::Stream, [f64; $n]), ta_lib::RetCode> {
                let (stream, last) = core.$open($(x.$input,)+ $(self.$param),*)?;
                Ok((stream, $crate::talib::Values::values(last)))
            }

            fn update(
                stream: &mut Self::Stream,
                c: &candlecast_core::Candle,
            ) -> Result<[f64; $n], ta_lib::RetCode> {
                Ok($crate::talib::Values::values(stream.update($(c.$input),+)?))
            }

            fn peek(
                stream: &Self::Stream,
                c: &candlecast_core::Candle,
            ) -> Result<[f64; $n], ta_lib::RetCode> {
                Ok($crate::talib::Values::values(stream.peek($(c.$input),+)?))
            }
        }
    };
}

pub(crate) use ta_function;

//! TA-Lib's functions (crate `ta-lib`) as indicators: one declaration a function, one adapter for all.

mod adapter;
mod finish;
mod function;
mod guard;
mod scratch;

pub(crate) use adapter::{Decay, ta};
pub(crate) use finish::{AsIs, CloseOver, Finish, OverClose, OverVolume};
pub(crate) use function::{Function, Values, ta_function};
pub(crate) use guard::{Always, Close, CloseMoved, Guard, HighLow, MoneyMoved, RangeMoved, Ranged, Traded, Typical};

//! What users are told of the errors of this crate.

impl From<crate::PlanError> for candlecast_core::Problem {
    fn from(e: crate::PlanError) -> Self {
        use crate::PlanError as P;
        match e {
            P::TooFewCandles { .. } => Self::new("too-few-candles", 422, candlecast_core::Blame::Data, e.to_string()),
            P::OutsideData { .. } => {
                Self::new("outside-data", 422, candlecast_core::Blame::Data, e.to_string()).with_field("from")
            }
            P::Contradiction(_) => Self::usage("bad-range", "from", e.to_string()),
        }
    }
}

impl From<crate::walk_forward::WalkForwardError> for candlecast_core::Problem {
    fn from(e: crate::walk_forward::WalkForwardError) -> Self {
        use crate::walk_forward::WalkForwardError as W;
        match e {
            W::Cancelled => Self::new(
                "cancelled",
                499,
                candlecast_core::Blame::Cancelled,
                "cancelled; what was finished is kept, and the same command goes on from there",
            ),
            W::Fit { .. } => Self::new("fit-failed", 422, candlecast_core::Blame::Data, e.to_string()),
            W::Pruned { .. } => Self::new("pruned", 409, candlecast_core::Blame::Cancelled, e.to_string()),
            W::NotFinite { .. } => Self::new("forecast-not-finite", 500, candlecast_core::Blame::Data, e.to_string()),
            W::NoOrigins { .. } => Self::new("too-few-candles", 422, candlecast_core::Blame::Data, e.to_string()),
        }
    }
}

impl From<crate::FitError> for candlecast_core::Problem {
    fn from(e: crate::FitError) -> Self {
        Self::new("fit-failed", 422, candlecast_core::Blame::Data, e.to_string())
    }
}

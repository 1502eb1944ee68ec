//! [`HoldOut`]: the end of the data that a search has not looked at, to be scored once.

use std::sync::Arc;

use candlecast_core::{ModelRequest, Problem, Seed, TimeRange, Timestamp};
use candlecast_learn::Market;
use candlecast_learn::walk_forward::Hooks;

use crate::evaluation::{Evaluation, PreparedEvaluation, whole_range};
use crate::method::Method;
use crate::options::PipelineOptions;

/// The end of a range that nothing is chosen on. It is no copy of anything and can be scored only once: whoever chooses
/// a second model after having seen the scores of the first has none left.
#[derive(Debug)]
pub struct HoldOut {
    market: Arc<Market>,
    range: TimeRange,
}

impl HoldOut {
    /// Splits the candles of `market` within `range` in two: the part that a search may see, and the hold-out with the
    /// last `share` (above 0, below 1) of the time.
    pub fn split(market: Arc<Market>, range: TimeRange, share: f64) -> Result<(TimeRange, Self), Problem> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Problem::usage(
                "bad-hold-out",
                "hold-out",
                format!("hold-out {share} is no share of the data: write a number above 0 and below 1, such as 0.2"),
            ));
        }
        let stored = whole_range(&market);
        let (from, to) = match stored {
            Some(stored) => (range.from.max(stored.from), range.to.min(stored.to)),
            None => (range.from, range.from),
        };
        if from >= to {
            return Err(Problem::data("too-few-candles", "there are no candles to hold out: choose another range"));
        }
        let step = market.series().key().interval.ms();
        let held = ((to.ms() - from.ms()) as f64 * share) as i64 / step * step;
        let border = Timestamp(to.ms() - held.max(step));
        Ok((TimeRange { from: range.from, to: border }, Self { market, range: TimeRange { from: border, to } }))
    }

    /// What is held out.
    pub fn range(&self) -> TimeRange {
        self.range
    }

    /// Walks the one model that was chosen forward over the hold-out, beside the baselines. Before each refit it learns
    /// from what lies before, as it would have at the time.
    pub fn score(
        self,
        chosen: &ModelRequest,
        options: &PipelineOptions,
        seed: Seed,
        hooks: &dyn Hooks,
    ) -> Result<Evaluation, Problem> {
        let method = Method::walk_forward(self.range);
        PreparedEvaluation::new(self.market, std::slice::from_ref(chosen), options, method, seed)?.run(hooks)
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::FilledSeries;
    use candlecast_core::market::random_walk;
    use candlecast_learn::walk_forward::NoHooks;
    use serde_json::json;

    use super::*;

    fn market() -> Arc<Market> {
        Arc::new(Market::new(FilledSeries::new(&random_walk(4_000, Seed(3), 0.4), 3)))
    }

    #[test]
    fn the_two_parts_meet_and_do_not_overlap() {
        let market = market();
        let (search, held) = HoldOut::split(Arc::clone(&market), TimeRange::ALL, 0.25).unwrap();
        let stored = whole_range(&market).unwrap();
        assert_eq!((search.to, held.range().to), (held.range().from, stored.to));
        assert_eq!(market.series().first_row_from(search.to), 3_000);
    }

    #[test]
    fn a_share_of_all_or_nothing_is_refused() {
        for share in [0.0, 1.0, -0.1, f64::NAN] {
            let refused = HoldOut::split(market(), TimeRange::ALL, share).unwrap_err();
            assert_eq!((refused.code, refused.field.as_deref()), ("bad-hold-out", Some("hold-out")));
        }
        let nothing = TimeRange { from: Timestamp(0), to: Timestamp(1) };
        assert_eq!(HoldOut::split(market(), nothing, 0.5).unwrap_err().code, "too-few-candles");
    }

    #[test]
    fn only_origins_that_were_held_out_are_scored() {
        let market = market();
        let (search, held) = HoldOut::split(Arc::clone(&market), TimeRange::ALL, 0.2).unwrap();
        let hybrid = ModelRequest { id: "hybrid".into(), params: json!({ "lookbackWindow": 6 }) };
        let scored = held.score(&hybrid, &PipelineOptions::new(3), Seed(1), &NoHooks).unwrap();
        let first = scored.scored.unwrap().from;
        assert!(first >= search.to, "{first} {}", search.to);
        assert!(scored.report.origins > 700 && scored.report.models.last().unwrap().name == "hybrid");
    }
}

//! Rolling accuracy of the log: by model and group of steps, the naive forecast beside it on the same targets.

use std::collections::BTreeMap;

use candlecast_core::{Problem, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_meta::{LoggedPrediction, MAX_PAGE, PageRequest, PredictionFilter, PredictionStatus, PredictionsOf};
use candlecast_pipeline::{Accuracy, Scored, accuracy};

const DAY_MS: i64 = 86_400_000;
/// Most predictions that are read: beyond, the newest of them are enough.
const MAX_PREDICTIONS: usize = 500_000;

/// How the validated predictions of `of` did over the `window_days` before the newest of them, or over all of the
/// log. Counted back from the newest target and not from now, so that it means the same on a log of the past.
pub async fn prediction_accuracy(
    host: &Host,
    of: PredictionsOf,
    window_days: Option<u32>,
) -> Result<Accuracy, Problem> {
    let store = host.metadata().await?;
    let mut filter = PredictionFilter { of, status: Some(PredictionStatus::Validated), target: TimeRange::ALL };
    let newest = store.predictions(&filter, PageRequest::first(1)).await?.items.pop();
    let Some(newest) = newest.map(|p| p.made.target_time) else {
        return Ok(Accuracy { range: None, cut: false, models: vec![] });
    };
    if let Some(days) = window_days {
        filter.target.from = newest.plus_ms(1 - i64::from(days) * DAY_MS);
    }
    let mut by_model: BTreeMap<(String, SeriesKey), Vec<Scored>> = BTreeMap::new();
    let (mut n, mut first) = (0, newest);
    let mut page = PageRequest::first(MAX_PAGE);
    let cut = loop {
        host.check_cancelled()?;
        let part = store.predictions(&filter, page).await?;
        n += part.items.len();
        first = part.items.last().map_or(first, |p| p.made.target_time);
        for prediction in part.items {
            let Some(scored) = scored(&prediction) else { continue };
            by_model.entry((prediction.made.model_id, prediction.made.series)).or_default().push(scored);
        }
        match part.next {
            Some(next) if n < MAX_PREDICTIONS => page.after = Some(next),
            next => break next.is_some(),
        }
    };
    let models = host.compute(move || Ok(accuracy(by_model))).await?;
    Ok(Accuracy { range: Some(TimeRange { from: first, to: newest.plus_ms(1) }), cut, models })
}

/// `None` where no outcome is known.
fn scored(p: &LoggedPrediction) -> Option<Scored> {
    Some(Scored {
        origin: p.made.origin.ms(),
        step: p.made.step,
        base: p.made.base_price,
        prediction: p.made.prediction,
        actual: p.actual?,
        interval: p.made.interval.map(|i| (i.lower, i.upper, i.level)),
    })
}

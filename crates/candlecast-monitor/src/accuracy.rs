//! Rolling accuracy of the log: of prices by model and group of steps, the naive forecast beside it on the same
//! targets; of other tasks by model.

use std::collections::BTreeMap;

use candlecast_core::{Problem, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_meta::{
    DIRECTION_TASK, LoggedPrediction, MAX_PAGE, PRICE_TASK, PageRequest, PredictionFilter, PredictionStatus,
    PredictionsOf, VOLATILITY_TASK,
};
use candlecast_pipeline::{Accuracy, Scored, ScoredClass, ScoredLog, ScoredVolatility, accuracy};

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
    task_accuracy(host, of, None, window_days).await
}

/// [`prediction_accuracy`] of the predictions of one task, where `task` names one.
pub async fn task_accuracy(
    host: &Host,
    of: PredictionsOf,
    task: Option<String>,
    window_days: Option<u32>,
) -> Result<Accuracy, Problem> {
    let store = host.metadata().await?;
    let mut filter = PredictionFilter { of, task, status: Some(PredictionStatus::Validated), target: TimeRange::ALL };
    let newest = store.predictions(&filter, PageRequest::first(1)).await?.items.pop();
    let Some(newest) = newest.map(|p| p.made.target_time) else {
        return Ok(Accuracy { range: None, cut: false, models: vec![] });
    };
    if let Some(days) = window_days {
        filter.target.from = newest.plus_ms(1 - i64::from(days) * DAY_MS);
    }
    let mut by_model: BTreeMap<(String, SeriesKey), ScoredLog> = BTreeMap::new();
    let (mut n, mut first) = (0, newest);
    let mut page = PageRequest::first(MAX_PAGE);
    let cut = loop {
        host.check_cancelled()?;
        let part = store.predictions(&filter, page).await?;
        n += part.items.len();
        first = part.items.last().map_or(first, |p| p.made.target_time);
        for prediction in part.items {
            let Some(scored) = scored(&prediction) else { continue };
            let log = by_model.entry((prediction.made.model_id, prediction.made.series)).or_default();
            match scored {
                AnyScored::Price(price) => log.price.push(price),
                AnyScored::Direction(class) => log.direction.push(class),
                AnyScored::Volatility(volatility) => log.volatility.push(volatility),
            }
        }
        match part.next {
            Some(next) if n < MAX_PREDICTIONS => page.after = Some(next),
            next => break next.is_some(),
        }
    };
    let models = host.compute(move || Ok(accuracy(by_model))).await?;
    Ok(Accuracy { range: Some(TimeRange { from: first, to: newest.plus_ms(1) }), cut, models })
}

/// A validated prediction of any task.
#[derive(Debug)]
enum AnyScored {
    Price(Scored),
    Direction(ScoredClass),
    Volatility(ScoredVolatility),
}

/// `None` where no outcome is known, or the task is not.
fn scored(p: &LoggedPrediction) -> Option<AnyScored> {
    let made = &p.made;
    let (origin, step, prediction, actual) = (made.origin.ms(), made.step, made.prediction, p.actual?);
    let interval = made.interval.map(|i| (i.lower, i.upper, i.level));
    match made.task.as_str() {
        PRICE_TASK => {
            let (base, direction) = (made.base_price, made.direction);
            Some(AnyScored::Price(Scored { origin, step, base, prediction, direction, actual, interval }))
        }
        DIRECTION_TASK => {
            let (class, actual) = (made.class()?, p.actual_class()?);
            Some(AnyScored::Direction(ScoredClass { origin, step, class, actual, confidence: made.confidence }))
        }
        VOLATILITY_TASK => Some(AnyScored::Volatility(ScoredVolatility { origin, step, prediction, actual, interval })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Action, Move};
    use candlecast_meta::{ClassBorders, NewPrediction, PredictionId};

    use super::*;
    use crate::made::{hour, made};

    fn validated(made: NewPrediction, actual: f64) -> LoggedPrediction {
        LoggedPrediction {
            id: PredictionId(1),
            made,
            status: PredictionStatus::Validated,
            actual: Some(actual),
            error: None,
            validated_at: Some(hour(9)),
        }
    }

    #[test]
    fn a_prediction_is_scored_by_its_task() {
        let price = scored(&validated(made(PRICE_TASK, 2, 101.0), 102.0)).unwrap();
        assert!(matches!(price, AnyScored::Price(s) if (s.base, s.prediction, s.actual) == (100.0, 101.0, 102.0)));
        assert!(matches!(price, AnyScored::Price(s) if (s.direction, s.is_hit()) == (None, Some(true))));
        let stays = NewPrediction { direction: Some(Move::Down), ..made(PRICE_TASK, 2, 100.0) };
        let stays = scored(&validated(stays, 102.0)).unwrap();
        assert!(matches!(stays, AnyScored::Price(s) if s.is_hit() == Some(false)), "it was said to fall");
        let class = NewPrediction {
            borders: Some(ClassBorders { sell_at: 99.0, buy_at: 101.0 }),
            confidence: Some(0.4),
            ..made(DIRECTION_TASK, 6, 1.0)
        };
        let Some(AnyScored::Direction(found)) = scored(&validated(class, 98.0)) else { panic!("it is a class") };
        assert_eq!((found.class, found.actual, found.confidence), (Action::Buy, Action::Sell, Some(0.4)));
        assert_eq!((found.origin, found.step), (hour(0).ms(), 6));
        let volatility = scored(&validated(made(VOLATILITY_TASK, 6, 0.02), 0.03)).unwrap();
        assert!(matches!(volatility, AnyScored::Volatility(s) if (s.prediction, s.actual) == (0.02, 0.03)));
        assert!(scored(&validated(made("regime", 6, 0.02), 0.03)).is_none());
        let open = LoggedPrediction { actual: None, ..validated(made(PRICE_TASK, 2, 101.0), 0.0) };
        assert!(scored(&open).is_none());
    }
}

//! Rolling accuracy of the log: of prices by model and group of steps, the naive forecast beside it on the same
//! targets; of other tasks by model.

use std::collections::BTreeMap;

use candlecast_core::{Blame, Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_host::Host;
use candlecast_meta::{
    DIRECTION_TASK, LoggedPrediction, MAX_PAGE, MetaError, MetadataStore, PRICE_TASK, PageRequest, PredictionDay,
    PredictionFilter, PredictionStatus, PredictionsOf, VOLATILITY_TASK,
};
use candlecast_pipeline::{Accuracy, LogSums, Scored, ScoredClass, ScoredLog, ScoredVolatility, accuracy};

const DAY_MS: i64 = 86_400_000;
/// Most predictions that are read: beyond, the newest of them are enough.
const MAX_PREDICTIONS: usize = 500_000;
/// Days of rolled up predictions that are read at once; each may hold some hundred kilobytes.
const DAYS_AT_ONCE: u32 = 50;
/// Most entries of origins of rolled up predictions that are read; some 200 MB.
const MAX_ENTRIES: usize = 2_000_000;
/// Times that the log is read while others roll it up. They do so for some seconds a day.
const MAX_READS: usize = 20;

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
    let filter = PredictionFilter { of, task, status: Some(PredictionStatus::Validated), target: TimeRange::ALL };
    let target = match window_days {
        None => TimeRange::ALL,
        Some(days) => {
            let newest = newest_target(host.metadata().await?.as_ref(), &filter).await?;
            let from = newest.map(|newest| newest.plus_ms(1 - i64::from(days) * DAY_MS));
            TimeRange { from: from.unwrap_or(TimeRange::ALL.from), ..TimeRange::ALL }
        }
    };
    range_accuracy(host, PredictionFilter { target, ..filter }).await
}

/// How the validated predictions that `wanted` names did; its status does not matter. Those that were rolled up count by
/// whole days (UTC) of their targets: a day that the range cuts is left out. So on a range between midnights they are
/// judged as they were before they were rolled up.
pub async fn range_accuracy(host: &Host, wanted: PredictionFilter) -> Result<Accuracy, Problem> {
    let store = host.metadata().await?;
    let Gathered { by_model, range, cut, rolled_up, corrected } =
        gather(store.as_ref(), wanted, &|| host.check_cancelled()).await?;
    let models = host.compute(move || Ok(accuracy(by_model))).await?;
    Ok(Accuracy { range, cut, rolled_up, corrected, models })
}

/// The newest target time of validated predictions, whether they were rolled up or not.
async fn newest_target(store: &dyn MetadataStore, filter: &PredictionFilter) -> Result<Option<Timestamp>, Problem> {
    let newest = store.predictions(filter, PageRequest::first(1)).await?.items.pop();
    let rolled_up = store.newest_rolled_up(&filter.of, filter.task.as_deref()).await?;
    Ok(newest.map(|p| p.made.target_time).max(rolled_up))
}

/// What the log knows of predictions that accuracy is asked of.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// The predictions.
    pub by_model: BTreeMap<(String, SeriesKey), ScoredLog>,
    /// From the first to behind the last target time; `None` without any.
    pub range: Option<TimeRange>,
    /// True where only the newest were read, since there are too many.
    pub cut: bool,
    /// How many were rolled up.
    pub rolled_up: u64,
    /// How many of these have their target in a day of which candles changed afterwards.
    pub corrected: u64,
}

/// Reads the validated predictions that `wanted` names, as [`range_accuracy`] takes them. `go_on` is asked before each
/// page; its error ends it. While others are rolled up it is read again: what goes over from one table to the other in
/// between would count twice.
pub async fn gather(
    store: &dyn MetadataStore,
    wanted: PredictionFilter,
    go_on: &(dyn Fn() -> Result<(), Problem> + Sync),
) -> Result<Gathered, Problem> {
    let filter = PredictionFilter { status: Some(PredictionStatus::Validated), ..wanted };
    for _ in 0..MAX_READS {
        let state = store.roll_up_state().await?;
        let found = gather_once(store, &filter, go_on).await?;
        if store.roll_up_state().await? == state {
            return Ok(found);
        }
    }
    let detail = "old predictions are being rolled up: ask again in a few seconds";
    Err(Problem::new("metadata-unreachable", 503, Blame::Data, detail))
}

async fn gather_once(
    store: &dyn MetadataStore,
    filter: &PredictionFilter,
    go_on: &(dyn Fn() -> Result<(), Problem> + Sync),
) -> Result<Gathered, Problem> {
    let mut found = Gathered::default();
    found.cut = gather_logged(store, filter, go_on, &mut found).await?;
    // What was rolled up is older than what was not, but for a few.
    if !found.cut {
        found.cut = gather_rolled_up(store, filter, go_on, &mut found).await?;
    }
    Ok(found)
}

/// Reads those that are there one by one; true where there are more.
async fn gather_logged(
    store: &dyn MetadataStore,
    filter: &PredictionFilter,
    go_on: &(dyn Fn() -> Result<(), Problem> + Sync),
    found: &mut Gathered,
) -> Result<bool, Problem> {
    let mut page = PageRequest::first(MAX_PAGE);
    let mut n = 0;
    loop {
        go_on()?;
        let part = store.predictions(filter, page).await?;
        n += part.items.len();
        for prediction in part.items {
            found.reach(prediction.made.target_time, prediction.made.target_time);
            let Some(scored) = scored(&prediction) else { continue };
            let log = found.by_model.entry((prediction.made.model_id, prediction.made.series)).or_default();
            match scored {
                AnyScored::Price(price) => log.price.push(price),
                AnyScored::Direction(class) => log.direction.push(class),
                AnyScored::Volatility(volatility) => log.volatility.push(volatility),
            }
        }
        match part.next {
            Some(next) if n < MAX_PREDICTIONS => page.after = Some(next),
            next => return Ok(next.is_some()),
        }
    }
}

/// Reads what others were rolled up to; true where there is more.
async fn gather_rolled_up(
    store: &dyn MetadataStore,
    filter: &PredictionFilter,
    go_on: &(dyn Fn() -> Result<(), Problem> + Sync),
    found: &mut Gathered,
) -> Result<bool, Problem> {
    let mut page = PageRequest::first(DAYS_AT_ONCE);
    let mut entries = 0;
    loop {
        go_on()?;
        let part = store.prediction_days(&filter.of, filter.task.as_deref(), filter.target, page).await?;
        for day in part.items {
            let sums = sums_of(&day)?;
            entries += sums.entries();
            found.reach(day.first_target, day.last_target);
            found.rolled_up += day.validated;
            found.corrected += if day.corrected { day.validated } else { 0 };
            found.by_model.entry((day.model_id, day.series)).or_default().rolled_up.merge(&sums);
        }
        match part.next {
            Some(next) if entries < MAX_ENTRIES => page.after = Some(next),
            next => return Ok(next.is_some()),
        }
    }
}

fn sums_of(day: &PredictionDay) -> Result<LogSums, MetaError> {
    serde_json::from_str(&day.sums)
        .map_err(|error| MetaError::Damaged { field: format!("the sums of {day}"), detail: error.to_string() })
}

/// The sums of validated predictions, as [`PredictionDay::sums`] keeps them.
pub fn sum_up(validated: &[LoggedPrediction]) -> String {
    let mut sums = LogSums::default();
    for scored in validated.iter().filter_map(scored) {
        match scored {
            AnyScored::Price(price) => sums.add_price(&price),
            AnyScored::Direction(class) => sums.add_class(&class),
            AnyScored::Volatility(volatility) => sums.add_volatility(&volatility),
        }
    }
    serde_json::to_string(&sums).expect("numbers and lists of them have a JSON form")
}

impl Gathered {
    /// Widens the range by targets from `first` to `last`.
    fn reach(&mut self, first: Timestamp, last: Timestamp) {
        let behind = last.plus_ms(1);
        let range = self.range.unwrap_or(TimeRange { from: first, to: behind });
        self.range = Some(TimeRange { from: range.from.min(first), to: range.to.max(behind) });
    }
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

    #[test]
    fn sums_are_of_what_is_scored_and_read_back_as_they_were_written() {
        let price = validated(made(PRICE_TASK, 2, 101.0), 102.0);
        let volatility = validated(made(VOLATILITY_TASK, 6, 0.02), 0.03);
        let day = PredictionDay {
            model_id: "m".into(),
            series: price.made.series.clone(),
            task: PRICE_TASK.into(),
            day: hour(0),
            validated: 2,
            unscorable: 0,
            first_origin: hour(0),
            first_target: hour(2),
            last_target: hour(6),
            corrected: false,
            sums: sum_up(&[price, volatility, validated(made("regime", 6, 0.02), 0.03)]),
        };
        assert_eq!(sums_of(&day).unwrap().entries(), 2);
        assert_eq!(sum_up(&[]), "{}");
        let error = sums_of(&PredictionDay { sums: "{".into(), ..day }).unwrap_err().to_string();
        assert!(error.contains("the sums of m price 2024-01-01"), "{error}");
    }

    #[test]
    fn the_range_reaches_from_the_first_to_behind_the_last_target() {
        let mut found = Gathered::default();
        found.reach(hour(5), hour(5));
        assert_eq!(found.range, Some(TimeRange { from: hour(5), to: hour(5).plus_ms(1) }));
        found.reach(hour(1), hour(3));
        found.reach(hour(7), hour(9));
        assert_eq!(found.range, Some(TimeRange { from: hour(1), to: hour(9).plus_ms(1) }));
    }
}

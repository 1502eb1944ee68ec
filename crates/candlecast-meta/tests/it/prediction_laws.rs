//! Laws of the prediction log.

use candlecast_core::{Action, Move, TimeRange};
use candlecast_meta::{
    ClassBorders, DIRECTION_TASK, LoggedPrediction, MetaError, NewPrediction, PRICE_TASK, PageRequest,
    PredictionFilter, PredictionStatus, PredictionStore, PredictionsOf, Settled, SqlStore, VOLATILITY_TASK,
};

use crate::backends::backends;
use crate::fixtures::{T0, at, class_prediction, prediction, series, volatility_prediction};

async fn all(store: &SqlStore, of: PredictionsOf) -> Vec<(i64, u32)> {
    let filter = PredictionFilter { of, ..PredictionFilter::default() };
    let mut page = PageRequest::first(7);
    let mut found = Vec::new();
    loop {
        let part = store.predictions(&filter, page).await.unwrap();
        found.extend(part.items.iter().map(|p| (p.made.target_time.ms(), p.made.step)));
        page.after = part.next;
        if part.next.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn the_first_prediction_stands() {
    for store in &backends("prediction_first").await.stores {
        let first = prediction("m", 0, 1, 101.0);
        let bare = NewPrediction { interval: None, confidence: None, ..prediction("m", 0, 2, 102.0) };
        assert_eq!(store.append_predictions(&[first.clone(), bare.clone()]).await, Ok(2));
        let rewritten = NewPrediction { prediction: 90.0, ..first.clone() };
        assert_eq!(store.append_predictions(&[rewritten]).await, Ok(0));
        let page = store.predictions(&PredictionFilter::default(), PageRequest::default()).await.unwrap();
        assert_eq!(page.items.iter().map(|p| p.made.clone()).collect::<Vec<_>>(), [bare, first.clone()]);

        // One that cannot be stored takes the whole batch with it.
        let bad = NewPrediction { prediction: f64::INFINITY, ..prediction("m", 0, 4, 0.0) };
        let batch = [prediction("m", 0, 3, 100.0), bad];
        assert!(matches!(store.append_predictions(&batch).await, Err(MetaError::Invalid { .. })));
        assert!(store.append_predictions(&[NewPrediction { step: 0, ..first }]).await.is_err());
        assert_eq!(all(store, PredictionsOf::All).await.len(), 2);
    }
}

#[tokio::test]
async fn pages_cover_everything_once_newest_target_first() {
    for store in &backends("prediction_pages").await.stores {
        let mut made = Vec::new();
        for hour in 0..30 {
            for step in 1..=24 {
                made.push(prediction(if hour % 2 == 0 { "even" } else { "odd" }, hour, step, 100.5));
            }
        }
        assert_eq!(store.append_predictions(&made).await, Ok(720));
        let found = all(store, PredictionsOf::All).await;
        assert!(found.is_sorted_by(|a, b| a.0 >= b.0));
        let mut unique = found.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!((found.len(), unique.len()), (720, 720));
        assert_eq!(all(store, PredictionsOf::Model("odd".into())).await.len(), 360);
        assert_eq!(all(store, PredictionsOf::Series(series("BTCUSDT"))).await.len(), 720);
        assert!(all(store, PredictionsOf::Series(series("ETHUSDT"))).await.is_empty());

        let target = TimeRange { from: at(120), to: at(240) };
        let filter = PredictionFilter { target, ..PredictionFilter::default() };
        let inside = store.predictions(&filter, PageRequest::first(1_000)).await.unwrap();
        assert_eq!(inside.items.len(), made.iter().filter(|p| target.contains(p.target_time)).count());
    }
}

#[tokio::test]
async fn due_predictions_are_settled_once() {
    for store in &backends("prediction_due").await.stores {
        let made: Vec<_> = (1..=5).map(|step| prediction("m", 0, step, 100.0 + f64::from(step))).collect();
        store.append_predictions(&made).await.unwrap();
        let due = store.due_predictions(&PredictionsOf::All, at(180), PageRequest::first(2)).await.unwrap();
        assert_eq!(due.items.iter().map(|p| p.made.step).collect::<Vec<_>>(), [1, 2]);
        let rest = PageRequest { after: due.next, limit: 2 };
        let rest = store.due_predictions(&PredictionsOf::All, at(180), rest).await.unwrap();
        assert_eq!(rest.items.iter().map(|p| p.made.step).collect::<Vec<_>>(), [3]);

        let settled =
            [Settled { id: due.items[0].id, actual: Some(104.0) }, Settled { id: due.items[1].id, actual: None }];
        assert_eq!(store.settle_predictions(&settled, at(181)).await, Ok(2));
        let other = [Settled { id: due.items[0].id, actual: Some(1.0) }];
        assert_eq!(store.settle_predictions(&other, at(182)).await, Ok(0));
        let by_status = async |status| {
            let filter = PredictionFilter { status: Some(status), ..PredictionFilter::default() };
            store.predictions(&filter, PageRequest::default()).await.unwrap().items
        };
        let validated = by_status(PredictionStatus::Validated).await;
        assert_eq!(validated.len(), 1);
        let one = &validated[0];
        assert_eq!((one.actual, one.error, one.validated_at), (Some(104.0), Some(-3.0), Some(at(181))));
        assert_eq!(by_status(PredictionStatus::Unscorable).await.len(), 1);
        assert_eq!(by_status(PredictionStatus::Pending).await.len(), 3);
        for (at_most, counted) in [(100, 3), (3, 3), (2, 2), (0, 0)] {
            assert_eq!(store.count_pending(at_most).await, Ok(counted));
        }
    }
}

#[tokio::test]
async fn reopened_predictions_wait_again_and_are_settled_anew() {
    for store in &backends("prediction_reopen").await.stores {
        let mut made: Vec<_> = (1..=4).map(|step| prediction("m", 0, step, 100.0 + f64::from(step))).collect();
        made.push(NewPrediction { series: series("ETHUSDT"), ..prediction("m", 0, 1, 101.0) });
        store.append_predictions(&made).await.unwrap();
        let due = store.due_predictions(&PredictionsOf::All, at(180), PageRequest::default()).await.unwrap();
        // The candle of the second step is missing, the fourth is not there yet.
        let outcome = |p: &LoggedPrediction| Settled { id: p.id, actual: (p.made.step != 2).then_some(104.0) };
        let settled: Vec<_> = due.items.iter().map(outcome).collect();
        assert_eq!(store.settle_predictions(&settled, at(181)).await, Ok(4));

        let bitcoin = series("BTCUSDT");
        let second = TimeRange { from: at(120), to: at(180) };
        assert_eq!(store.reopen_predictions(&bitcoin, second).await, Ok(1), "the range ends before its end");
        assert_eq!(store.reopen_predictions(&bitcoin, second).await, Ok(0), "it waits already");
        assert_eq!(store.reopen_predictions(&bitcoin, TimeRange { from: T0, to: at(181) }).await, Ok(2));
        assert_eq!(store.reopen_predictions(&series("SOLUSDT"), TimeRange::ALL).await, Ok(0));
        let page = store.predictions(&PredictionFilter::default(), PageRequest::default()).await.unwrap();
        for one in &page.items {
            let met = (one.actual, one.error, one.validated_at);
            if one.made.series == bitcoin {
                assert_eq!((one.status, met), (PredictionStatus::Pending, (None, None, None)));
            } else {
                assert_eq!((one.status, met.0), (PredictionStatus::Validated, Some(104.0)), "of another series");
            }
        }

        let of = PredictionsOf::Series(bitcoin.clone());
        let due = store.due_predictions(&of, at(180), PageRequest::default()).await.unwrap();
        assert_eq!(due.items.iter().map(|p| p.made.step).collect::<Vec<_>>(), [1, 2, 3]);
        let settled: Vec<_> = due.items.iter().map(|p| Settled { id: p.id, actual: Some(105.0) }).collect();
        assert_eq!(store.settle_predictions(&settled, at(300)).await, Ok(3));
        let first = PredictionFilter { of, target: TimeRange { from: T0, to: at(61) }, ..PredictionFilter::default() };
        let page = store.predictions(&first, PageRequest::default()).await.unwrap();
        let one = &page.items[0];
        assert_eq!((one.actual, one.error, one.validated_at), (Some(105.0), Some(-4.0), Some(at(300))));
        assert_eq!(store.reopen_predictions(&bitcoin, TimeRange::ALL).await, Ok(3));
    }
}

#[tokio::test]
async fn a_direction_is_kept_beside_the_price() {
    for store in &backends("prediction_direction").await.stores {
        // The price stays, but it was said to rise, to fall, and nothing; the last one is of an older program.
        let told = [(100.0, Some(Move::Up)), (100.0, Some(Move::Down)), (103.0, Some(Move::None)), (98.0, None)];
        let made: Vec<_> = (0..)
            .zip(told)
            .map(|(hour, (price, direction))| NewPrediction { direction, ..prediction("m", hour, 1, price) })
            .collect();
        assert_eq!(store.append_predictions(&made).await, Ok(4));
        let due = store.due_predictions(&PredictionsOf::All, at(600), PageRequest::default()).await.unwrap().items;
        assert_eq!(due.iter().map(|p| p.made.clone()).collect::<Vec<_>>(), made);

        let class = NewPrediction { direction: Some(Move::Up), ..class_prediction("c", 0, Action::Buy) };
        assert!(matches!(store.append_predictions(&[class]).await, Err(MetaError::Invalid { .. })));
    }
}

#[tokio::test]
async fn predictions_of_every_task_are_kept_as_they_were_made_and_found_by_task() {
    for store in &backends("prediction_tasks").await.stores {
        let classes: Vec<_> = (0..5).map(|hour| class_prediction("c", hour, Action::ALL[hour as usize % 3])).collect();
        let volatility = volatility_prediction("v", 1, 0.02);
        let made = [classes.clone(), vec![volatility.clone(), prediction("m", 2, 1, 101.0)]].concat();
        assert_eq!(store.append_predictions(&made).await, Ok(7));
        let of_task = async |filter: &PredictionFilter, task: &str| {
            let filter = PredictionFilter { task: Some(task.into()), ..filter.clone() };
            let mut page = PageRequest::first(2);
            let mut found = Vec::new();
            loop {
                let part = store.predictions(&filter, page).await.unwrap();
                found.extend(part.items.into_iter().map(|p| p.made));
                page.after = part.next;
                if part.next.is_none() {
                    return found;
                }
            }
        };
        let all = PredictionFilter::default();
        let newest_first: Vec<_> = classes.into_iter().rev().collect();
        assert_eq!(of_task(&all, DIRECTION_TASK).await, newest_first);
        assert_eq!(
            newest_first.iter().map(NewPrediction::class).collect::<Vec<_>>()[..2],
            [Some(Action::Hold), Some(Action::Sell)]
        );
        assert_eq!(of_task(&all, VOLATILITY_TASK).await, [volatility]);
        assert_eq!(of_task(&all, PRICE_TASK).await, [prediction("m", 2, 1, 101.0)]);
        assert!(of_task(&all, "regime").await.is_empty());
        let of_model = PredictionFilter { of: PredictionsOf::Model("c".into()), ..PredictionFilter::default() };
        assert_eq!(of_task(&of_model, DIRECTION_TASK).await.len(), 5);
        assert!(of_task(&of_model, PRICE_TASK).await.is_empty());
        let validated = PredictionFilter { status: Some(PredictionStatus::Validated), ..PredictionFilter::default() };
        assert!(of_task(&validated, DIRECTION_TASK).await.is_empty());
    }
}

#[tokio::test]
async fn a_class_has_borders_in_order_and_nothing_else_has_any() {
    for store in &backends("prediction_borders").await.stores {
        let class = class_prediction("c", 0, Action::Buy);
        let turned = Some(ClassBorders { sell_at: 102.0, buy_at: 101.0 });
        let endless = Some(ClassBorders { sell_at: 99.0, buy_at: f64::INFINITY });
        for bad in [
            NewPrediction { borders: None, ..class.clone() },
            NewPrediction { borders: turned, ..class.clone() },
            NewPrediction { borders: endless, ..class.clone() },
            NewPrediction { borders: class.borders, ..prediction("m", 0, 1, 101.0) },
            NewPrediction { task: String::new(), ..prediction("m", 0, 1, 101.0) },
        ] {
            assert!(matches!(store.append_predictions(&[bad]).await, Err(MetaError::Invalid { .. })));
        }
        assert_eq!(store.append_predictions(&[class]).await, Ok(1));
    }
}

#[tokio::test]
async fn a_class_meets_a_close_without_an_error_and_a_volatility_with_one() {
    for store in &backends("prediction_task_outcomes").await.stores {
        let made = [class_prediction("c", 0, Action::Buy), volatility_prediction("v", 0, 0.5)];
        store.append_predictions(&made).await.unwrap();
        let due = store.due_predictions(&PredictionsOf::All, at(360), PageRequest::default()).await.unwrap();
        let outcome = |p: &LoggedPrediction| if p.made.task == DIRECTION_TASK { 99.0 } else { 0.75 };
        let settled: Vec<_> = due.items.iter().map(|p| Settled { id: p.id, actual: Some(outcome(p)) }).collect();
        assert_eq!(store.settle_predictions(&settled, at(361)).await, Ok(2));
        let found = store.predictions(&PredictionFilter::default(), PageRequest::default()).await.unwrap().items;
        let of = |task: &str| found.iter().find(|p| p.made.task == task).unwrap();
        let class = of(DIRECTION_TASK);
        assert_eq!((class.status, class.actual, class.error), (PredictionStatus::Validated, Some(99.0), None));
        assert_eq!((class.made.class(), class.actual_class()), (Some(Action::Buy), Some(Action::Sell)));
        let volatility = of(VOLATILITY_TASK);
        assert_eq!((volatility.actual, volatility.error), (Some(0.75), Some(-0.25)));
        assert_eq!((volatility.made.class(), volatility.actual_class()), (None, None));
    }
}

#[tokio::test]
async fn a_volatility_waits_again_when_any_candle_after_its_origin_has_changed() {
    for store in &backends("prediction_reopen_volatility").await.stores {
        let made: Vec<_> = (0..10)
            .flat_map(|hour| [volatility_prediction("v", hour, 0.5), class_prediction("c", hour, Action::Hold)])
            .collect();
        store.append_predictions(&made).await.unwrap();
        let due = store.due_predictions(&PredictionsOf::All, at(100 * 60), PageRequest::default()).await.unwrap();
        let settled: Vec<_> = due.items.iter().map(|p| Settled { id: p.id, actual: Some(1.0) }).collect();
        assert_eq!(store.settle_predictions(&settled, at(6_000)).await, Ok(20));

        // The candle that closes at hour 8 has changed: it is the target of what was made at hour 2, and among the six
        // after the origin of volatilities that were made at hours 2 to 7.
        let changed = TimeRange { from: at(7 * 60 + 1), to: at(8 * 60).plus_ms(1) };
        assert_eq!(store.reopen_predictions(&series("ETHUSDT"), changed).await, Ok(0));
        assert_eq!(store.reopen_predictions(&series("BTCUSDT"), changed).await, Ok(7));
        assert_eq!(store.reopen_predictions(&series("BTCUSDT"), changed).await, Ok(0), "they wait already");
        let pending = PredictionFilter { status: Some(PredictionStatus::Pending), ..PredictionFilter::default() };
        let pending = store.predictions(&pending, PageRequest::default()).await.unwrap().items;
        let hours = |task: &str| {
            let of_task = pending.iter().filter(|p| p.made.task == task);
            let mut hours: Vec<i64> = of_task.map(|p| (p.made.origin.ms() - T0.ms()) / 3_600_000).collect();
            hours.sort_unstable();
            hours
        };
        assert_eq!(hours(DIRECTION_TASK), [2]);
        assert_eq!(hours(VOLATILITY_TASK), [2, 3, 4, 5, 6, 7]);
    }
}

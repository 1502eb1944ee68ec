//! Laws of the daily upkeep.

use candlecast_meta::{
    PageRequest, PredictionStore, PredictionsOf, RollUpDue, RollUpStore, Settled, SqlStore, TurnStore, UpkeepStore,
};
use sqlx::{Connection, Row, SqliteConnection};

use crate::backends::backends;
use crate::fixtures::{T0, at, prediction};

const DAY: i64 = 1_440;
const TURN_MS: u64 = 600_000;

#[tokio::test]
async fn upkeep_is_done_once_a_day_by_one_at_a_time() {
    for store in &backends("upkeep_turns").await.stores {
        let take = async |owner: &str, minute: i64| {
            store.take_daily_turn("records", owner, TURN_MS, at(minute)).await.unwrap()
        };
        let finish = async |owner: &str, minute: i64| {
            store.finish_daily_turn("records", owner, at(minute)).await.unwrap();
        };
        assert!(take("a", 0).await);
        assert!(!take("b", 1).await, "somebody does it");
        assert!(store.take_daily_turn("other", "b", TURN_MS, at(1)).await.unwrap(), "another one");
        assert!(take("b", 10).await, "whoever began ten minutes ago is gone");
        finish("a", 11).await;
        assert!(!take("c", 11).await, "the one who is gone does not end what another one began");
        store.end_turn("records", "b").await.unwrap();
        assert!(take("c", 12).await, "there is more to do");
        finish("c", 12).await;
        assert!(!take("d", 13).await && !take("c", 11 + DAY).await, "done for the day");
        assert!(store.take_turn("records", "d", TURN_MS, at(13)).await.unwrap(), "the turn itself is free");
        store.end_turn("records", "d").await.unwrap();
        assert!(!take("d", 13).await, "it is still done");
        assert!(take("d", 12 + DAY).await);
        finish("d", 12 + DAY).await;
        // The clock was a day ahead, or is set back: nobody waits for that.
        assert!(take("e", 14).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_those_who_ask_at_once_one_is_to_do_it() {
    for store in &backends("upkeep_race").await.stores {
        let asks: Vec<_> = (0..8)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(
                    async move { store.take_daily_turn("records", &n.to_string(), TURN_MS, T0).await.unwrap() },
                )
            })
            .collect();
        let mut won = 0;
        for ask in asks {
            won += usize::from(ask.await.unwrap());
        }
        assert_eq!(won, 1, "{}", store.place());
    }
}

#[tokio::test]
async fn a_sqlite_file_gives_back_the_space_of_what_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("space.db");
    let store = SqlStore::open_file(&file, T0).await.unwrap();
    assert_eq!(store.give_back_space().await, Ok(false), "there is nothing to give back");
    let made: Vec<_> = (0..400).flat_map(|hour| (1..=24).map(move |step| prediction("m", hour, step, 101.0))).collect();
    store.append_predictions(&made).await.unwrap();
    loop {
        let due = store.due_predictions(&PredictionsOf::All, at(500 * 60), PageRequest::first(1_000)).await.unwrap();
        if due.items.is_empty() {
            break;
        }
        let settled: Vec<_> = due.items.iter().map(|p| Settled { id: p.id, actual: Some(102.0) }).collect();
        store.settle_predictions(&settled, at(500 * 60)).await.unwrap();
    }
    let full = pages(&file).await;
    store.mark_predictions(T0, T0).await.unwrap();
    let due = RollUpDue { target_before: at(500 * 60), logged_by: T0, limit: 5_000 };
    while store.roll_up_predictions(&due, &|_| "{}".into(), T0).await.unwrap() > 0 {}
    assert!(pages(&file).await.0 >= full.0, "free pages stay in the file");
    while store.give_back_space().await.unwrap() {}
    let (left, free) = pages(&file).await;
    assert!(free == 0 && left < full.0 / 4, "{left} of {} pages, {free} of them free", full.0);
}

/// Pages of the file, and those of them that are free.
async fn pages(file: &std::path::Path) -> (i64, i64) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let count = async |connection: &mut SqliteConnection, sql: &'static str| -> i64 {
        sqlx::query(sql).fetch_one(connection).await.unwrap().get(0)
    };
    (count(&mut connection, "PRAGMA page_count").await, count(&mut connection, "PRAGMA freelist_count").await)
}

//! Order books through faults: whenever a book is shown, it is the exchange's.

use std::collections::BTreeMap;
use std::time::Duration;

use candlecast_core::{Interval, Seed};
use candlecast_exchange::faults::{BookScript, FaultPlan, Market};
use candlecast_exchange::{CandleFeed, Level, LiveEvent, OrderBook, Subscription};

use crate::scene::{Scene, key, seeds};

type Best = (Option<Level>, Option<Level>);

/// Best prices after each change, by its number.
fn truth(script: &BookScript) -> BTreeMap<u64, Best> {
    let snapshot = &script.snapshot;
    let mut book = OrderBook::new(snapshot.last_id, &snapshot.bids, &snapshot.asks);
    let mut tops = BTreeMap::from([(snapshot.last_id, (book.best_bid(), book.best_ask()))]);
    for diff in &script.diffs {
        book.apply(diff.final_id, diff.time, &diff.bids, &diff.asks);
        assert!(book.is_uncrossed());
        tops.insert(diff.final_id, (book.best_bid(), book.best_ask()));
    }
    tops
}

#[tokio::test]
async fn books_through_faults_are_the_exchanges() {
    let (mut shown, mut sent) = (0, 0);
    for seed in seeds(12) {
        for venue in ["binance", "binance-usdm"] {
            let key = key(venue, "BTCUSDT", Interval::M1);
            let market = Market::generated(key.clone(), Seed(seed), 60, 30, 900);
            let tops = truth(market.book.as_ref().unwrap());
            let (&last, _) = tops.last_key_value().unwrap();
            sent += tops.len();
            let plan = FaultPlan { rest_rate: 0.2, stream_rate: 0.03, seed: Seed(seed) };
            let scene = Scene::new(market, plan).await;
            // On USD-M candles have a connection of their own; its end would end both, so that books come alone.
            let feed = CandleFeed { key: key.clone(), since: None };
            let candles = if venue == "binance" { vec![feed] } else { vec![] };
            let subscription = Subscription { candles, books: vec![key.symbol.clone()], trades: vec![] };
            let mut live = scene.exchange.live(subscription).await.unwrap();
            let mut newest = 0;
            while newest < last {
                let event = tokio::time::timeout(Duration::from_secs(60), live.next()).await;
                let Some(LiveEvent::Book(top)) = event.expect("the stream should go on").unwrap() else { continue };
                assert!(top.update_id >= newest, "a book never goes back");
                assert_eq!(tops.get(&top.update_id), Some(&(top.bid, top.ask)), "{venue}, seed {seed}");
                let book = live.book(&key.symbol).expect("a book that was just shown");
                assert!(book.is_uncrossed() && book.update_id() >= top.update_id);
                newest = top.update_id;
                shown += 1;
            }
            assert_eq!(scene.server.report().too_early, 0);
        }
    }
    let share = shown as f64 / sent as f64;
    println!("books from {} seeds: {shown} states of {sent} shown ({:.1} %), all right", seeds(12).end, 100.0 * share);
    assert!(share > 0.1, "{share}");
}

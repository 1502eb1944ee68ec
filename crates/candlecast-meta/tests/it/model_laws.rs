//! Laws of the index of models.

use candlecast_meta::{MetaError, Model, ModelFilter, ModelStatus, ModelStore, PageRequest};
use serde_json::json;

use crate::backends::backends;
use crate::fixtures::{at, model, series};

#[tokio::test]
async fn a_model_comes_back_and_is_brought_up_to_date() {
    for store in &backends("model_round_trip").await.stores {
        let first = model("1.0.0", 3);
        store.put_model(&first, at(4)).await.unwrap();
        assert_eq!(store.model(&first.id).await, Ok(first.clone()));

        let renamed = Model { name: "morning".into(), accuracy: None, meta: json!({"a": 1}), ..first.clone() };
        store.put_model(&renamed, at(5)).await.unwrap();
        assert_eq!(store.model(&first.id).await, Ok(renamed));

        let nan = Model { accuracy: Some(f64::NAN), ..first };
        assert!(matches!(store.put_model(&nan, at(5)).await, Err(MetaError::Invalid { field: "accuracy", .. })));
    }
}

#[tokio::test]
async fn one_model_serves() {
    for store in &backends("model_active").await.stores {
        let key = series("BTCUSDT");
        let (old, new) = (model("1.0.0", 1), model("1.1.0", 2));
        let other = Model { id: "other".into(), task: "direction".into(), ..model("1.0.0", 3) };
        for one in [&old, &new, &other] {
            store.put_model(one, at(3)).await.unwrap();
        }
        assert_eq!(store.active_model(&key, "lstm", "price", 24).await, Ok(None));
        for (id, minute) in [(&other.id, 4), (&old.id, 5), (&new.id, 6), (&new.id, 7)] {
            store.promote_model(id, at(minute)).await.unwrap();
        }
        let serving = store.active_model(&key, "lstm", "price", 24).await.unwrap().unwrap();
        assert_eq!((serving.id, serving.activated_at), (new.id.clone(), Some(at(6))));
        assert_eq!(store.model(&old.id).await.unwrap().status, ModelStatus::Archived);
        assert_eq!(store.active_model(&key, "lstm", "direction", 24).await.unwrap().unwrap().id, "other");

        store.put_model(&new, at(8)).await.unwrap();
        assert_eq!(store.model(&new.id).await.unwrap().status, ModelStatus::Active, "a new record keeps the status");
        let usurper = Model { id: "usurper".into(), status: ModelStatus::Active, ..model("2.0.0", 9) };
        assert!(matches!(store.put_model(&usurper, at(9)).await, Err(MetaError::Conflict { .. })));
        assert!(matches!(store.delete_model(&new.id).await, Err(MetaError::Conflict { .. })));
        assert_eq!(store.delete_model(&old.id).await, Ok(true));
        assert_eq!(store.delete_model(&old.id).await, Ok(false));
    }
}

#[tokio::test]
async fn one_model_serves_at_each_horizon() {
    for store in &backends("model_horizons").await.stores {
        let key = series("BTCUSDT");
        let (day, newer) = (model("1.0.0", 1), model("1.0.1", 2));
        let short = Model { horizon_steps: 6, ..model("2.0.0", 3) };
        for one in [&day, &newer, &short] {
            store.put_model(one, at(3)).await.unwrap();
        }
        for (id, minute) in [(&day.id, 4), (&short.id, 5), (&newer.id, 6)] {
            store.promote_model(id, at(minute)).await.unwrap();
        }
        let serving = async |horizon| {
            let found = store.active_model(&key, "lstm", "price", horizon).await.unwrap();
            found.map(|model| (model.id, model.activated_at))
        };
        assert_eq!(serving(24).await, Some((newer.id.clone(), Some(at(6)))));
        assert_eq!(serving(6).await, Some((short.id.clone(), Some(at(5)))), "another horizon is left alone");
        assert_eq!(serving(12).await, None);
        assert_eq!(store.model(&day.id).await.unwrap().status, ModelStatus::Archived);
        let active = ModelFilter { status: Some(ModelStatus::Active), ..ModelFilter::default() };
        assert_eq!(store.models(&active, PageRequest::default()).await.unwrap().items.len(), 2);
    }
}

#[tokio::test]
async fn a_damaged_model_does_not_push_out_the_one_that_serves() {
    for store in &backends("model_corrupt").await.stores {
        let (good, bad) = (model("1.0.0", 1), model("1.1.0", 2));
        store.put_model(&good, at(2)).await.unwrap();
        store.put_model(&bad, at(2)).await.unwrap();
        store.promote_model(&good.id, at(3)).await.unwrap();
        store.set_model_status(&bad.id, ModelStatus::Corrupt, at(4)).await.unwrap();
        assert!(matches!(store.promote_model(&bad.id, at(5)).await, Err(MetaError::Conflict { .. })));
        assert!(matches!(store.promote_model("zzz", at(5)).await, Err(MetaError::NotFound { .. })));
        assert_eq!(store.model(&good.id).await.unwrap().status, ModelStatus::Active);
        assert!(store.set_model_status(&bad.id, ModelStatus::Active, at(6)).await.is_err());
    }
}

#[tokio::test]
async fn models_are_listed_last_trained_first() {
    for store in &backends("model_lists").await.stores {
        for i in 0..9 {
            let key = series(if i % 3 == 0 { "ETHUSDT" } else { "BTCUSDT" });
            let one = Model { id: format!("m{i}"), series: key, ..model(&format!("1.0.{i}"), i64::from(i)) };
            store.put_model(&one, at(20)).await.unwrap();
        }
        let filter = ModelFilter { series: Some(series("BTCUSDT")), ..ModelFilter::default() };
        let page = store.models(&filter, PageRequest::first(4)).await.unwrap();
        assert_eq!(page.items.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["m8", "m7", "m5", "m4"]);
        let rest = store.models(&filter, PageRequest { after: page.next, limit: 4 }).await.unwrap();
        assert_eq!(rest.items.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["m2", "m1"]);
    }
}

//! Laws of the index of models.

use candlecast_meta::{
    FoundModel, MetaError, Model, ModelFilter, ModelStatus, ModelStore, ModelsIn, PageRequest, SqlStore, SyncedModels,
};
use serde_json::json;

use crate::backends::backends;
use crate::fixtures::{at, found, lstm_in, model, series};

use ModelStatus::{Active, Archived, Candidate, Corrupt, Created};

fn with_status(model: &Model, status: ModelStatus) -> Model {
    Model { status, ..model.clone() }
}

fn synced(added: usize, changed: usize, removed: usize) -> SyncedModels {
    SyncedModels { added, changed, removed, taken: vec![] }
}

/// Id and status of every model in `folder`, by id.
async fn rows(store: &SqlStore, folder: &str) -> Vec<(String, ModelStatus)> {
    let filter = ModelFilter { folder: Some(folder.into()), ..ModelFilter::default() };
    let page = store.models(&filter, PageRequest::default()).await.unwrap();
    let mut rows: Vec<_> = page.items.into_iter().map(|model| (model.id, model.status)).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn a_model_comes_back_and_is_brought_up_to_date() {
    for store in &backends("model_round_trip").await.stores {
        let first = model("1.0.0", 3);
        assert_eq!(
            store.sync_models(&lstm_in(""), &found(std::slice::from_ref(&first)), at(4)).await,
            Ok(synced(1, 0, 0))
        );
        assert_eq!(store.model(&first.id).await, Ok(first.clone()));
        assert_eq!(
            store.sync_models(&lstm_in(""), &found(std::slice::from_ref(&first)), at(5)).await,
            Ok(synced(0, 0, 0))
        );

        let run_id = Some("r".to_owned());
        let renamed = Model { name: "morning".into(), accuracy: None, meta: json!({"a": 1}), run_id, ..first.clone() };
        assert_eq!(
            store.sync_models(&lstm_in(""), &found(std::slice::from_ref(&renamed)), at(5)).await,
            Ok(synced(0, 1, 0))
        );
        assert_eq!(store.model(&first.id).await, Ok(renamed.clone()));
        // The files do not say who trained it; what is on record stays.
        let by_nobody = Model { run_id: None, ..renamed.clone() };
        assert_eq!(store.sync_models(&lstm_in(""), &found(&[by_nobody]), at(6)).await, Ok(synced(0, 0, 0)));
        assert_eq!(store.model(&first.id).await, Ok(renamed));

        let nan = Model { accuracy: Some(f64::NAN), ..first };
        let refused = store.sync_models(&lstm_in(""), &found(&[nan]), at(5)).await;
        assert!(matches!(refused, Err(MetaError::Invalid { field: "accuracy", .. })), "{refused:?}");
        assert!(matches!(store.model("zzz").await, Err(MetaError::NotFound { .. })));
    }
}

#[tokio::test]
async fn one_model_serves_at_each_horizon_and_steps_back_for_another() {
    for store in &backends("model_active").await.stores {
        let (old, new) = (model("1.0.0", 1), model("1.1.0", 2));
        let short = Model { horizon_steps: 6, status: Active, ..model("2.0.0", 3) };
        let state = |serves: &str| {
            let of = |model: &Model| with_status(model, if model.id == serves { Active } else { Archived });
            found(&[of(&old), of(&new), short.clone()])
        };
        assert_eq!(store.sync_models(&lstm_in(""), &state(&old.id), at(5)).await, Ok(synced(3, 0, 0)));
        assert_eq!(store.sync_models(&lstm_in(""), &state(&new.id), at(6)).await, Ok(synced(0, 2, 0)));
        let serving = store.model(&new.id).await.unwrap();
        assert_eq!((serving.status, serving.activated_at), (Active, Some(at(6))));
        assert_eq!(store.sync_models(&lstm_in(""), &state(&new.id), at(7)).await, Ok(synced(0, 0, 0)));
        let before = store.model(&old.id).await.unwrap();
        assert_eq!((before.status, before.activated_at), (Archived, Some(at(5))), "when it last began stays");
        assert_eq!(store.model(&short.id).await.unwrap().activated_at, Some(at(5)), "another horizon is left alone");

        // A task is a list of its own.
        let other = Model { id: "other".into(), task: "direction".into(), status: Active, ..model("1.0.0", 3) };
        let direction = ModelsIn { task: "direction".into(), ..lstm_in("") };
        assert_eq!(
            store.sync_models(&direction, &found(std::slice::from_ref(&other)), at(8)).await,
            Ok(synced(1, 0, 0))
        );
        let expected = [(old.id.clone(), Archived), (new.id.clone(), Active), (short.id.clone(), Active)];
        assert_eq!(rows(store, "").await, [&expected[..], &[(other.id, Active)]].concat());

        // Two cannot serve at one horizon: nothing is changed.
        let both = found(&[with_status(&old, Active), with_status(&new, Active), short.clone()]);
        let refused = store.sync_models(&lstm_in(""), &both, at(9)).await;
        assert!(matches!(refused, Err(MetaError::Busy { .. })), "{refused:?}");
        assert_eq!(rows(store, "").await[..3], expected);
        assert_eq!(store.sync_models(&lstm_in(""), &[], at(10)).await, Ok(synced(0, 0, 3)));
        assert!(store.model(&new.id).await.is_err());
    }
}

#[tokio::test]
async fn damage_is_told_of_what_is_known_and_heals() {
    for store in &backends("model_corrupt").await.stores {
        let (good, bad) = (with_status(&model("1.0.0", 1), Archived), with_status(&model("1.1.0", 2), Active));
        store.sync_models(&lstm_in(""), &found(&[good.clone(), bad.clone()]), at(2)).await.unwrap();
        let damaged = [
            found(&[with_status(&good, Active)]),
            vec![FoundModel::Damaged(bad.id.clone()), FoundModel::Damaged("BTCUSDT_LSTM_9.0.0".into())],
        ]
        .concat();
        assert_eq!(store.sync_models(&lstm_in(""), &damaged, at(3)).await, Ok(synced(0, 2, 0)));
        assert_eq!(rows(store, "").await, [(good.id.clone(), Active), (bad.id.clone(), Corrupt)]);
        assert_eq!(store.model(&bad.id).await.unwrap().meta, bad.meta, "what was known of it stays");
        assert_eq!(
            store.sync_models(&lstm_in(""), &found(&[good.clone(), bad.clone()]), at(4)).await,
            Ok(synced(0, 2, 0))
        );
        assert_eq!(rows(store, "").await, [(good.id.clone(), Archived), (bad.id.clone(), Active)]);
    }
}

#[tokio::test]
async fn what_was_only_configured_has_no_files_and_stays() {
    for store in &backends("model_created").await.stores {
        let (configured, trained) = (with_status(&model("0.0.1", 0), Created), model("1.0.0", 1));
        store.sync_models(&lstm_in(""), &found(&[configured.clone(), trained]), at(1)).await.unwrap();
        assert_eq!(store.sync_models(&lstm_in(""), &[], at(2)).await, Ok(synced(0, 0, 1)));
        assert_eq!(rows(store, "").await, [(configured.id, Created)]);
    }
}

#[tokio::test]
async fn folders_that_share_the_records_keep_out_of_each_others_rows() {
    for store in &backends("model_folders").await.stores {
        let (in_a, in_b) = (with_status(&model("1.0.0", 1), Active), with_status(&model("2.0.0", 2), Active));
        assert_eq!(
            store.sync_models(&lstm_in("a"), &found(std::slice::from_ref(&in_a)), at(1)).await,
            Ok(synced(1, 0, 0))
        );
        assert_eq!(
            store.sync_models(&lstm_in("b"), &found(std::slice::from_ref(&in_b)), at(2)).await,
            Ok(synced(1, 0, 0))
        );
        assert_eq!(rows(store, "a").await, [(in_a.id.clone(), Active)], "one serves in each");
        assert_eq!(rows(store, "b").await, [(in_b.id.clone(), Active)]);
        let elsewhere = ModelFilter { not_folder: Some("a".into()), ..ModelFilter::default() };
        let items = store.models(&elsewhere, PageRequest::default()).await.unwrap().items;
        assert_eq!(items.iter().map(|model| model.folder.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(store.sync_models(&lstm_in("b"), &[], at(3)).await, Ok(synced(0, 0, 1)));
        assert_eq!(rows(store, "a").await.len(), 1, "another's files are not missed");

        // Another model under a name that is taken.
        let other = Model { sha256: Some("cd".repeat(32)), ..in_a.clone() };
        let told = store.sync_models(&lstm_in("b"), &found(&[other]), at(4)).await.unwrap();
        assert_eq!(told, SyncedModels { taken: vec![in_a.id.clone()], ..SyncedModels::default() });
        assert_eq!(store.model(&in_a.id).await.unwrap().sha256, in_a.sha256);
        // The very same, as after a restore elsewhere, is taken over.
        assert_eq!(
            store.sync_models(&lstm_in("c"), &found(std::slice::from_ref(&in_a)), at(5)).await,
            Ok(synced(0, 1, 0))
        );
        assert_eq!((rows(store, "a").await.len(), rows(store, "c").await.len()), (0, 1));
        assert_eq!(store.forget_folder("c").await, Ok(1));
        assert!(rows(store, "c").await.is_empty());
        assert!(store.forget_folder("").await.is_err(), "that is no folder's name");
    }
}

#[tokio::test]
async fn rows_from_before_there_were_folders_are_whoever_has_the_files() {
    for store in &backends("model_unnamed").await.stores {
        let (here, there) = (model("1.0.0", 1), model("1.0.1", 2));
        store.sync_models(&lstm_in(""), &found(&[here.clone(), there.clone()]), at(1)).await.unwrap();
        assert_eq!(
            store.sync_models(&lstm_in("a"), &found(std::slice::from_ref(&here)), at(2)).await,
            Ok(synced(0, 1, 0))
        );
        assert_eq!(rows(store, "a").await, [(here.id.clone(), Candidate)]);
        assert_eq!(
            rows(store, "").await,
            [(there.id.clone(), Candidate)],
            "it may lie in a folder that has not said so"
        );
        // Records of one folder alone own all rows, whatever another database called them.
        assert_eq!(store.sync_models(&lstm_in(""), &found(&[here]), at(3)).await, Ok(synced(0, 1, 1)));
        assert_eq!(rows(store, "").await.len(), 1);
    }
}

#[tokio::test]
async fn a_name_belongs_to_the_folder_that_claimed_it() {
    for store in &backends("model_claims").await.stores {
        let claim = async |id: &str, folder: &str| store.claim_model(id, folder, at(1)).await.unwrap();
        assert!(claim("x", "a").await && claim("x", "a").await, "again is no error");
        assert!(!claim("x", "b").await && claim("y", "b").await);
        // One that was given before there were claims.
        let old = model("1.0.0", 1);
        store.sync_models(&lstm_in("a"), &found(std::slice::from_ref(&old)), at(2)).await.unwrap();
        assert!(!claim(&old.id, "b").await && claim(&old.id, "a").await);
        store.forget_folder("a").await.unwrap();
        assert!(!claim(&old.id, "b").await, "its predictions stay, so its name does");
        assert!(store.claim_model("", "a", at(1)).await.is_err() && store.claim_model("x", "", at(1)).await.is_err());
    }
}

#[tokio::test]
async fn models_are_listed_last_trained_first() {
    for store in &backends("model_lists").await.stores {
        for symbol in ["ETHUSDT", "BTCUSDT"] {
            let of_symbol = (0..9).filter(|i| (i % 3 == 0) == (symbol == "ETHUSDT")).map(|i| {
                let id = format!("m{i}");
                Model { id, series: series(symbol), ..model(&format!("1.0.{i}"), i) }
            });
            let models = ModelsIn { series: series(symbol), ..lstm_in("") };
            store.sync_models(&models, &found(&of_symbol.collect::<Vec<_>>()), at(20)).await.unwrap();
        }
        let filter = ModelFilter { series: Some(series("BTCUSDT")), ..ModelFilter::default() };
        let page = store.models(&filter, PageRequest::first(4)).await.unwrap();
        assert_eq!(page.items.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["m8", "m7", "m5", "m4"]);
        let rest = store.models(&filter, PageRequest { after: page.next, limit: 4 }).await.unwrap();
        assert_eq!(rest.items.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["m2", "m1"]);
    }
}

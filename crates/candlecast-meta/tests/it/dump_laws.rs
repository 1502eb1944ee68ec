//! Laws of dumps: what one database hands out, either kind takes in, all of it or nothing.

use std::collections::BTreeMap;
use std::path::Path;

use candlecast_core::{Action, Move, TimeRange};
use candlecast_meta::{
    Dump, DumpPiece, Fold, JobFilter, JobStore, Ledger, Loaded, LogLevel, LogLine, MetaError, Model, ModelStatus,
    ModelStore, NewJob, NewPrediction, NewRun, Outcome, PRICE_TASK, PageRequest, PredictionFilter, PredictionStore,
    PredictionsOf, RollUpDue, RollUpStore, RunFilter, RunStore, Settled, SqlStore, StudyStore, TrialEnd,
};
use serde_json::{Value, json};
use sqlx::{Connection, Row, SqliteConnection};

use crate::backends::{backends, postgres_url};
use crate::fixtures::{
    T0, at, class_prediction, days_of, found, lstm_in, model, prediction, run, series, study, tried,
    volatility_prediction,
};

type Answer = Result<(), MetaError>;

/// At least one record in every table, with NULL and what is hard to write among the values.
async fn fill(store: &SqlStore) {
    store.start_run(&run("full", 0)).await.unwrap();
    let odd = NewRun { series: None, experiment: Some("\"quoted\", \\ ü\n\u{1F56F}".into()), ..run("odd", 1) };
    store.start_run(&odd).await.unwrap();
    let serving = Model { status: ModelStatus::Active, ..model("1.0.0", 0) };
    store.sync_models(&lstm_in(""), &found(&[serving]), at(2)).await.unwrap();
    assert!(store.claim_model("BTCUSDT_LSTM_1.0.0", "alpha", at(2)).await.unwrap());
    for id in ["first", "second"] {
        store.enqueue(&NewJob::new(id, "train", json!({"x": 0.1 + 0.2, "n": i64::MAX})), at(3)).await.unwrap();
    }
    let lease = store.lease_job("worker", &[], 60_000, at(4)).await.unwrap().unwrap().lease().unwrap();
    let line = LogLine { attempt: 1, line: 0, at: at(4), level: LogLevel::Info, message: "begun".into() };
    store.append_log("first", &[line]).await.unwrap();
    store.save_checkpoint(&lease, vec![0, 1, 254, 255], at(5)).await.unwrap();
    store.finish_job(&lease, &Outcome::Interrupted("power".into()), at(6)).await.unwrap();
    roll_up_one(store).await;
    let made: Vec<_> = (0..3).map(|hour| prediction("m", hour, 1, 100.0 + 0.1 * hour as f64)).collect();
    store.append_predictions(&made).await.unwrap();
    let due = store.due_predictions(&PredictionsOf::All, at(120), PageRequest::default()).await.unwrap();
    store.settle_predictions(&[Settled { id: due.items[0].id, actual: Some(101.3) }], at(130)).await.unwrap();
    store.start_study(&study("s")).await.unwrap();
    store.begin_trial("s", 0, "worker", &json!({"a": 1}), at(7)).await.unwrap();
    let end = TrialEnd::Complete { value: -1.0e-300, metrics: json!({}) };
    store.finish_trial("s", 0, "worker", &end, at(8)).await.unwrap();
    let fold = Fold {
        scope: "s".into(),
        trial: 0,
        fold: 0,
        value: Some(f64::MIN_POSITIVE),
        metrics: json!({"mae": 1}),
        duration_ms: 5,
        finished_at: at(8),
    };
    store.put_fold(&fold).await.unwrap();
    let tries = [tried("a", "x", Some(0.1), (0, 10)), tried("b", "y", None, (0, 10))];
    let days = days_of("b", -1, &[Some(0.1), None, Some(f32::MIN_POSITIVE)]);
    store.record_tries_with_days(&tries, &[days]).await.unwrap();
}

/// A prediction of the day before, of which only the sums are left.
async fn roll_up_one(store: &SqlStore) {
    store.append_predictions(&[prediction("gone", -20, 1, 100.0)]).await.unwrap();
    let due = store.due_predictions(&PredictionsOf::All, at(0), PageRequest::default()).await.unwrap();
    store.settle_predictions(&[Settled { id: due.items[0].id, actual: Some(101.3) }], at(0)).await.unwrap();
    store.mark_predictions(at(0), at(0)).await.unwrap();
    let old = RollUpDue { target_before: at(0), logged_by: at(0), limit: 10 };
    assert_eq!(store.roll_up_predictions(&old, &|_| r#"{"odd": "\"\u00fc"}"#.into(), at(1)).await, Ok(1));
}

async fn dumped(store: &SqlStore) -> (Dump, Vec<DumpPiece>) {
    let mut pieces = Vec::new();
    let dump = store
        .dump(|piece| {
            pieces.push(piece);
            Ok::<(), MetaError>(())
        })
        .await
        .unwrap();
    (dump, pieces)
}

/// The lines of each table in an order that does not depend on how a database sorts text.
fn lines(pieces: &[DumpPiece]) -> BTreeMap<&str, Vec<&str>> {
    let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for piece in pieces {
        tables.entry(&piece.table).or_default().extend(piece.lines.lines());
    }
    tables.values_mut().for_each(|lines| lines.sort_unstable());
    tables
}

fn all_good(pieces: Vec<DumpPiece>) -> Vec<Result<DumpPiece, MetaError>> {
    pieces.into_iter().map(Ok).collect()
}

async fn load_file(file: &Path, dump: &Dump, pieces: Vec<DumpPiece>) -> Answer {
    SqlStore::load_file(file, T0, dump, all_good(pieces)).await
}

async fn load_server(url: &str, dump: &Dump, pieces: Vec<DumpPiece>) -> Answer {
    let loaded = SqlStore::load_server(url, T0, dump, all_good(pieces), "restore", || Ok(())).await?;
    assert_eq!(loaded, Loaded::Whole);
    Ok(())
}

#[tokio::test]
async fn every_table_is_dumped_with_every_column() {
    // But for turns: they are of processes that work now.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("all.db");
    let store = SqlStore::open_file(&file, T0).await.unwrap();
    fill(&store).await;
    let (dump, _) = dumped(&store).await;
    store.close().await;
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let sql = "SELECT t.name AS name, COUNT(*) AS n FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' \
               AND t.name NOT IN ('candlecast_schema', 'ml_turns') \
               GROUP BY t.name ORDER BY t.name";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    let expected: Vec<(String, i64)> = rows.iter().map(|row| (row.get("name"), row.get("n"))).collect();
    let mut found: Vec<(String, i64)> =
        dump.tables.iter().map(|table| (table.name.clone(), table.columns.len() as i64)).collect();
    found.sort();
    assert_eq!(found, expected);
    assert!(dump.tables.iter().all(|table| table.rows > 0), "{dump:?}");
}

#[tokio::test]
async fn a_dump_of_either_database_fills_either() {
    let dir = tempfile::tempdir().unwrap();
    for (number, source) in backends("dump_source").await.stores.iter().enumerate() {
        fill(source).await;
        let (dump, pieces) = dumped(source).await;
        let file = dir.path().join(format!("{number}.db"));
        load_file(&file, &dump, pieces.clone()).await.unwrap();
        let mut targets = vec![SqlStore::open_file(&file, T0).await.unwrap()];
        if let Some(url) = postgres_url(&format!("dump_target_{number}")).await {
            load_server(&url, &dump, pieces.clone()).await.unwrap();
            targets.push(SqlStore::connect(&url, T0).await.unwrap());
        }
        for target in &targets {
            let (again, restored) = dumped(target).await;
            assert_eq!(lines(&restored), lines(&pieces), "{} to {}", source.place(), target.place());
            assert_eq!(again, dump);
            assert_equal_lists(source, target).await;
            assert_equal_tried_days(source, target).await;
            assert_equal_days(source, target).await;
            assert_goes_on(target).await;
        }
    }
}

async fn assert_equal_lists(source: &SqlStore, target: &SqlStore) {
    let page = PageRequest::default();
    let (all_runs, all_jobs) = (RunFilter::default(), JobFilter::default());
    assert_eq!(source.runs(&all_runs, page).await, target.runs(&all_runs, page).await);
    assert_eq!(source.jobs(&all_jobs, page).await, target.jobs(&all_jobs, page).await);
    assert_eq!(source.checkpoint("first").await, target.checkpoint("first").await);
    assert_eq!(source.job_log("first", None, 10).await, target.job_log("first", None, 10).await);
    let logged = PredictionFilter::default();
    assert_eq!(source.predictions(&logged, page).await, target.predictions(&logged, page).await);
    assert_eq!(source.ledger(None, page).await, target.ledger(None, page).await);
}

/// Days of tries, of which dumps before schema 8 hold none.
async fn assert_equal_tried_days(source: &SqlStore, target: &SqlStore) {
    let days = async |store: &SqlStore| {
        store.tried_days(&series("BTCUSDT"), TimeRange::ALL, PRICE_TASK, "price-24", 10).await.unwrap()
    };
    assert_eq!(days(source).await.len(), 1);
    assert_eq!(days(source).await, days(target).await);
}

async fn assert_equal_days(source: &SqlStore, target: &SqlStore) {
    let days = async |store: &SqlStore| {
        store.prediction_days(&PredictionsOf::All, None, TimeRange::ALL, PageRequest::default()).await.unwrap().items
    };
    assert_eq!(days(source).await.len(), 1);
    assert_eq!(days(source).await, days(target).await);
}

/// What is recorded later comes after what was read in, and the rules of the schema hold.
async fn assert_goes_on(target: &SqlStore) {
    let newest = PageRequest::first(1);
    assert!(target.start_run(&run("later", 1)).await.unwrap());
    assert_eq!(target.runs(&RunFilter::default(), newest).await.unwrap().items[0].asked.id, "later");
    assert!(!target.start_run(&run("full", 0)).await.unwrap());
    target.append_predictions(&[prediction("m", 2, 2, 1.0)]).await.unwrap();
    let ids: Vec<_> =
        target.predictions(&PredictionFilter::default(), newest).await.unwrap().items.iter().map(|p| p.id.0).collect();
    assert_eq!(ids, [5]);
    let again = prediction("gone", -20, 1, 100.0);
    assert_eq!(target.append_predictions(&[again]).await, Ok(0), "its day was rolled up");
    assert_eq!(target.retry_job("first", at(200)).await.unwrap().attempt, 1);
}

#[tokio::test]
async fn predictions_of_every_task_pass_through_a_dump() {
    let dir = tempfile::tempdir().unwrap();
    for (number, source) in backends("dump_tasks").await.stores.iter().enumerate() {
        let price = NewPrediction { direction: Some(Move::Down), ..prediction("m", 0, 1, 100.0) };
        let made = [price, class_prediction("c", 0, Action::Sell), volatility_prediction("v", 1, 0.1)];
        source.append_predictions(&made).await.unwrap();
        let (dump, pieces) = dumped(source).await;
        let file = dir.path().join(format!("{number}.db"));
        load_file(&file, &dump, pieces.clone()).await.unwrap();
        let mut targets = vec![SqlStore::open_file(&file, T0).await.unwrap()];
        if let Some(url) = postgres_url(&format!("dump_tasks_{number}")).await {
            load_server(&url, &dump, pieces).await.unwrap();
            targets.push(SqlStore::connect(&url, T0).await.unwrap());
        }
        for target in &targets {
            let page = target.predictions(&PredictionFilter::default(), PageRequest::default()).await.unwrap();
            let mut found: Vec<_> = page.items.into_iter().map(|p| p.made).collect();
            found.sort_by_key(|made| made.target_time);
            assert_eq!(found, made, "{}", target.place());
        }
    }
}

/// Tables that there were none of in schema 2.
const LATER_TABLES: [&str; 4] = ["ml_prediction_days", "ml_prediction_marks", "ml_model_claims", "ml_ledger_days"];

/// Columns that schema 3 and the ones after it added to the predictions, at their end.
const ADDED: [&str; 4] = ["task", "sell_at", "buy_at", "direction"];

/// `line` without its last `n` values.
fn without_last(line: &str, n: usize) -> String {
    let mut values: Vec<Value> = serde_json::from_str(line).unwrap();
    values.truncate(values.len() - n);
    Value::Array(values).to_string()
}

/// Takes the last columns of a table, named `added`, out of a dump.
fn take_out(dump: &mut Dump, pieces: &mut [DumpPiece], table: &str, added: &[&str]) {
    let columns = &mut dump.tables.iter_mut().find(|listed| listed.name == table).unwrap().columns;
    let first = columns.len() - added.len();
    let taken: Vec<String> = columns.drain(first..).map(|column| column.name).collect();
    assert_eq!(taken, added);
    for piece in pieces.iter_mut().filter(|piece| piece.table == table) {
        piece.lines = piece.lines.lines().map(|line| without_last(line, added.len()) + "\n").collect();
    }
}

#[tokio::test]
async fn predictions_of_a_dump_that_knows_no_tasks_are_of_prices() {
    let dir = tempfile::tempdir().unwrap();
    for (number, source) in backends("dump_before_tasks").await.stores.iter().enumerate() {
        fill(source).await;
        let (mut dump, mut pieces) = dumped(source).await;
        dump.schema = 2;
        dump.tables.retain(|table| !LATER_TABLES.contains(&table.name.as_str()));
        pieces.retain(|piece| !LATER_TABLES.contains(&piece.table.as_str()));
        take_out(&mut dump, &mut pieces, "ml_predictions", &ADDED);
        take_out(&mut dump, &mut pieces, "ml_training_jobs", &["payload_version", "folder"]);
        take_out(&mut dump, &mut pieces, "ml_models", &["folder"]);
        let file = dir.path().join(format!("{number}.db"));
        load_file(&file, &dump, pieces.clone()).await.unwrap();
        let mut targets = vec![SqlStore::open_file(&file, T0).await.unwrap()];
        if let Some(url) = postgres_url(&format!("dump_before_tasks_{number}")).await {
            load_server(&url, &dump, pieces).await.unwrap();
            targets.push(SqlStore::connect(&url, T0).await.unwrap());
        }
        for target in &targets {
            assert_equal_lists(source, target).await;
            let of_prices = PredictionFilter { task: Some(PRICE_TASK.into()), ..PredictionFilter::default() };
            let found = target.predictions(&of_prices, PageRequest::default()).await.unwrap().items;
            assert_eq!(found.len(), 3, "{}", target.place());
        }
    }
}

#[tokio::test]
async fn a_database_that_holds_records_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let source = SqlStore::open_in(dir.path(), T0).await.unwrap();
    fill(&source).await;
    let (dump, pieces) = dumped(&source).await;
    let file = dir.path().join("used.db");
    let used = SqlStore::open_file(&file, T0).await.unwrap();
    used.start_run(&run("mine", 0)).await.unwrap();
    let error = load_file(&file, &dump, pieces.clone()).await.unwrap_err();
    assert!(matches!(error, MetaError::Conflict { .. }) && error.to_string().contains("ml_runs"), "{error}");
    assert_eq!(used.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items.len(), 1);

    let Some(url) = postgres_url("dump_used").await else { return };
    let used = SqlStore::connect(&url, T0).await.unwrap();
    used.start_run(&run("mine", 0)).await.unwrap();
    assert!(matches!(load_server(&url, &dump, pieces).await, Err(MetaError::Conflict { .. })));
    assert_eq!(used.jobs(&JobFilter::default(), PageRequest::default()).await.unwrap().items, []);
}

#[tokio::test]
async fn a_dump_that_is_not_whole_leaves_the_database_empty() {
    let dir = tempfile::tempdir().unwrap();
    let source = SqlStore::open_in(dir.path(), T0).await.unwrap();
    fill(&source).await;
    let (dump, pieces) = dumped(&source).await;
    let last = pieces.len() - 1;
    let altered = |change: &dyn Fn(&mut Vec<DumpPiece>)| {
        let mut pieces = pieces.clone();
        change(&mut pieces);
        pieces
    };
    let bad = [
        (
            "a line is missing",
            altered(&|p| p[last].lines = p[last].lines.lines().skip(1).map(|l| l.to_owned() + "\n").collect()),
        ),
        ("a piece is missing", altered(&|p| drop(p.remove(last)))),
        ("a line is cut off", altered(&|p| drop(p[last].lines.split_off(20)))),
        ("a table is not listed", altered(&|p| p[last].table = "pg_class".into())),
        ("a line comes twice", altered(&|p| p.push(p[0].clone()))),
    ];
    let url = postgres_url("dump_broken").await;
    for (what, pieces) in bad {
        let file = dir.path().join(format!("{what}.db"));
        assert!(load_file(&file, &dump, pieces.clone()).await.is_err(), "{what}");
        let target = SqlStore::open_file(&file, T0).await.unwrap();
        assert_eq!(dumped(&target).await.0.rows(), 0, "{what}");
        let Some(url) = &url else { continue };
        assert!(load_server(url, &dump, pieces).await.is_err(), "{what}");
        let target = SqlStore::connect(url, T0).await.unwrap();
        assert_eq!(dumped(&target).await.0.rows(), 0, "{what}");
    }
}

#[tokio::test]
async fn a_newer_dump_is_refused_and_a_last_minute_error_undoes_everything() {
    let dir = tempfile::tempdir().unwrap();
    let source = SqlStore::open_in(dir.path(), T0).await.unwrap();
    fill(&source).await;
    let (dump, pieces) = dumped(&source).await;
    let newer = Dump { schema: 999, ..dump.clone() };
    let error = load_file(&dir.path().join("newer.db"), &newer, pieces.clone()).await.unwrap_err();
    assert!(matches!(error, MetaError::Newer { found: 999, .. }), "{error}");

    let Some(url) = postgres_url("dump_undone").await else { return };
    let stop = || Err(MetaError::Conflict { what: "folder", id: "data".into(), problem: "is in the way".into() });
    let undone = SqlStore::load_server(&url, T0, &dump, all_good(pieces.clone()), "undone", stop).await;
    assert!(matches!(undone, Err(MetaError::Conflict { what: "folder", .. })), "{undone:?}");
    load_server(&url, &dump, pieces).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dump_shows_one_moment_while_others_write() {
    for store in &backends("dump_moment").await.stores {
        fill(store).await;
        let runtime = tokio::runtime::Handle::current();
        let mut n_written = 0;
        let mut jobs = String::new();
        let dump = store
            .dump(|piece| {
                let job = NewJob::new(format!("late-{n_written}"), "train", json!({}));
                tokio::task::block_in_place(|| runtime.block_on(store.enqueue(&job, at(300))))?;
                n_written += 1;
                if piece.table == "ml_training_jobs" {
                    jobs.push_str(&piece.lines);
                }
                Ok::<(), MetaError>(())
            })
            .await
            .unwrap();
        assert!(n_written >= dump.tables.len() && !jobs.contains("late-"), "{jobs}");
        assert_eq!(dump.table("ml_training_jobs").unwrap().rows, 2);
        let all = store.jobs(&JobFilter::default(), PageRequest::default()).await.unwrap().items.len();
        assert_eq!(all, 2 + n_written);
    }
}

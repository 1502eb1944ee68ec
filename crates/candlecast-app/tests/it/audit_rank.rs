//! `audit features` and `features rank` on stored series and on the generated market.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use candlecast_app::TrainJob;
use candlecast_app::doc::{AuditDoc, RankingDoc};
use candlecast_core::market::{MarketConfig, generate, random_walk};
use candlecast_core::{
    CandleSeries, FeatureSet, FilledSeries, ModelRequest, NoProgress, Problem, ProgressSink, Seed, SeriesKey,
    TimeRange, Timestamp,
};
use candlecast_host::Host;
use candlecast_learn::Market;
use candlecast_pipeline::{AuditOptions, MAX_FILL, PipelineOptions, RankOptions, RankedFeature, Ranking, plan_config};
use serde_json::json;

use crate::world::{model, store, world};

/// A walk whose returns contain -0.4 times the last one.
fn reverting(n_candles: usize) -> CandleSeries {
    random_walk(n_candles, Seed(9), 0.4)
}

fn common(features: &[&str]) -> PipelineOptions {
    PipelineOptions { features: Some(FeatureSet::of(features)), ..PipelineOptions::new(1) }
}

async fn rank(app: &Host, key: &SeriesKey, request: ModelRequest, common: PipelineOptions) -> Result<Ranking, Problem> {
    rank_within(app, key, request, common, TimeRange::ALL).await
}

async fn rank_within(
    app: &Host,
    key: &SeriesKey,
    request: ModelRequest,
    common: PipelineOptions,
    range: TimeRange,
) -> Result<Ranking, Problem> {
    let (options, watch) = (RankOptions::default(), Arc::new(NoProgress));
    candlecast_app::rank::rank_features(app, key, request, common, range, options, watch).await
}

const FEATURES: [&str; 4] = ["hour_sin", "simple_return_1", "volume_ratio_20", "log_return_1"];

fn named<'a>(ranking: &'a Ranking, name: &str) -> &'a RankedFeature {
    ranking.features.iter().find(|f| f.feature == name).unwrap()
}

#[tokio::test]
async fn the_planted_feature_comes_first_and_its_copy_is_redundant() {
    let world = world();
    let key = store(&world.app, &reverting(8_000)).await;
    let ranking = rank(&world.app, &key, model("linear", json!({})), common(&FEATURES)).await.unwrap();
    assert_eq!(ranking.features.len(), 4);
    let (log, simple) = (named(&ranking, "log_return_1"), named(&ranking, "simple_return_1"));
    // A correlation of -0.4 between normals is 0.087 nats; ten bins keep most of it.
    for f in [log, simple] {
        assert!((0.05..0.15).contains(&f.information.value), "{f:?}");
        assert!(f.information.chance.unwrap().abs() < 0.01, "{f:?}");
        assert_eq!(f.information.p_value, Some(1.0 / 51.0));
        assert_eq!(f.sign_information.p_value, Some(1.0 / 51.0));
        assert!((-0.5..-0.28).contains(&f.spearman.unwrap()), "{f:?}");
        assert!(f.sign_information.value < f.information.value);
    }
    let hour = named(&ranking, "hour_sin");
    assert!(hour.information.value < 0.01 && hour.spearman.unwrap().abs() < 0.1, "{hour:?}");
    assert!(["log_return_1", "simple_return_1"].contains(&ranking.features[0].feature.as_str()));
    assert!(ranking.features[0].permutation.unwrap().mean > 0.0);
    assert!(ranking.features[0].permutation.unwrap().deviation.is_some());
    let redundant: Vec<&RankedFeature> = ranking.features.iter().filter(|f| f.redundant_with.is_some()).collect();
    assert!(redundant.len() == 1 && redundant[0].feature.ends_with("return_1"), "{redundant:?}");
    let (of, correlation) = redundant[0].redundant_with.clone().unwrap();
    assert!(of.ends_with("return_1") && of != redundant[0].feature && correlation > 0.999, "{of} {correlation}");
    assert_eq!(ranking.kept().count(), 3);
    let own: f64 = ranking.features.iter().filter_map(|f| f.own).sum();
    assert!((own - 1.0).abs() < 1e-9, "{own}");
}

#[tokio::test]
async fn trees_find_it_too_and_a_ranking_repeats() {
    let world = world();
    let key = store(&world.app, &reverting(8_000)).await;
    let request = || model("gbdt", json!({ "rounds": 60, "maxDepth": 3 }));
    let features = ["hour_sin", "log_return_1", "volume_ratio_20"];
    let first = rank(&world.app, &key, request(), common(&features)).await.unwrap();
    assert_eq!(first.features[0].feature, "log_return_1");
    assert!(first.features[0].permutation.unwrap().mean > 0.01, "{:?}", first.features[0]);
    let again = rank(&world.app, &key, request(), common(&features)).await.unwrap();
    assert_eq!(first, again);
}

#[tokio::test]
async fn only_the_range_is_looked_at() {
    let (full, cut) = (world(), world());
    let series = reverting(3_000);
    let end = Timestamp(series.open_time()[2_000]);
    let range = TimeRange { from: TimeRange::ALL.from, to: end };
    let key = store(&full.app, &series).await;
    store(&cut.app, &series.between(range)).await;
    let over =
        async |app: &Host| rank_within(app, &key, model("linear", json!({})), common(&FEATURES), range).await.unwrap();
    let of_full = over(&full.app).await;
    assert!(of_full.train.range.to <= of_full.valid.range.from && of_full.valid.range.to <= end);
    assert_eq!((of_full.ranked_to, of_full.test_from), (end, None), "the end is what was asked for");
    assert_eq!(of_full, over(&cut.app).await, "the candles after the range make no difference");
}

/// `series` with other prices from row `first` on.
fn shaken(series: &CandleSeries, first: usize) -> CandleSeries {
    let mut columns = series.columns().slice(0..first);
    for i in first..series.len() {
        let mut candle = series.candle(i);
        for price in [&mut candle.open, &mut candle.high, &mut candle.low, &mut candle.close] {
            *price *= if i % 2 == 0 { 1.1 } else { 0.9 };
        }
        columns.push(&candle);
    }
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

#[tokio::test]
async fn the_test_part_of_the_next_training_is_not_looked_at() {
    let series = reverting(4_000);
    let market = Market::new(FilledSeries::new(&series, MAX_FILL));
    let plan = plan_config(&common(&FEATURES)).training(&market, TimeRange::ALL).unwrap();
    let (chain_from, test_from) = (plan.folds[0].test.from, plan.scored.from);
    let first = series.open_time().partition_point(|&time| time < chain_from.ms());
    assert!(first > 1_000 && chain_from < test_from);

    let (plain, other) = (world(), world());
    let key = store(&plain.app, &series).await;
    store(&other.app, &shaken(&series, first)).await;
    let ranked = async |app: &Host, range| {
        rank_within(app, &key, model("linear", json!({})), common(&FEATURES), range).await.unwrap()
    };
    let ranking = ranked(&plain.app, TimeRange::ALL).await;
    assert_eq!((ranking.ranked_to, ranking.test_from), (chain_from, Some(test_from)));
    assert!(ranking.valid.range.to <= chain_from);
    assert_eq!(ranking, ranked(&other.app, TimeRange::ALL).await, "whatever happens there");
    // An end that is asked for is the end, though the test part lies before it.
    let whole = TimeRange { to: Timestamp(series.open_time()[3_999] + 1), ..TimeRange::ALL };
    assert_ne!(ranked(&plain.app, whole).await, ranked(&other.app, whole).await);

    let job = TrainJob::new(vec![key.clone()], model("linear", json!({})), common(&FEATURES), Seed(42));
    let trained = candlecast_app::train(&plain.app, job, Arc::new(NoProgress)).await.unwrap();
    let scored = &trained.models[0].report.models[0].forecasts;
    assert_eq!(scored.from, Some(test_from), "this is where a training is tested");
}

#[tokio::test]
async fn what_cannot_be_ranked_is_said() {
    let world = world();
    let key = store(&world.app, &reverting(2_500)).await;
    let refused = |result: Result<Ranking, Problem>| result.unwrap_err().code;
    let hybrid = rank(&world.app, &key, model("hybrid", json!({})), common(&FEATURES)).await;
    assert_eq!(refused(hybrid), "closes-only");
    let unknown = rank(&world.app, &key, model("linear", json!({})), common(&["nonsense"])).await;
    assert_eq!(refused(unknown), "bad-feature");
    // The walk has no taker volumes: alone the feature cannot be ranked, beside others it is left out.
    let undefined = rank(&world.app, &key, model("linear", json!({})), common(&["taker_buy_share_24"])).await;
    assert_eq!(refused(undefined), "undefined-features");
    let beside =
        rank(&world.app, &key, model("linear", json!({})), common(&["taker_buy_share_24", "rsi_14"])).await.unwrap();
    assert_eq!(beside.left_out, [("taker_buy_share_24".to_owned(), 0.0)]);
    assert_eq!(beside.features.len(), 1);
    let few = PipelineOptions { min_candles: 5_000, ..common(&FEATURES) };
    assert_eq!(refused(rank(&world.app, &key, model("linear", json!({})), few).await), "too-few-candles");
    world.cancel.store(true, Ordering::Relaxed);
    assert_eq!(refused(rank(&world.app, &key, model("linear", json!({})), common(&FEATURES)).await), "cancelled");
}

#[tokio::test]
async fn the_ranking_document_has_every_figure() {
    let world = world();
    let key = store(&world.app, &reverting(4_000)).await;
    let ranking = rank(&world.app, &key, model("linear", json!({})), common(&FEATURES)).await.unwrap();
    let doc = serde_json::to_value(RankingDoc::new(&ranking, 42)).unwrap();
    assert_eq!(doc["series"], json!({ "venue": "synthetic", "symbol": "WALKUSDT", "interval": "1h" }));
    assert_eq!((&doc["synthetic"], &doc["model"], &doc["horizonSteps"]), (&json!(true), &json!("linear"), &json!(1)));
    let (ranked_to, test_from) = (ranking.ranked_to.to_string(), ranking.test_from.unwrap().to_string());
    assert_eq!((&doc["rankedTo"], &doc["testFrom"]), (&json!(ranked_to), &json!(test_from)));
    assert_eq!(doc["features"].as_array().unwrap().len(), 4);
    assert_eq!(doc["kept"].as_array().unwrap().len(), 3);
    let first = &doc["features"][0];
    assert_eq!(first["rank"], 1);
    for field in ["permutationImportance", "permutationDeviation", "ownImportance", "spearman"] {
        assert!(first[field].is_f64(), "{field} in {first}");
    }
    for measure in ["mutualInformation", "signInformation", "absSpearman"] {
        for field in ["value", "chance", "pValue"] {
            assert!(first[measure][field].is_f64(), "{measure}.{field} in {first}");
        }
    }
}

#[tokio::test]
async fn the_generated_market_passes_the_audit() {
    let world = world();
    let options = AuditOptions { cuts: 2, candles: 2_000 };
    let set = FeatureSet::of(&["default"]);
    let progress = Arc::new(Heard::default());
    let audited = candlecast_app::audit::audit_features(
        &world.app,
        None,
        &set,
        options,
        Arc::clone(&progress) as Arc<dyn ProgressSink>,
    )
    .await
    .unwrap();
    assert!(audited.passed() && audited.verdict().is_ok(), "{:?}", audited.findings);
    assert_eq!((audited.features.len(), audited.candles, audited.cuts), (45, 2_000, 2));
    assert!(audited.undefined.is_empty() && audited.notes.is_empty(), "{:?}", audited.notes);
    assert!(progress.0.lock().unwrap().iter().all(|&(done, of)| done < of && of == 45));
    assert!(progress.0.lock().unwrap().len() > 3);
    let doc = serde_json::to_value(AuditDoc::new(&audited, 42)).unwrap();
    assert_eq!((&doc["passed"], &doc["features"], &doc["findings"]), (&json!(true), &json!(45), &json!([])));
    assert_eq!(doc["series"]["venue"], "synthetic");
}

#[tokio::test]
async fn a_stored_series_is_audited_on_its_newest_candles() {
    let world = world();
    let key = store(&world.app, &reverting(1_500)).await;
    let options = AuditOptions { cuts: 2, candles: 600 };
    let set = FeatureSet::of(&["rsi_14", "taker_buy_share_24"]);
    let audited = candlecast_app::audit::audit_features(&world.app, Some(&key), &set, options, Arc::new(NoProgress))
        .await
        .unwrap();
    assert!(audited.passed());
    assert_eq!((audited.key, audited.candles), (key, 600));
    assert_eq!(audited.range.unwrap().from.ms(), reverting(1_500).open_time()[900]);
    assert_eq!(audited.undefined, ["taker_buy_share_24"]);
    assert_eq!(audited.notes.len(), 2, "few candles, and a feature without a value: {:?}", audited.notes);
}

#[tokio::test]
async fn audits_that_cannot_be_made_are_refused() {
    let world = world();
    let audit = async |features: &[&str], options: AuditOptions| {
        let set = FeatureSet::of(features);
        candlecast_app::audit::audit_features(&world.app, None, &set, options, Arc::new(NoProgress)).await.unwrap_err()
    };
    assert_eq!(audit(&["rsl_14"], AuditOptions::default()).await.code, "bad-feature");
    assert_eq!(audit(&["rsi_14"], AuditOptions { cuts: 0, candles: 500 }).await.field.as_deref(), Some("cuts"));
    let unknown = generate(&MarketConfig { n_candles: 10, ..MarketConfig::default() })[1].series.key().clone();
    let set = FeatureSet::of(&["rsi_14"]);
    let missing = candlecast_app::audit::audit_features(
        &world.app,
        Some(&unknown),
        &set,
        AuditOptions::default(),
        Arc::new(NoProgress),
    )
    .await;
    assert_eq!(missing.unwrap_err().code, "unknown-series");
    world.cancel.store(true, Ordering::Relaxed);
    assert_eq!(audit(&["rsi_14"], AuditOptions { cuts: 1, candles: 100 }).await.code, "cancelled");
}

/// Keeps what it hears.
#[derive(Default)]
struct Heard(Mutex<Vec<(u64, u64)>>);

impl ProgressSink for Heard {
    fn progress(&self, _: &str, done: u64, of: u64) {
        self.0.lock().unwrap().push((done, of));
    }
}

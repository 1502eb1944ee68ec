//! What runs could not put on record, noted beside the models until somebody can.
//!
//! A note is written before the models are that came of a run, and goes when it is on record: so a copy of the models,
//! or a backup, has either the record or the note. Recording the same twice records it once.

use std::path::PathBuf;

use candlecast_core::{Problem, Timestamp};
use candlecast_files::{Note, create_folder, sha256_hex};
use candlecast_host::{Host, blocking, briefly};
use candlecast_meta::{LedgerEntry, MetadataStore, NewRun, RunState, TryDays};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::records::LedgerLines;

/// Folder of the notes below that of the models. It is no venue of models: none has an interval below it.
const FOLDER: &str = "pending-records";
const FORMAT: u32 = 1;
/// Characters of the hash that a note is named by.
const NAME_CHARS: usize = 32;

/// What is still to be recorded of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PendingRecord {
    format: u32,
    tries: Vec<LedgerEntry>,
    /// What the tries were worth day by day; none in notes of programs that did not keep it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<TryDays>,
    /// Once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<EndedRun>,
}

/// A run that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EndedRun {
    pub(crate) asked: NewRun,
    pub(crate) result: Value,
    pub(crate) finished_at: Timestamp,
}

impl PendingRecord {
    pub(crate) fn of_lines(LedgerLines { entries: tries, days }: LedgerLines) -> Self {
        Self { format: FORMAT, tries, days, run: None }
    }

    pub(crate) fn with_run(self, run: EndedRun) -> Self {
        Self { run: Some(run), ..self }
    }

    /// Notes it durably, in the place of what was noted of the same attempt before.
    pub(crate) async fn write(&self, host: &Host, attempt_id: &str) -> Result<Note, Problem> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| Problem::data("save-failed", e.to_string()))?;
        let name: String = sha256_hex(attempt_id.as_bytes()).chars().take(NAME_CHARS).collect();
        blocking(host, move |host| {
            let folder = folder(host);
            create_folder(&folder)?;
            Ok(Note::write(&folder, &format!("{name}.json"), &text)?)
        })
        .await
    }

    async fn record(&self, store: &dyn MetadataStore) -> Result<(), Problem> {
        store.record_tries_with_days(&self.tries, &self.days).await?;
        if let Some(EndedRun { asked, result, finished_at }) = &self.run {
            store.start_run(asked).await?;
            store.finish_run(&asked.id, RunState::Succeeded, Some(result), None, *finished_at).await?;
        }
        Ok(())
    }
}

/// Records what is noted, if its writer is gone or has given it up. Never fails; what cannot be recorded now stays noted,
/// and the reason is logged.
pub(crate) async fn replay_pending(host: &Host) {
    let left = blocking(host, |host| Ok(Note::left_in(&folder(host))?)).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "whether something is still to be recorded is not known");
        Vec::new()
    });
    for (note, text) in left {
        let path = note.path().to_owned();
        let pending = match serde_json::from_slice::<PendingRecord>(&text) {
            Ok(pending) if pending.format == FORMAT => pending,
            Ok(PendingRecord { format, .. }) => {
                tracing::warn!(path = %path.display(), format, "what was tried is noted by a newer program, which will record it");
                continue;
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "what was tried is not on record, and its note cannot be read");
                continue;
            }
        };
        let recorded = briefly(async { pending.record(host.metadata().await?.as_ref()).await }).await;
        if let Err(error) = recorded {
            tracing::warn!(path = %path.display(), %error, "what was tried is still not on record");
            if error.passes() {
                // The database is away: the others would fail, too.
                return;
            }
            continue;
        }
        done(host, Some(note)).await;
    }
}

/// What is noted is on record. A note that cannot be removed is recorded again, which changes nothing.
pub(crate) async fn done(host: &Host, note: Option<Note>) {
    let Some(note) = note else { return };
    if let Err(error) = blocking(host, move |_| Ok(note.remove()?)).await {
        tracing::warn!(%error, "a note of what is on record stays");
    }
}

fn folder(host: &Host) -> PathBuf {
    host.settings.models_dir.join(FOLDER)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use candlecast_config::{Flags, Settings};
    use candlecast_core::market::random_walk;
    use candlecast_core::{FeatureSet, Interval, ModelRequest, NoProgress, Seed, SeriesKey, Symbol, TimeRange, Venue};
    use candlecast_host::{Clock, HostOptions};
    use candlecast_jobs::Attempt;
    use candlecast_meta::{DailyValues, PageRequest, Run, RunFilter, SqlStore};
    use candlecast_pipeline::PipelineOptions;
    use serde_json::json;

    use super::*;
    use crate::catch_up::catch_up;
    use crate::data::store_series;
    use crate::records::{RunRecorder, recorder};
    use crate::train::{TrainJob, train_recorded};

    const NOW: Timestamp = Timestamp(1_704_067_200_000);

    fn host(folder: &Path) -> Host {
        let flags = Flags { data_dir: Some(folder.to_owned()), ..Flags::default() };
        let cancel = Arc::new(AtomicBool::new(false));
        let options = HostOptions { seed: Seed(42), threads: Some(2), clock: Clock::Fixed(NOW), cancel };
        Host::open(Settings::load(&flags, |_| None, &crate::MODEL_CATALOG).unwrap(), options).unwrap()
    }

    /// Puts on record where nothing can be written.
    async fn cut_off(folder: &Path) -> RunRecorder {
        let store = SqlStore::open_file(&folder.join("away.db"), NOW).await.unwrap();
        store.close().await;
        RunRecorder { store: Arc::new(store), attempt: Attempt::alone(NOW) }
    }

    async fn ledger(host: &Host) -> Vec<LedgerEntry> {
        host.metadata().await.unwrap().ledger(None, PageRequest::default()).await.unwrap().items
    }

    async fn runs(host: &Host) -> Vec<Run> {
        host.metadata().await.unwrap().runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items
    }

    fn notes(host: &Host) -> usize {
        fs::read_dir(folder(host)).into_iter().flatten().count()
    }

    fn entry() -> LedgerEntry {
        let year = |year| Timestamp::year_start(year);
        LedgerEntry {
            id: "a-try".into(),
            kind: "train".into(),
            series: SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1),
            task: "price".into(),
            model_type: "gbdt".into(),
            config: json!({ "rounds": 10, "learningRate": 0.1 }),
            config_hash: "a-hash".into(),
            period: TimeRange { from: year(2022), to: year(2023) },
            score: Some(0.1 + 0.2),
            sharpe: None,
            run_id: Some("a-run".into()),
            tried_at: NOW,
        }
    }

    fn lines() -> LedgerLines {
        let days = DailyValues { first_day: 19_000, values: vec![Some(0.1), None, Some(-1.5)] };
        let days = vec![TryDays { try_id: "a-try".into(), measure: "m".into(), days }];
        LedgerLines { entries: vec![entry()], days }
    }

    #[tokio::test]
    async fn a_model_that_is_saved_while_the_records_are_away_gets_its_line_in_the_ledger_once() {
        let dir = tempfile::tempdir().unwrap();
        let app = host(dir.path());
        let series = random_walk(2_500, Seed(4), 0.4);
        store_series(&app, &series).await.unwrap();
        let job = TrainJob::new(
            vec![series.key().clone()],
            ModelRequest { id: "gbdt".into(), params: json!({ "rounds": 10, "patience": 0, "maxDepth": 3 }) },
            PipelineOptions { features: Some(FeatureSet::of(&["log_return_1"])), ..PipelineOptions::new(3) },
            Seed(42),
        );
        let recorder = cut_off(dir.path()).await;
        let trained = train_recorded(&app, &job, Arc::new(NoProgress), &recorder).await.unwrap();
        assert_eq!(trained.models[0].candidate_because, None, "it serves");
        assert_eq!((ledger(&app).await.len(), notes(&app)), (0, 1));

        let next = host(dir.path());
        for _ in 0..2 {
            catch_up(&next).await;
            let (tried, runs) = (ledger(&next).await, runs(&next).await);
            assert_eq!((tried.len(), runs.len(), notes(&next)), (1, 1, 0));
            assert_eq!((tried[0].model_type.as_str(), tried[0].series.clone()), ("gbdt", series.key().clone()));
            assert_eq!(tried[0].run_id.as_ref(), Some(&runs[0].asked.id));
            let saved = runs[0].result.as_ref().unwrap()["modelId"].clone();
            assert_eq!((runs[0].state, saved), (RunState::Succeeded, json!(trained.models[0].manifest.id)));
        }
    }

    #[tokio::test]
    async fn what_a_run_tried_that_was_stopped_after_it_had_saved_is_recorded_by_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let app = host(dir.path());
        let note = cut_off(dir.path()).await.record_or_note(&app, lines()).await.unwrap();
        assert!(note.is_some());
        catch_up(&app).await;
        assert!(ledger(&app).await.is_empty(), "the run is under way");
        drop(note);
        recorder(&app, Attempt::alone(NOW)).await.unwrap();
        assert_eq!((ledger(&app).await, notes(&app)), (vec![entry()], 0));
        let (tried, store) = (entry(), app.metadata().await.unwrap());
        let days = store.tried_days(&tried.series, tried.period, "price", "m", 9).await.unwrap();
        assert_eq!((days.len(), &days[0].days), (1, &lines().days[0].days));
        assert!(runs(&app).await.is_empty(), "how it ended is not known");
    }

    #[tokio::test]
    async fn nothing_is_saved_of_what_can_neither_be_recorded_nor_noted() {
        let dir = tempfile::tempdir().unwrap();
        let app = host(dir.path());
        fs::create_dir_all(&app.settings.models_dir).unwrap();
        fs::write(folder(&app), b"a file in its place").unwrap();
        let error = cut_off(dir.path()).await.record_or_note(&app, lines()).await.unwrap_err();
        assert!(error.detail.contains("so nothing is saved") && error.detail.contains(FOLDER), "{error}");
    }

    #[tokio::test]
    async fn a_note_that_cannot_be_read_stays_and_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let app = host(dir.path());
        drop(PendingRecord::of_lines(lines()).write(&app, "an-attempt").await.unwrap());
        for (name, text) in [("0.json", "{"), ("1.json", r#"{"format":2,"tries":[]}"#)] {
            fs::write(folder(&app).join(name), text).unwrap();
        }
        catch_up(&app).await;
        assert_eq!((ledger(&app).await.len(), notes(&app)), (1, 2));
    }

    #[tokio::test]
    async fn a_note_of_what_the_records_refuse_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let app = host(dir.path());
        let odd = LedgerEntry { id: "another".into(), task: String::new(), ..entry() };
        let refused = app.metadata().await.unwrap().record_tries(std::slice::from_ref(&odd)).await;
        assert!(refused.is_err_and(|e| !Problem::from(e).passes()));
        for (attempt, entry) in [("0", odd.clone()), ("1", entry()), ("2", odd)] {
            drop(PendingRecord::of_tries(vec![entry]).write(&app, attempt).await.unwrap());
        }
        catch_up(&app).await;
        assert_eq!((ledger(&app).await, notes(&app)), (vec![entry()], 2));
    }

    #[test]
    fn a_record_comes_back_from_its_text_as_it_was() {
        let pending = PendingRecord::of_lines(lines());
        let text = serde_json::to_vec(&pending).unwrap();
        assert_eq!(serde_json::from_slice::<PendingRecord>(&text).unwrap(), pending);
    }
}

//! [`Checkpoints`]: what a long run has finished, on disk until the run ends, so that an interrupted one goes on.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::fingerprint::hex;

/// Age after which what an interrupted run left is taken away.
const KEPT_FOR: Duration = Duration::from_secs(14 * 86_400);

/// A folder of one run, named by everything that determines the run's result.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// The folder of the run `fingerprint` below `root`; takes away what older runs left behind.
    pub(crate) fn open(root: &Path, fingerprint: &str) -> Self {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let age =
                entry.metadata().and_then(|m| m.modified()).ok().and_then(|m| SystemTime::now().duration_since(m).ok());
            if age.is_some_and(|age| age > KEPT_FOR) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Self { folder: root.join(fingerprint) }
    }

    /// The folder of what the attempts at a job have to agree on, whatever candles and models there are by then.
    pub(crate) fn of_job(root: &Path, job_id: &str) -> Self {
        Self::open(root, &format!("job-{}", hex(&Sha256::digest(job_id))))
    }

    /// Finished pieces and checkpoints that an interrupted run left.
    pub(crate) fn len(&self) -> usize {
        fs::read_dir(&self.folder).map_or(0, |entries| {
            entries.flatten().filter(|e| e.path().extension().is_some_and(|x| x == "piece" || x == "fit")).count()
        })
    }

    /// The content kept under `name`, if it is whole.
    pub(crate) fn recall(&self, name: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.folder.join(name)).ok()?;
        let (seal, content) = bytes.split_at_checked(32)?;
        (Sha256::digest(content)[..] == *seal).then(|| content.to_vec())
    }

    /// Keeps `content`. A failure costs the resumption, not the run.
    pub(crate) fn keep(&self, name: &str, content: &[u8]) {
        if let Err(error) = self.write(name, content) {
            tracing::warn!(%error, folder = %self.folder.display(), "a checkpoint could not be written");
        }
    }

    /// The run is done.
    pub(crate) fn clear(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    fn write(&self, name: &str, content: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&Sha256::digest(content))?;
        file.write_all(content)?;
        file.as_file().sync_data()?;
        file.persist(self.folder.join(name))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use candlecast_core::market::random_walk;
    use candlecast_core::{FeatureSet, Seed, SeriesKey, TimeRange, Timestamp};
    use candlecast_learn::walk_forward::{self, Hooks};

    use super::*;
    use crate::evaluation::plan_config;
    use crate::fingerprint::run_fingerprint;
    use crate::{
        App, AppClock, AppOptions, Common, Evaluation, Flags, Method, ModelRequest, Settings, Unwatched, Watch,
    };

    #[test]
    fn what_was_kept_comes_back_unless_it_was_altered() {
        let root = tempfile::tempdir().unwrap();
        let kept = Checkpoints::open(root.path(), "abc");
        assert_eq!((kept.len(), kept.recall("lstm-0.piece")), (0, None));
        kept.keep("lstm-0.piece", b"forecasts");
        kept.keep("lstm-1.fit", b"weights");
        assert_eq!(kept.recall("lstm-0.piece").as_deref(), Some(&b"forecasts"[..]));
        assert_eq!(Checkpoints::open(root.path(), "abc").len(), 2);
        assert_eq!(Checkpoints::open(root.path(), "abd").len(), 0);
        let path = root.path().join("abc/lstm-1.fit");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(kept.recall("lstm-1.fit"), None);
        kept.clear();
        assert_eq!(kept.len(), 0);
    }

    fn app(folder: &Path) -> App {
        let flags = Flags { data_dir: Some(folder.to_owned()), ..Flags::default() };
        let options = AppOptions {
            seed: Seed(42),
            threads: Some(2),
            clock: AppClock::Fixed(Timestamp::year_start(2024)),
            cancel: Arc::new(AtomicBool::new(false)),
        };
        App::open(Settings::load(&flags, |_| None).unwrap(), options).unwrap()
    }

    fn common() -> Common {
        Common { features: Some(FeatureSet::of(&["log_return_1"])), ..Common::new(2) }
    }

    async fn evaluate(app: &App, key: &SeriesKey, method: Method, watch: Arc<dyn Watch>) -> Evaluation {
        let linear = ModelRequest { id: "linear".into(), ..ModelRequest::default() };
        app.evaluate(key, vec![linear], common(), method, watch).await.unwrap()
    }

    fn forecasts<'a>(evaluation: &'a Evaluation, model: &str) -> &'a [f64] {
        &evaluation.report.models.iter().find(|m| m.name == model).unwrap().forecasts.means
    }

    /// Keeps every fit: each look at its clock takes a second.
    struct Slow {
        kept: Checkpoints,
        seconds: AtomicU64,
    }

    impl Hooks for Slow {
        fn seconds(&self) -> f64 {
            self.seconds.fetch_add(1, Ordering::Relaxed) as f64
        }
        fn cancelled(&self) -> bool {
            false
        }
        fn fits_done(&self, _: usize, _: usize, _: &str) {}
        fn keep(&self, name: &str, content: &[u8]) {
            self.kept.keep(name, content);
        }
    }

    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Watch for Notes {
        fn progress(&self, _: &str, _: u64, _: u64) {}
        fn note(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    /// The forecasts of another model are kept in a model's place: they turn up in the report, so the pieces were read
    /// and the model was not fitted.
    #[tokio::test]
    async fn a_kept_piece_takes_the_place_of_its_fit() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path());
        let series = random_walk(2_400, Seed(3), 0.4);
        app.store_series(&series).await.unwrap();
        let border = Timestamp(series.open_time()[1_800]);
        let (train, test) = (TimeRange { to: border, ..TimeRange::ALL }, TimeRange { from: border, ..TimeRange::ALL });
        let method = Method::Simple { train, test };
        let undisturbed = evaluate(&app, series.key(), method, Arc::new(Unwatched)).await;
        assert_ne!(forecasts(&undisturbed, "linear"), forecasts(&undisturbed, "drift"));

        let run = run_fingerprint(&undisturbed.fingerprint, "evaluate");
        let slow = Slow { kept: Checkpoints::open(&app.checkpoints_dir(), &run), seconds: AtomicU64::new(0) };
        let plan = plan_config(&common()).simple(&undisturbed.market, train, test).unwrap();
        walk_forward::run(&undisturbed.contenders, &plan, app.seed, &slow).unwrap();
        let kept = slow.kept;
        for fold in 0..plan.folds.len() {
            let drift = kept.recall(&format!("drift-{fold}.piece")).unwrap();
            assert!(kept.recall(&format!("linear-{fold}.piece")).is_some_and(|linear| linear != drift));
            kept.keep(&format!("linear-{fold}.piece"), &drift);
        }
        let told = format!("going on from {} pieces", kept.len());
        let notes = Arc::new(Notes::default());
        let resumed = evaluate(&app, series.key(), method, Arc::clone(&notes) as Arc<dyn Watch>).await;
        assert!(notes.0.lock().unwrap().iter().any(|note| note.starts_with(&told)), "{told}: {:?}", notes.0);
        assert_eq!(forecasts(&resumed, "linear"), forecasts(&undisturbed, "drift"));
        assert_eq!(forecasts(&resumed, "drift"), forecasts(&undisturbed, "drift"));
        assert_eq!(kept.len(), 0);

        let anew = evaluate(&app, series.key(), method, Arc::new(Unwatched)).await;
        assert_eq!(forecasts(&anew, "linear"), forecasts(&undisturbed, "linear"));
    }
}

//! One trial: a configuration that is fitted and scored while its study is told how it fares.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candlecast_host::RunHooks;
use candlecast_learn::walk_forward::Hooks;
use candlecast_learn::{FitObserver, Progress, Stop, TrainState};
use candlecast_pipeline::{
    Candidate, CandidateScores, Search, SearchMetric, SeriesSize, TrialStop, memory_need, run_fingerprint,
};
use candlecast_tune::Study;
use serde_json::{Map, Value};

use crate::records::RunRecord;

/// When a study hears of how a trial fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At its end alone.
    AtTheEnd,
    /// After every epoch or round of its first fit.
    FirstFit,
    /// After every fit, of whose origins alone the figure then is.
    EveryFit,
}

impl Pace {
    /// That which the pruner called `id` needs, where trials are compared by so many metrics.
    pub(super) fn of(pruner: &str, n_metrics: usize) -> Self {
        match pruner {
            _ if n_metrics > 1 => Self::AtTheEnd,
            "none" => Self::AtTheEnd,
            "wilcoxon" => Self::EveryFit,
            _ => Self::FirstFit,
        }
    }
}

/// What a trial is evaluated with.
#[derive(Debug, Clone)]
pub(super) struct Bench {
    pub(super) search: Arc<Search>,
    pub(super) study: Arc<Mutex<Study>>,
    pub(super) metric: &'static SearchMetric,
    pub(super) pace: Pace,
    /// Where interrupted fits leave what they have.
    pub(super) checkpoints: PathBuf,
    pub(super) threads: usize,
    pub(super) max_memory: u64,
    /// How large the series is, and those of the pool.
    pub(super) sizes: (Vec<SeriesSize>, Vec<SeriesSize>),
}

/// A configuration that was scored.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) scores: CandidateScores,
    /// For the ledger.
    pub(super) record: RunRecord,
}

impl Bench {
    /// The study, for a moment.
    pub(super) fn study(&self) -> MutexGuard<'_, Study> {
        // A study is whole between two calls, whichever thread panics.
        self.study.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Evaluates trial `number` on the calling thread's pool. What an interrupted evaluation of it has kept is gone on
    /// with, but for the fit that its study watches: that is watched from its beginning.
    pub(super) fn evaluate(
        &self,
        number: u32,
        params: &Map<String, Value>,
        mut run: RunHooks,
    ) -> Result<Tried, TrialStop> {
        let candidate = self.search.candidate(params)?;
        let (own, pool) = &self.sizes;
        let models = std::slice::from_ref(&candidate.model);
        let need = memory_need(own, pool, models, &candidate.common, self.threads)?;
        if need.bytes > self.max_memory {
            return Err(need.refused(self.max_memory).into());
        }
        let record = RunRecord::of_trial(&candidate, self.search.request().range);
        run.resume(&self.checkpoints, &run_fingerprint(&candidate.fingerprints.run, "hpo"));
        let hooks = TrialHooks {
            run,
            bench: self,
            number,
            pipeline: candidate.pipeline_id().to_owned(),
            is_watched: AtomicBool::new(false),
            kept: Mutex::default(),
        };
        let scores = self.scored(&candidate, number, &hooks);
        if !matches!(scores, Err(TrialStop::Cancelled)) {
            hooks.run.done();
        }
        Ok(Tried { scores: scores?, record })
    }

    fn scored(&self, candidate: &Candidate, number: u32, hooks: &TrialHooks<'_>) -> Result<CandidateScores, TrialStop> {
        match self.pace {
            Pace::AtTheEnd => {}
            Pace::FirstFit => {
                hooks.is_watched.store(true, Ordering::SeqCst);
                candidate.fit_first(hooks)?;
                hooks.is_watched.store(false, Ordering::SeqCst);
            }
            Pace::EveryFit => {
                for fit in 0..candidate.n_fits() {
                    let figure = candidate.score_fit(fit, hooks)?[self.metric.id].as_f64();
                    if self.report(number, fit, figure.unwrap_or(f64::NAN)) {
                        return Err(TrialStop::Pruned);
                    }
                }
            }
        }
        candidate.score(hooks)
    }

    /// True where the trial is to be given up.
    fn report(&self, number: u32, step: usize, value: f64) -> bool {
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        self.study().report(number, step, value).unwrap_or(false)
    }
}

/// The outside of a trial: the run's, and the study that watches its first fit. While it does, what is fitted is kept in
/// memory alone, for the fits that follow.
struct TrialHooks<'a> {
    run: RunHooks,
    bench: &'a Bench,
    number: u32,
    pipeline: String,
    is_watched: AtomicBool,
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl TrialHooks<'_> {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hooks for TrialHooks<'_> {
    fn seconds(&self) -> f64 {
        self.run.seconds()
    }

    fn cancelled(&self) -> bool {
        self.run.cancelled()
    }

    fn fits_done(&self, _: usize, _: usize, _: &str) {}

    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        if self.is_watched.load(Ordering::SeqCst) {
            return None;
        }
        let kept = self.kept().get(name).cloned();
        kept.or_else(|| self.run.recall(name))
    }

    fn keep(&self, name: &str, content: &[u8]) {
        if self.is_watched.load(Ordering::SeqCst) {
            self.kept().insert(name.into(), content.to_vec());
        } else {
            self.run.keep(name, content);
        }
    }

    fn observer(&self, id: &str, fold: usize) -> Option<Box<dyn FitObserver + '_>> {
        let watches = self.is_watched.load(Ordering::SeqCst) && fold == 0 && id == self.pipeline;
        watches.then(|| Box::new(Epochs { bench: self.bench, number: self.number }) as Box<dyn FitObserver + '_>)
    }
}

/// Tells the study of the validation loss after every step of a fit.
struct Epochs<'a> {
    bench: &'a Bench,
    number: u32,
}

impl FitObserver for Epochs<'_> {
    fn on_step(&mut self, progress: &Progress, _: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        match progress.valid_loss {
            Some(loss) if self.bench.report(self.number, progress.step, loss) => ControlFlow::Break(Stop::Pruned),
            _ => ControlFlow::Continue(()),
        }
    }
}

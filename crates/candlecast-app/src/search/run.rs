//! The run of a search: trials side by side, the hold-out, the model that is saved.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use candlecast_core::{Blame, ModelRequest, NoProgress, Problem, ProgressSink, Stage};
use candlecast_host::Host;
use candlecast_jobs::{Attempt, JobKind};
use candlecast_learn::Report;
use candlecast_meta::Retry;
use candlecast_pipeline::doc::metrics_value;
use candlecast_pipeline::{Evaluation, PipelineOptions, Search, SearchMetric, SearchRequest, TrialStop, configured};
use candlecast_tune::{Ask, Outcome, TrialState};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Map, Value};

use crate::doc::{HoldOutDoc, SavedDoc, SearchDoc, StretchDoc};
use crate::evaluate::{ScoredPart, evaluate_part};
use crate::memory::{Fits, reserve, sizes};
use crate::pool::markets_of;
use crate::records::recorder;
use crate::search::SearchJob;
use crate::search::stored::{End, KeptTrial, StudyRecords};
use crate::search::trial::{Bench, Pace, Tried};
use crate::train::{TrainJob, train_recorded};

/// Parts of a search: the trials, the hold-out twice, the model that is saved.
const PARTS: u32 = 4;
/// Share of a search that its parts are taken to have done at their ends.
const SHARES: [f64; 5] = [0.0, 0.8, 0.87, 0.94, 1.0];

/// A trial that has ended.
struct Ended {
    number: u32,
    took: Duration,
    result: Result<Tried, TrialStop>,
}

/// A search under way.
struct Running<'a> {
    host: &'a Host,
    job: &'a SearchJob,
    metrics: Vec<&'static SearchMetric>,
    attempt: Attempt,
    records: StudyRecords,
    bench: Bench,
    watch: Arc<dyn ProgressSink>,
}

/// Does `job` as one attempt at it, from where earlier attempts have left it.
pub(super) async fn search_on_record(
    host: &Host,
    job: &SearchJob,
    watch: Arc<dyn ProgressSink>,
    attempt: Attempt,
) -> Result<SearchDoc, Problem> {
    job.check()?;
    let id = attempt.job_id().unwrap_or(&attempt.id).to_owned();
    let metrics = job.metrics()?;
    // Opens the records, and brings what earlier runs could not record to its end.
    recorder(host, attempt.clone()).await?;
    let records = StudyRecords::new(Arc::clone(host.metadata().await?), &id, &attempt.id);
    let study = records.begin(job, host.now()).await?;
    let own = std::slice::from_ref(&job.series);
    let fits = Fits {
        series: own,
        pool: &job.pool,
        models: std::slice::from_ref(&job.model),
        common: &job.common,
        at_once: host.threads(),
    };
    // Of the configuration that is searched from; each trial is held to all that there is by itself.
    let memory = reserve(host, fits, watch.as_ref()).await?;
    let sizes = (sizes(host, own).await?, sizes(host, &job.pool).await?);
    let market = host.market(&job.series, job.common.max_fill).await?;
    let pool = markets_of(host, &job.pool, job.common.max_fill).await?;
    let request = SearchRequest {
        model: job.model.clone(),
        common: job.common.clone(),
        range: job.range,
        stretches: job.folds as usize,
        seed: job.seed,
    };
    let bench = Bench {
        search: Arc::new(Search::new(market, pool, request)),
        study: Arc::new(Mutex::new(study)),
        metric: metrics[0],
        pace: Pace::of(&job.pruner.id, metrics.len()),
        checkpoints: host.checkpoints_dir(),
        threads: host.threads(),
        max_memory: host.memory().total_bytes(),
        sizes,
    };
    let running = Running { host, job, metrics, attempt, records, bench, watch };
    let folds = running.stretches().await?;
    running.trials().await?;
    // What is fitted to score the hold-out and to be saved reserves its own.
    drop(memory);
    Box::pin(running.conclude(id, folds)).await
}

impl Running<'_> {
    /// The stretches that trials are scored on. Fails where there are too few candles for them, before any trial does.
    async fn stretches(&self) -> Result<Vec<StretchDoc>, Problem> {
        let search = Arc::clone(&self.bench.search);
        let plan = self.host.compute_long(&NoProgress, move || Ok(search.candidate(&Map::new())?.plan)).await?;
        Ok(plan.folds.iter().map(StretchDoc::from).collect())
    }

    /// Evaluates trials until there are no more to make.
    async fn trials(&self) -> Result<(), Problem> {
        let (begun, limit) = (Instant::now(), self.job.timeout.map(Duration::from_secs));
        let of = self.bench.study().plan().trials;
        let shares = (SHARES[0], SHARES[1]);
        self.watch.stage(&Stage { name: "searching", no: (1, PARTS), shares, folds: None });
        let mut under_way = FuturesUnordered::new();
        let left: Vec<(u32, Map<String, Value>)> = {
            let study = self.bench.study();
            let params = |number| study.record(number).map(|record| (number, record.params));
            study.running().filter_map(params).collect()
        };
        under_way.extend(left.into_iter().map(|(number, params)| self.evaluate(number, params)));
        let mut failure = None;
        loop {
            let is_over = || limit.is_some_and(|limit| begun.elapsed() >= limit);
            while failure.is_none() && !is_over() && self.host.check_cancelled().is_ok() {
                let asked = self.bench.study().ask();
                let Ask::Trial { number, params } = asked else { break };
                if let Err(error) = self.records.begin_trial(number, &params, self.host.now()).await {
                    failure = Some(error);
                    break;
                }
                under_way.push(self.evaluate(number, params));
            }
            let Some(ended) = under_way.next().await else { break };
            if let Err(error) = self.settle(ended).await {
                failure.get_or_insert(error);
            }
            let done = self.bench.study().trials().iter().filter(|t| t.state != TrialState::Running).count();
            self.watch.progress("trials", done as u64, u64::from(of));
        }
        match failure {
            Some(error) => Err(error),
            None => self.host.check_cancelled(),
        }
    }

    /// Evaluates one trial on the computation pool.
    async fn evaluate(&self, number: u32, params: Map<String, Value>) -> Ended {
        let (bench, run) = (self.bench.clone(), self.host.hooks(Arc::new(NoProgress)));
        let begun = Instant::now();
        let done = self.host.compute_long(&NoProgress, move || Ok(bench.evaluate(number, &params, run))).await;
        let result = match done {
            Ok(result) => result,
            Err(problem) => Err(problem.into()),
        };
        Ended { number, took: begun.elapsed(), result }
    }

    /// Puts the end of a trial on record, then tells the study. An error ends the search: the trial is evaluated anew
    /// when it goes on.
    async fn settle(&self, ended: Ended) -> Result<(), Problem> {
        let Ended { number, took, result } = ended;
        let now = self.host.now();
        let mut kept =
            KeptTrial { duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX), ..self.kept(number) };
        let (end, outcome) = match result {
            Err(TrialStop::Cancelled) => return Err(Problem::cancelled()),
            Err(TrialStop::Failed(problem)) if problem.passes() || problem.blame == Blame::Cancelled => {
                return Err(problem);
            }
            Err(TrialStop::Failed(problem)) => (Err(problem.detail), Outcome::Failed),
            Err(TrialStop::Pruned) => (Ok(true), Outcome::Pruned),
            Ok(tried) => match self.values(&tried) {
                Err(why) => (Err(why), Outcome::Failed),
                Ok(values) => {
                    kept = with_scores(kept, &tried, &values);
                    self.attempt.check_held().await?;
                    self.to_ledger(&tried).await?;
                    (Ok(false), Outcome::Complete(values))
                }
            },
        };
        let end = match &end {
            Ok(false) => End::Complete(&kept),
            Ok(true) => End::Pruned(&kept),
            Err(why) => End::Failed(why),
        };
        self.attempt.check_held().await?;
        self.records.end_trial(number, end, now).await?;
        Ok(self.bench.study().tell(number, outcome)?)
    }

    /// What the study knows of the way of a trial.
    fn kept(&self, number: u32) -> KeptTrial {
        let record = self.bench.study().record(number);
        record.map_or_else(KeptTrial::default, |record| KeptTrial {
            curve: record.curve,
            rungs: record.rungs,
            ..KeptTrial::default()
        })
    }

    /// The value of each metric, or which of them has none.
    fn values(&self, tried: &Tried) -> Result<Vec<f64>, String> {
        let value = |metric: &&SearchMetric| {
            let value = tried.scores.metrics[metric.id].as_f64().filter(|value| value.is_finite());
            value.ok_or_else(|| format!("{} is not defined for its forecasts", metric.id))
        };
        self.metrics.iter().map(value).collect()
    }

    /// Puts a scored configuration on record in the ledger: the best of many looks better than it is.
    async fn to_ledger(&self, tried: &Tried) -> Result<(), Problem> {
        let record = tried.record.clone().begun(self.job.seed, self.host.now());
        let lines = record.tries(&[&tried.scores.report], &self.attempt.id, self.host.now());
        let store = self.records.store();
        Retry::default().run(|| store.record_tries_with_days(&lines.entries, &lines.days)).await?;
        Ok(())
    }

    /// Scores the hold-out, saves what was chosen, and tells it all.
    async fn conclude(&self, id: String, folds: Vec<StretchDoc>) -> Result<SearchDoc, Problem> {
        let trials = self.records.trials().await?;
        let mut doc = SearchDoc::new(&id, "completed", self.job, &trials)?;
        let Some(chosen) = doc.best_parameters.clone() else {
            let mut failures = trials.iter().filter_map(|trial| trial.error.as_deref());
            let why = failures
                .next_back()
                .map_or_else(String::new, |error| format!(", the last of those that failed: {error}"));
            let detail = format!("none of {} trials has come to its end{why}", trials.len());
            return Err(Problem::data("no-trial", detail));
        };
        let job = self.job;
        let (chosen, default) = (configured(&job.model, &job.common, &chosen)?, self.default_configuration()?);
        let winner = self.hold_out(&chosen, 1, "winner").await?;
        let default = if chosen == default { None } else { Some(self.hold_out(&default, 2, "default").await?) };
        let metric = self.metrics[0];
        let value = |evaluation: &Evaluation| own_value(&evaluation.report, metric);
        let of_default = default.as_ref().map_or_else(|| value(&winner), value);
        doc.improvement = improvement(metric, value(&winner), of_default);
        doc.looks = Some(winner.report.tries);
        doc.hold_out = Some(HoldOutDoc::new(job.hold_out, &winner, default.as_ref()));
        doc.folds = folds;
        if job.save {
            match self.save(&chosen).await {
                Ok(saved) => doc.saved = saved,
                Err(problem) if problem.blame == Blame::Cancelled || problem.passes() => return Err(problem),
                // What was found stands all the same.
                Err(problem) => doc.warnings.push(format!("the best model was not saved: {}", problem.detail)),
            }
        }
        self.records.finish(self.host.now()).await?;
        Ok(doc)
    }

    fn default_configuration(&self) -> Result<(ModelRequest, PipelineOptions), Problem> {
        configured(&self.job.model, &self.job.common, &Map::new())
    }

    /// Scores a configuration on the hold-out: once for each, since an attempt that is repeated finds the same.
    async fn hold_out(
        &self,
        (model, common): &(ModelRequest, PipelineOptions),
        part: usize,
        name: &str,
    ) -> Result<Evaluation, Problem> {
        let SearchJob { series, pool, hold_out, seed, .. } = self.job;
        let scored = ScoredPart { series, pool, model, common, range: *hold_out, seed: *seed };
        evaluate_part(self.host, &scored, self.part(part), self.attempt_at(name)).await
    }

    /// Trains the configuration on the candles of the trials, and saves it.
    async fn save(&self, (model, common): &(ModelRequest, PipelineOptions)) -> Result<Vec<SavedDoc>, Problem> {
        let SearchJob { series, pool, range, seed, .. } = self.job;
        let request = TrainJob::new(vec![series.clone()], model.clone(), common.clone(), *seed);
        let request = TrainJob { pool: pool.clone(), range: *range, ..request };
        request.check()?;
        let recorder = recorder(self.host, self.attempt_at("saved")).await?;
        let trained = train_recorded(self.host, &request, self.part(3), &recorder).await?;
        Ok(trained.models.iter().map(SavedDoc::from).collect())
    }

    /// The attempt, as a part of it is on record.
    fn attempt_at(&self, part: &str) -> Attempt {
        let mut attempt = self.attempt.clone();
        attempt.id = format!("{}-{part}", attempt.id);
        attempt
    }

    /// The progress of part `part`, from 0, within the whole.
    fn part(&self, part: usize) -> Arc<dyn ProgressSink> {
        let shares = (SHARES[part], SHARES[part + 1]);
        Arc::new(Part { watch: Arc::clone(&self.watch), no: part as u32 + 1, shares })
    }
}

/// What is kept of a trial that was scored.
fn with_scores(kept: KeptTrial, tried: &Tried, values: &[f64]) -> KeptTrial {
    let last = tried.scores.report.models.last().and_then(|model| model.fits.last());
    let curve = last.map(|fit| fit.curve.clone()).unwrap_or_default();
    KeptTrial {
        values: values.to_vec(),
        metrics: tried.scores.metrics.clone(),
        reference: tried.scores.reference.clone(),
        train_curve: curve.train,
        valid_curve: curve.valid,
        ..kept
    }
}

/// The value of `metric` of the one model of a report that is no baseline.
fn own_value(report: &Report, metric: &SearchMetric) -> Option<f64> {
    let own = report.models.iter().find(|model| !model.baseline)?;
    metrics_value(own)[metric.id].as_f64()
}

/// By how many percent `winner` is better than `default`; `None` where one of them is not defined, or the latter is 0.
fn improvement(metric: &SearchMetric, winner: Option<f64>, default: Option<f64>) -> Option<f64> {
    let (winner, default) = winner.zip(default).filter(|(_, default)| *default != 0.0)?;
    Some(100.0 * (metric.goal.loss(default) - metric.goal.loss(winner)) / default.abs())
}

/// The progress of a part as that of the whole.
struct Part {
    watch: Arc<dyn ProgressSink>,
    no: u32,
    shares: (f64, f64),
}

impl ProgressSink for Part {
    fn progress(&self, what: &str, done: u64, of: u64) {
        self.watch.progress(what, done, of);
    }

    fn stage(&self, stage: &Stage) {
        let (from, to) = self.shares;
        let within = |share: f64| from + share * (to - from);
        let shares = (within(stage.shares.0), within(stage.shares.1));
        self.watch.stage(&Stage { no: (self.no, PARTS), shares, ..*stage });
    }

    fn note(&self, text: &str) {
        self.watch.note(text);
    }
}

#[cfg(test)]
mod tests {
    use candlecast_learn::Task;
    use candlecast_pipeline::search_metric;

    use super::*;

    #[test]
    fn improvement_is_in_percent_of_the_default_and_knows_which_end_is_better() {
        let task = Task::Price { horizon: 1 };
        let of = |metric: &str, winner, default| improvement(search_metric(metric, &task).unwrap(), winner, default);
        assert_eq!(of("mae", Some(75.0), Some(100.0)), Some(25.0));
        assert_eq!(of("mae", Some(110.0), Some(100.0)), Some(-10.0));
        assert_eq!(of("r2", Some(-0.1), Some(-0.2)), Some(50.0));
        assert_eq!(of("direction", Some(0.5), None), None);
        assert_eq!(of("skill", Some(0.1), Some(0.0)), None);
    }

    #[test]
    fn the_stages_of_a_part_are_told_within_the_whole() {
        #[derive(Default)]
        struct Heard(Mutex<Vec<Stage>>);
        impl ProgressSink for Heard {
            fn progress(&self, _: &str, _: u64, _: u64) {}
            fn stage(&self, stage: &Stage) {
                self.0.lock().unwrap().push(*stage);
            }
        }
        let heard = Arc::new(Heard::default());
        let part = Part { watch: Arc::clone(&heard) as Arc<dyn ProgressSink>, no: 2, shares: (0.8, 0.9) };
        part.stage(&Stage { name: "walk-forward", no: (1, 1), shares: (0.0, 0.5), folds: Some(3) });
        let stages = heard.0.lock().unwrap();
        assert_eq!((stages[0].no, stages[0].folds), ((2, 4), Some(3)));
        assert!((stages[0].shares.1 - 0.85).abs() < 1e-12);
    }
}

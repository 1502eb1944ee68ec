//! [`JobKind`]: what a kind of job is. Each is one file and one line in a [`JobCatalog`].

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use candlecast_config::Settings;
use candlecast_core::{Problem, ProgressSink, Seed, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_meta::Job;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::attempt::Attempt;

/// A request that a job can do. Its JSON is the job's payload and holds everything that determines the result besides
/// the candles and the program.
pub trait JobKind: fmt::Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable kebab-case name.
    const KIND: &'static str;
    /// True for what `ML_TRAINING_ENABLED=false` switches off.
    const TRAINS: bool;
    /// Form of the JSON, from 1. It counts up with every change that programs before it cannot read: their workers are
    /// then not given such jobs. All older forms are still read.
    const VERSION: u32 = 1;
    /// What identities of its jobs begin with, in visible ASCII.
    const ID_PREFIX: &'static str = "";
    /// What comes out.
    type Output: fmt::Debug + Send + 'static;

    /// What it works on.
    fn subject(&self) -> Subject;

    /// Every series whose candles it takes: a worker whose folder lacks one leaves it to others, where there may be
    /// others.
    fn series(&self) -> Vec<SeriesKey> {
        self.subject().series
    }

    /// True where it takes what a stored model knows, so that another folder of models would make another thing of it.
    fn is_about_models(&self) -> bool {
        false
    }

    /// Root of its randomness.
    fn seed(&self) -> Seed;

    /// The request with what it leaves open filled in from `settings`, so that it means the same wherever it is done.
    #[must_use]
    fn with_defaults(self, settings: &Settings) -> Self;

    /// Refuses what is wrong as written, before there is a job.
    fn check(&self) -> Result<(), Problem>;

    /// Does the work with the threads and the cancellation of `host`.
    fn run(
        &self,
        host: &Host,
        watch: Arc<dyn ProgressSink>,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Self::Output, Problem>> + Send;

    /// The document that is the job's result: the one that `--json` prints.
    fn document(&self, output: &Self::Output) -> Result<Value, Problem>;

    /// The same for people, as the command of the kind prints it.
    fn text(&self, output: &Self::Output) -> String;
}

/// What a job works on, for lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Series, in order; none for work that is about no series.
    pub series: Vec<SeriesKey>,
    /// Ids of the models, where it is about models.
    pub models: Vec<String>,
    /// What is done with them, in a few words: `24 steps`.
    pub detail: String,
    /// Range asked for; of origins in an evaluation, of candles in a training.
    pub range: TimeRange,
}

/// In words: `BTCUSDT 1h linear, 24 steps, from 2024-01-01T00:00:00Z on`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let series = self.series.iter().map(SeriesKey::label).collect::<Vec<_>>().join(", ");
        let models = self.models.join(",");
        let named: Vec<&str> = [series.as_str(), &models].into_iter().filter(|part| !part.is_empty()).collect();
        let range = (self.range != TimeRange::ALL).then(|| self.range.to_string());
        let parts = [named.join(" "), self.detail.clone(), range.unwrap_or_default()];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        f.write_str(&parts.join(", "))
    }
}

/// `1 step`, `24 steps`.
pub fn steps(n: usize) -> String {
    if n == 1 { "1 step".into() } else { format!("{n} steps") }
}

/// What a job brought.
#[derive(Debug)]
pub struct JobOutput {
    /// The document that `--json` prints.
    pub document: Value,
    /// The same for people.
    pub text: String,
    output: Box<dyn Any + Send>,
}

impl JobOutput {
    /// The output of a job of kind `K`; `None` if it was of another kind.
    pub(crate) fn into_output<K: JobKind>(self) -> Option<K::Output> {
        self.output.downcast::<K::Output>().ok().map(|output| *output)
    }
}

/// A line in the list of kinds.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub id: &'static str,
    /// True for what `ML_TRAINING_ENABLED=false` switches off.
    pub trains: bool,
    /// Newest form of its requests that this program reads.
    pub version: u32,
    read: fn(&Value) -> Result<Box<dyn AnyJob>, serde_json::Error>,
}

impl Kind {
    /// The line of the kind `K`.
    pub const fn of<K: JobKind>() -> Self {
        Self { id: K::KIND, trains: K::TRAINS, version: K::VERSION, read: read::<K> }
    }
}

/// Trainings that were queued without being asked for.
#[derive(Debug, Default)]
pub struct QueuedTrainings {
    /// Jobs that were added.
    pub jobs: Vec<String>,
    /// Trainings that are due and cannot be queued, each with the reason; they are tried again at the next call.
    pub problems: Vec<Problem>,
}

/// Every kind of job there is, and what a worker queues by itself; given by whoever knows the use cases.
#[derive(Debug)]
pub struct JobCatalog {
    /// The kinds, in order.
    pub kinds: &'static [Kind],
    /// Queues what has come due.
    pub upkeep: fn(&Host) -> BoxFuture<'_, Result<QueuedTrainings, Problem>>,
}

impl JobCatalog {
    /// Names of the kinds.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|kind| kind.id)
    }

    /// The kind called `id`, or a problem that names those there are.
    pub fn find(&self, id: &str) -> Result<&'static Kind, Problem> {
        self.kinds.iter().find(|kind| kind.id == id).ok_or_else(|| {
            let known: Vec<&str> = self.ids().collect();
            Problem::usage(
                "unknown-job-kind",
                "kind",
                format!("jobs of the kind `{id}` are not known: there are {}", known.join(", ")),
            )
        })
    }

    /// The kinds that a worker may take.
    pub(crate) fn workable(&self, training_enabled: bool) -> impl Iterator<Item = &'static Kind> {
        self.kinds.iter().filter(move |kind| training_enabled || !kind.trains)
    }

    /// The request of a stored job.
    pub(crate) fn read(&self, job: &Job) -> Result<Box<dyn AnyJob>, Problem> {
        (self.find(&job.kind)?.read)(&job.payload).map_err(|e| {
            Problem::data(
                "bad-job",
                format!(
                    "the request of job {} cannot be read ({e}): it is of another version, whose workers can do it; or ask for it again",
                    job.id
                ),
            )
        })
    }
}

fn read<K: JobKind>(payload: &Value) -> Result<Box<dyn AnyJob>, serde_json::Error> {
    Ok(Box::new(serde_json::from_value::<K>(payload.clone())?))
}

/// A request of any kind.
pub(crate) trait AnyJob: Send + Sync {
    /// What it works on.
    fn subject(&self) -> Subject;
    /// Every series whose candles it takes.
    fn series(&self) -> Vec<SeriesKey>;
    /// Root of its randomness.
    fn seed(&self) -> Seed;
    /// Does the work.
    fn run<'a>(
        &'a self,
        host: &'a Host,
        watch: Arc<dyn ProgressSink>,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<JobOutput, Problem>>;
}

impl<K: JobKind> AnyJob for K {
    fn subject(&self) -> Subject {
        JobKind::subject(self)
    }

    fn series(&self) -> Vec<SeriesKey> {
        JobKind::series(self)
    }

    fn seed(&self) -> Seed {
        JobKind::seed(self)
    }

    fn run<'a>(
        &'a self,
        host: &'a Host,
        watch: Arc<dyn ProgressSink>,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<JobOutput, Problem>> {
        Box::pin(async move {
            let output = JobKind::run(self, host, watch, attempt).await?;
            Ok(JobOutput { document: self.document(&output)?, text: self.text(&output), output: Box::new(output) })
        })
    }
}

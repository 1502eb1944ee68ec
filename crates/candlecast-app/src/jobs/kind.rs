//! [`JobKind`]: what a kind of job is. Each is one file in `kinds/` and one line in its list.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use candlecast_core::{Seed, SeriesKey, TimeRange};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::catalog::series_label;
use crate::records::Attempt;
use crate::{App, AppError, Settings, Watch};

/// A request that a job can do. Its JSON is the job's payload and holds everything that determines the result besides
/// the candles and the program.
pub trait JobKind: fmt::Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable kebab-case name.
    const KIND: &'static str;
    /// True for what `ML_TRAINING_ENABLED=false` switches off.
    const TRAINS: bool;
    /// What comes out.
    type Output: fmt::Debug + Send + 'static;

    /// What it works on.
    fn subject(&self) -> Subject;

    /// Root of its randomness.
    fn seed(&self) -> Seed;

    /// The request with what it leaves open filled in from `settings`, so that it means the same wherever it is done.
    #[must_use]
    fn with_defaults(self, settings: &Settings) -> Self;

    /// Refuses what is wrong as written, before there is a job.
    fn check(&self) -> Result<(), AppError>;

    /// Does the work with the threads, the cancellation and the seed of `app`.
    fn run(
        &self,
        app: &App,
        watch: Arc<dyn Watch>,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Self::Output, AppError>> + Send;

    /// The document that is the job's result: the one that `--json` prints.
    fn document(&self, output: &Self::Output) -> Result<Value, AppError>;
}

/// What a job works on, for lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Series.
    pub series: SeriesKey,
    /// Ids of the models.
    pub models: Vec<String>,
    /// Steps ahead.
    pub horizon_steps: usize,
    /// Range asked for; of origins in an evaluation, of candles in a training.
    pub range: TimeRange,
}

/// In words: `BTCUSDT 1h linear, 24 steps, from 2024-01-01T00:00:00Z on`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.horizon_steps == 1 { "step" } else { "steps" };
        let models = self.models.join(",");
        write!(f, "{} {models}, {} {steps}", series_label(&self.series), self.horizon_steps)?;
        if self.range == TimeRange::ALL { Ok(()) } else { write!(f, ", {}", self.range) }
    }
}

/// What a job brought.
#[derive(Debug)]
pub struct JobOutput {
    /// The document that `--json` prints.
    pub document: Value,
    output: Box<dyn Any + Send>,
}

impl JobOutput {
    /// The output itself, if it is a `T`: [`JobKind::Output`] of the job's kind.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.output.downcast_ref()
    }

    /// The output of a job of kind `K`; `None` if it was of another kind.
    pub(crate) fn into_output<K: JobKind>(self) -> Option<K::Output> {
        self.output.downcast::<K::Output>().ok().map(|output| *output)
    }
}

/// A line in the list of kinds.
pub(crate) struct Kind {
    pub(crate) id: &'static str,
    pub(crate) trains: bool,
    pub(crate) read: fn(&Value) -> Result<Box<dyn AnyJob>, serde_json::Error>,
}

impl Kind {
    pub(crate) const fn of<K: JobKind>() -> Self {
        Self { id: K::KIND, trains: K::TRAINS, read: read::<K> }
    }
}

fn read<K: JobKind>(payload: &Value) -> Result<Box<dyn AnyJob>, serde_json::Error> {
    Ok(Box::new(serde_json::from_value::<K>(payload.clone())?))
}

/// A request of any kind.
pub(crate) trait AnyJob: Send + Sync {
    fn subject(&self) -> Subject;
    fn seed(&self) -> Seed;
    fn run<'a>(
        &'a self,
        app: &'a App,
        watch: Arc<dyn Watch>,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<JobOutput, AppError>>;
}

impl<K: JobKind> AnyJob for K {
    fn subject(&self) -> Subject {
        JobKind::subject(self)
    }

    fn seed(&self) -> Seed {
        JobKind::seed(self)
    }

    fn run<'a>(
        &'a self,
        app: &'a App,
        watch: Arc<dyn Watch>,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<JobOutput, AppError>> {
        Box::pin(async move {
            let output = JobKind::run(self, app, watch, attempt).await?;
            Ok(JobOutput { document: self.document(&output)?, output: Box::new(output) })
        })
    }
}

//! [`TestHooks`]: the outside of a run, made for tests.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use candlecast_learn::walk_forward::Hooks;
use candlecast_learn::{FitObserver, Progress, Stop, TrainState};

/// A clock that stands still unless told otherwise, a store in memory, a cancellation at a chosen question, and a search
/// that gives one pipeline up.
#[derive(Debug, Default)]
pub(crate) struct TestHooks {
    /// Seconds on the clock.
    pub(crate) clock: Mutex<f64>,
    /// Seconds that the clock goes on whenever it is read.
    pub(crate) tick: f64,
    /// Number of the question from which on the run is cancelled, counted from 1.
    pub(crate) cancel_at: Option<usize>,
    /// Times that the run asked whether it is cancelled.
    pub(crate) asked: AtomicUsize,
    /// What was kept, by name.
    pub(crate) store: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Fits done and fits there will be, as told.
    pub(crate) done: Mutex<Vec<(usize, usize)>>,
    /// The pipeline whose fits are stopped as hopeless.
    pub(crate) hopeless: Option<String>,
    /// Pipelines and folds that somebody could have watched the fits of.
    pub(crate) watched: Mutex<Vec<(String, usize)>>,
}

impl TestHooks {
    /// Whose fits take so long that their forecasts are worth keeping.
    pub(crate) fn slow() -> Self {
        Self { tick: 1.0, ..Self::default() }
    }

    /// Of a run that goes on with what another one kept.
    #[must_use]
    pub(crate) fn with_store(self, store: BTreeMap<String, Vec<u8>>) -> Self {
        Self { store: Mutex::new(store), ..self }
    }

    /// What was kept, by name.
    pub(crate) fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        self.store.lock().unwrap().clone()
    }

    /// Times that the run asked whether it is cancelled.
    pub(crate) fn questions(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Hooks for TestHooks {
    fn seconds(&self) -> f64 {
        let mut clock = self.clock.lock().unwrap();
        *clock += self.tick;
        *clock
    }

    fn cancelled(&self) -> bool {
        let question = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.cancel_at.is_some_and(|at| question >= at)
    }

    fn fits_done(&self, done: usize, of: usize, _: &str) {
        self.done.lock().unwrap().push((done, of));
    }

    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        self.store.lock().unwrap().get(name).cloned()
    }

    fn keep(&self, name: &str, content: &[u8]) {
        self.store.lock().unwrap().insert(name.to_owned(), content.to_vec());
    }

    fn observer(&self, id: &str, fold: usize) -> Option<Box<dyn FitObserver + '_>> {
        self.watched.lock().unwrap().push((id.to_owned(), fold));
        if self.hopeless.as_deref() == Some(id) { Some(Box::new(Pruning::default())) } else { None }
    }
}

/// Hears of steps, and stops the fit at the third as hopeless.
#[derive(Debug, Default)]
pub(crate) struct Pruning {
    heard: usize,
}

impl FitObserver for Pruning {
    fn on_step(&mut self, _: &Progress, _: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        self.heard += 1;
        if self.heard == 3 { ControlFlow::Break(Stop::Pruned) } else { ControlFlow::Continue(()) }
    }
}

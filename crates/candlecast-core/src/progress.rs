//! [`ProgressSink`]: where long work reports how far it is.

/// Receives the progress of long work. Calls come from many threads.
pub trait ProgressSink: Send + Sync {
    /// `done` of `of` pieces of `what` are done.
    fn progress(&self, what: &str, done: u64, of: u64);
    /// A stage of a long run begins.
    fn stage(&self, _stage: &Stage) {}
    /// The work waits, such as for memory that others hold; with `None` it goes on.
    fn waiting(&self, _for_what: Option<&str>) {}
    /// Something that the user should know, once.
    fn note(&self, _text: &str) {}
}

/// A part of a long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Name, such as `forward chain`.
    pub name: &'static str,
    /// Number, from 1, and how many there are.
    pub no: (u32, u32),
    /// Share of the whole run that is done when it begins and when it ends, 0 to 1.
    pub shares: (f64, f64),
    /// Folds that it walks through.
    pub folds: Option<u32>,
}

/// Progress that nobody receives.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl ProgressSink for NoProgress {
    fn progress(&self, _: &str, _: u64, _: u64) {}
}

//! [`ProgressTracker`]: what a job says of itself, kept in memory until the keeper writes it down. Computing threads only leave a
//! few numbers here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use candlecast_core::{ProgressSink, Stage};
use candlecast_host::system_time;
use candlecast_meta::{LogLevel, LogLine, Progress};

/// Lines that wait for the database at most; what comes after is left out, so that memory stays bounded.
const MAX_WAITING_LINES: usize = 10_000;

/// Progress and log of one attempt.
pub(crate) struct ProgressTracker {
    attempt: u32,
    forward: Arc<dyn ProgressSink>,
    told: Mutex<Snapshot>,
}

struct Snapshot {
    stage: Option<Stage>,
    /// What it waits for, while it does.
    waits_for: Option<String>,
    /// Pieces of the stage that are done, and how many there are.
    done: u64,
    of: u64,
    changed: bool,
    /// When the pace was first looked at, and the share that was done by then.
    pace_from: Option<(Instant, f64)>,
    waiting: Vec<LogLine>,
    next_line: u64,
}

impl ProgressTracker {
    /// An empty board for attempt number `attempt`; whatever is told goes on to `forward`.
    pub(crate) fn new(attempt: u32, forward: Arc<dyn ProgressSink>) -> Self {
        let told = Snapshot {
            stage: None,
            waits_for: None,
            done: 0,
            of: 0,
            changed: true,
            pace_from: None,
            waiting: Vec::new(),
            next_line: 0,
        };
        Self { attempt, forward, told: Mutex::new(told) }
    }

    /// Adds a line to the log.
    pub(crate) fn log(&self, level: LogLevel, message: impl Into<String>) {
        let mut told = self.told();
        if told.waiting.len() < MAX_WAITING_LINES {
            let line = told.next_line;
            told.next_line += 1;
            let message = message.into();
            told.waiting.push(LogLine { attempt: self.attempt, line, at: system_time(), level, message });
        }
    }

    /// Lines that are not written yet.
    pub(crate) fn waiting_lines(&self) -> Vec<LogLine> {
        self.told().waiting.clone()
    }

    /// The first `n` waiting lines are written.
    pub(crate) fn written(&self, n: usize) {
        let mut told = self.told();
        let n = n.min(told.waiting.len());
        told.waiting.drain(..n);
    }

    /// How far the job is, if that has changed since the last call.
    pub(crate) fn changed_progress(&self, now: Instant) -> Option<Progress> {
        let mut told = self.told();
        let changed = std::mem::take(&mut told.changed);
        let progress = told.progress(now);
        changed.then_some(progress)
    }

    /// How far the job is; all of it if `succeeded`.
    pub(crate) fn last_progress(&self, succeeded: bool) -> Progress {
        let mut progress = self.told().progress(Instant::now());
        progress.eta_ms = None;
        if succeeded {
            progress.done_share = 1.0;
            progress.fold_of = progress.fold_of.map(|(_, of)| (of, of));
        }
        progress
    }

    fn told(&self) -> MutexGuard<'_, Snapshot> {
        // Nothing is left half-done by a thread that panics here.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProgressSink for ProgressTracker {
    fn progress(&self, what: &str, done: u64, of: u64) {
        {
            let mut told = self.told();
            // Threads may tell out of order.
            let so_far = if told.of == of { told.done } else { 0 };
            told.done = so_far.max(done).min(of);
            told.of = of;
            told.changed = true;
        }
        self.forward.progress(what, done, of);
    }

    fn stage(&self, stage: &Stage) {
        {
            let mut told = self.told();
            (told.stage, told.done, told.of, told.changed) = (Some(*stage), 0, 0, true);
        }
        let (no, of) = stage.no;
        self.log(LogLevel::Info, format!("stage {no} of {of}: {}", stage.name));
        self.forward.stage(stage);
    }

    fn waiting(&self, for_what: Option<&str>) {
        {
            let mut told = self.told();
            (told.waits_for, told.changed) = (for_what.map(str::to_owned), true);
            // Time spent waiting is not the pace of the work.
            told.pace_from = None;
        }
        self.forward.waiting(for_what);
    }

    fn note(&self, text: &str) {
        self.log(LogLevel::Info, text);
        self.forward.note(text);
    }
}

impl Snapshot {
    fn progress(&mut self, now: Instant) -> Progress {
        let told = self.of_stage(now);
        match &self.waits_for {
            // The pace of what has been done says nothing of when it goes on.
            Some(what) => Progress { stage: what.clone(), eta_ms: None, ..told },
            None => told,
        }
    }

    fn of_stage(&mut self, now: Instant) -> Progress {
        let Some(stage) = self.stage else {
            return Progress { stage: "reading candles".into(), ..Progress::default() };
        };
        let within = self.done as f64 / self.of.max(1) as f64;
        let (from, to) = stage.shares;
        let share = (from + (to - from) * within).clamp(0.0, 1.0);
        Progress {
            stage: stage.name.into(),
            stage_of: Some(stage.no),
            fold_of: stage.folds.map(|folds| ((u64::from(folds) * self.done / self.of.max(1)) as u32, folds)),
            done_share: share,
            eta_ms: self.eta_ms(now, share),
        }
    }

    /// Time that the rest takes at the pace so far. The pace counts from the first look on, by when the pieces that an
    /// earlier attempt had finished are recalled; they would make the rest seem quick.
    fn eta_ms(&mut self, now: Instant, share: f64) -> Option<u64> {
        let (began, share_then) = *self.pace_from.get_or_insert((now, share));
        let gained = share - share_then;
        (gained > 0.0).then(|| {
            let elapsed_ms = now.saturating_duration_since(began).as_secs_f64() * 1_000.0;
            (elapsed_ms * (1.0 - share) / gained) as u64
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use candlecast_core::NoProgress;

    const CHAIN: Stage = Stage { name: "forward chain", no: (1, 2), shares: (0.0, 0.8), folds: Some(4) };
    const LAST: Stage = Stage { name: "final fit", no: (2, 2), shares: (0.8, 1.0), folds: None };

    fn board() -> ProgressTracker {
        ProgressTracker::new(2, Arc::new(NoProgress))
    }

    #[test]
    fn progress_is_of_the_whole_job_and_never_goes_back() {
        let (board, now) = (board(), Instant::now());
        assert_eq!(board.changed_progress(now).unwrap().done_share, 0.0);
        assert_eq!(board.changed_progress(now), None, "nothing has changed");
        board.stage(&CHAIN);
        board.progress("fits", 10, 20);
        board.progress("fits", 9, 20);
        let half = board.changed_progress(now).unwrap();
        assert_eq!((half.stage.as_str(), half.stage_of, half.fold_of), ("forward chain", Some((1, 2)), Some((2, 4))));
        assert!((half.done_share - 0.4).abs() < 1e-12);
        board.stage(&LAST);
        board.progress("epochs", 5, 10);
        let late = board.changed_progress(now).unwrap();
        assert!((late.done_share - 0.9).abs() < 1e-12 && late.fold_of.is_none());
        assert_eq!(board.last_progress(true).done_share, 1.0);
    }

    #[test]
    fn the_rest_is_told_from_the_pace_of_this_attempt() {
        let (board, start) = (board(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        board.stage(&Stage { shares: (0.0, 1.0), ..CHAIN });
        // Recalled at once from an earlier attempt.
        board.progress("fits", 50, 100);
        assert_eq!(board.changed_progress(after(1)).unwrap().eta_ms, None);
        board.progress("fits", 60, 100);
        // Ten hundredths in ten seconds, forty to go.
        let eta_ms = board.changed_progress(after(11)).unwrap().eta_ms.unwrap();
        assert!(eta_ms.abs_diff(40_000) <= 1, "{eta_ms}");
    }

    #[test]
    fn what_a_job_waits_for_stands_in_the_place_of_its_stage() {
        let (board, start) = (board(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        board.waiting(Some("waiting for memory"));
        let waits = board.changed_progress(start).unwrap();
        assert_eq!((waits.stage.as_str(), waits.stage_of, waits.done_share), ("waiting for memory", None, 0.0));
        board.waiting(None);
        assert_eq!(board.changed_progress(start).unwrap().stage, "reading candles");
        board.stage(&Stage { shares: (0.0, 1.0), ..CHAIN });
        board.progress("fits", 10, 100);
        board.changed_progress(after(1));
        board.progress("fits", 20, 100);
        board.waiting(Some("waiting for other computations"));
        let waits = board.changed_progress(after(11)).unwrap();
        assert_eq!((waits.stage.as_str(), waits.stage_of), ("waiting for other computations", Some((1, 2))));
        assert_eq!((waits.done_share, waits.eta_ms), (0.2, None));
        // The pace counts from then on.
        board.waiting(None);
        assert_eq!(board.changed_progress(after(101)).unwrap().eta_ms, None);
        board.progress("fits", 30, 100);
        let eta_ms = board.changed_progress(after(111)).unwrap().eta_ms.unwrap();
        assert!(eta_ms.abs_diff(70_000) <= 1, "{eta_ms}");
    }

    #[test]
    fn lines_wait_until_they_are_written() {
        let board = board();
        board.note("first");
        board.log(LogLevel::Error, "second");
        let lines = board.waiting_lines();
        assert_eq!(lines.iter().map(|l| (l.attempt, l.line)).collect::<Vec<_>>(), [(2, 0), (2, 1)]);
        board.note("third");
        board.written(lines.len());
        assert_eq!(board.waiting_lines()[0].message, "third");
        board.written(9);
        assert!(board.waiting_lines().is_empty());
    }
}

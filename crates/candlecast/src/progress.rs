//! Progress bars on standard error, none where it is no terminal.

use std::sync::Mutex;

use candlecast_core::ProgressSink;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// One bar that follows whatever is being done.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: Option<Mutex<ProgressBar>>,
    output: Output,
}

impl Bar {
    pub(crate) fn new(output: Output) -> Self {
        let bar = output.shows_progress().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}% {msg} [{elapsed} < {eta}]")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style);
            Mutex::new(bar)
        });
        Self { bar, output }
    }
}

impl ProgressSink for Bar {
    fn progress(&self, what: &str, done: u64, of: u64) {
        if let Some(bar) = self.bar.as_ref().and_then(|b| b.lock().ok()) {
            if bar.length() != Some(of) {
                bar.set_length(of);
            }
            bar.set_position(done);
            bar.set_message(what.to_owned());
        }
    }

    fn note(&self, text: &str) {
        match self.bar.as_ref().and_then(|b| b.lock().ok()) {
            Some(bar) => bar.suspend(|| self.output.remark(text)),
            None => self.output.remark(text),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.as_ref().and_then(|b| b.lock().ok()) {
            bar.finish_and_clear();
        }
    }
}

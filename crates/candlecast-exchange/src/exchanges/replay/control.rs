//! [`ReplayControl`]: speed and pause of a replay.

use std::sync::Arc;

use tokio::sync::watch;

/// How time passes in a replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    pub(super) speed: f64,
    pub(super) paused: bool,
}

/// Steers a replay while it runs; clones steer the same one.
#[derive(Debug, Clone)]
pub struct ReplayControl {
    pace: Arc<watch::Sender<Pace>>,
}

impl ReplayControl {
    /// Market seconds a second: 1 is as it was, 3600 an hour a second, 0 as fast as the listener listens. What is
    /// negative or no number counts as 0.
    pub fn new(speed: f64) -> Self {
        Self { pace: Arc::new(watch::Sender::new(Pace { speed: sane(speed), paused: false })) }
    }

    /// Changes the speed from now on.
    pub fn set_speed(&self, speed: f64) {
        self.pace.send_modify(|p| p.speed = sane(speed));
    }

    /// The present speed.
    pub fn speed(&self) -> f64 {
        self.pace.borrow().speed
    }

    /// Stops market time.
    pub fn pause(&self) {
        self.pace.send_modify(|p| p.paused = true);
    }

    /// Lets market time go on from where it stopped.
    pub fn resume(&self) {
        self.pace.send_modify(|p| p.paused = false);
    }

    /// True while market time stands.
    pub fn is_paused(&self) -> bool {
        self.pace.borrow().paused
    }

    pub(super) fn watch(&self) -> watch::Receiver<Pace> {
        self.pace.subscribe()
    }
}

fn sane(speed: f64) -> f64 {
    if speed.is_finite() { speed.max(0.0) } else { 0.0 }
}

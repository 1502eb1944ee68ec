//! [`Outage`]: something that a stream depends on fails, and is tried again with growing pauses.

use std::time::Duration;

use tokio::time::Instant;

use crate::event::{Part, StreamEvent};

/// How long to wait between attempts: doubled each time, up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

/// A part that fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    since: Instant,
    /// Attempts that failed.
    tries: u64,
    next: Duration,
    longest: Duration,
}

impl Outage {
    /// It begins now.
    pub(crate) fn new(pauses: Pauses) -> Self {
        Self { since: Instant::now(), tries: 0, next: pauses.first, longest: pauses.longest }
    }

    /// Another attempt has failed; how long to wait before the next.
    pub(crate) fn failed(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.tries += 1;
        self.next = self.next.saturating_mul(2).min(self.longest);
        pause
    }

    pub(crate) fn lasts(&self) -> Duration {
        self.since.elapsed()
    }

    /// What is told of its end.
    pub(crate) fn healed(&self, part: Part) -> StreamEvent {
        StreamEvent::Healed { part, tries: self.tries, seconds: self.lasts().as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(5) };
        let mut outage = Outage::new(pauses);
        let waited: Vec<u64> = (0..5).map(|_| outage.failed().as_secs()).collect();
        assert_eq!(waited, [1, 2, 4, 5, 5]);
        let told = outage.healed(Part::Store);
        assert!(matches!(told, StreamEvent::Healed { part: Part::Store, tries: 5, .. }), "{told:?}");
    }
}

//! [`Track`]: each closed candle once, in order, whatever the stream does.

use candlecast_core::{Interval, TimeRange, Timestamp};

/// What a candle of the stream means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The one expected.
    Next,
    /// Handed out already.
    Past,
    /// Candles before it are missing.
    After(TimeRange),
}

/// Progress along one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Track {
    interval: Interval,
    /// Open time of the next candle to hand out.
    next: Timestamp,
}

impl Track {
    pub(crate) fn new(interval: Interval, next: Timestamp) -> Self {
        Self { interval, next }
    }

    pub(crate) fn next(&self) -> Timestamp {
        self.next
    }

    /// Where a candle that opens at `open` lies.
    pub(crate) fn place(&self, open: Timestamp) -> Place {
        match open.cmp(&self.next) {
            std::cmp::Ordering::Less => Place::Past,
            std::cmp::Ordering::Equal => Place::Next,
            std::cmp::Ordering::Greater => Place::After(TimeRange { from: self.next, to: open }),
        }
    }

    /// The candle that opens at `open` has been handed out; false when it had been before.
    pub(crate) fn pass(&mut self, open: Timestamp) -> bool {
        let new = open >= self.next;
        if new {
            self.next = open.plus_ms(self.interval.ms());
        }
        new
    }

    /// The exchange has no candle before `time`.
    pub(crate) fn skip_to(&mut self, time: Timestamp) {
        self.next = self.next.max(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_candle_once_and_gaps_known() {
        let at = |k: i64| Timestamp(1_704_067_200_000 + k * 60_000);
        let mut track = Track::new(Interval::M1, at(0));
        assert_eq!(track.place(at(0)), Place::Next);
        assert!(track.pass(at(0)) && !track.pass(at(0)));
        assert_eq!(track.place(at(0)), Place::Past);
        assert_eq!(track.place(at(3)), Place::After(TimeRange { from: at(1), to: at(3) }));
        track.skip_to(at(3));
        track.skip_to(at(2));
        assert_eq!((track.place(at(3)), track.next()), (Place::Next, at(3)));
    }
}

//! [`FaultPlan`]: which answer goes wrong, and how.

use candlecast_core::{Seed, Stream};

/// After so many faults in a row comes an answer without one.
const MOST_IN_A_ROW: u32 = 4;

/// How often answers go wrong; what goes wrong follows from the seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultPlan {
    /// Share of REST answers and WebSocket handshakes, 0-1.
    pub rest_rate: f64,
    /// Share of WebSocket messages, 0-1.
    pub stream_rate: f64,
    /// Seed of both.
    pub seed: Seed,
}

impl FaultPlan {
    /// No faults.
    pub fn none() -> Self {
        Self { rest_rate: 0.0, stream_rate: 0.0, seed: Seed(0) }
    }

    /// Two fifths of all answers and a twelfth of all messages go wrong.
    pub fn heavy(seed: Seed) -> Self {
        Self { rest_rate: 0.4, stream_rate: 0.08, seed }
    }
}

/// What goes wrong with a REST answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestFault {
    TooMany { retry_s: u64 },
    Banned { retry_s: u64 },
    ServerError(u16),
    CutBody,
    CutJson,
    HangUp,
    Stall,
    Shuffled,
}

impl RestFault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TooMany { .. } => "429",
            Self::Banned { .. } => "418",
            Self::ServerError(_) => "5xx",
            Self::CutBody => "cut body",
            Self::CutJson => "cut JSON",
            Self::HangUp => "hang-up",
            Self::Stall => "stall",
            Self::Shuffled => "shuffled rows",
        }
    }
}

/// What goes wrong with a WebSocket message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamFault {
    Lost,
    Twice,
    Swapped,
    CutText,
    HalfFrame,
    HangUp,
}

impl StreamFault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lost => "message lost",
            Self::Twice => "message twice",
            Self::Swapped => "messages swapped",
            Self::CutText => "message cut",
            Self::HalfFrame => "half frame",
            Self::HangUp => "stream hang-up",
        }
    }
}

/// Draws faults.
#[derive(Debug)]
pub(super) struct Dice {
    rest: Stream,
    stream: Stream,
    plan: FaultPlan,
    in_a_row: u32,
}

impl Dice {
    pub(super) fn new(plan: FaultPlan) -> Self {
        let (rest, stream) = (plan.seed.derive("rest-faults", 0), plan.seed.derive("stream-faults", 0));
        Self { rest: rest.stream(), stream: stream.stream(), plan, in_a_row: 0 }
    }

    pub(super) fn rest(&mut self) -> Option<RestFault> {
        if self.rest.uniform() >= self.plan.rest_rate || self.in_a_row == MOST_IN_A_ROW {
            self.in_a_row = 0;
            return None;
        }
        self.in_a_row += 1;
        let retry_s = 1 + self.rest.below(5) as u64;
        Some(match self.rest.below(20) {
            0..=3 => RestFault::TooMany { retry_s },
            4..=5 => RestFault::Banned { retry_s: 10 * retry_s },
            6..=9 => RestFault::ServerError([500, 502, 503, 504][self.rest.below(4)]),
            10..=11 => RestFault::CutBody,
            12..=13 => RestFault::CutJson,
            14..=15 => RestFault::HangUp,
            16 => RestFault::Stall,
            _ => RestFault::Shuffled,
        })
    }

    pub(super) fn message(&mut self) -> Option<StreamFault> {
        if self.stream.uniform() >= self.plan.stream_rate {
            return None;
        }
        Some(match self.stream.below(10) {
            0..=1 => StreamFault::Lost,
            2..=3 => StreamFault::Twice,
            4..=5 => StreamFault::Swapped,
            6..=7 => StreamFault::CutText,
            8 => StreamFault::HalfFrame,
            _ => StreamFault::HangUp,
        })
    }

    /// A shuffled copy with some items twice.
    pub(super) fn disorder<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let mut all = items.to_vec();
        for _ in 0..items.len().min(5) {
            all.push(items[self.rest.below(items.len())].clone());
        }
        self.rest.shuffle(&mut all);
        all
    }
}

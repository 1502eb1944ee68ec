//! [`Tally`]: how many members agree on a direction or class, and what that says of their confidence.

use super::Votes;
use crate::conformal::{ForecastRow, MemberClaim};
use crate::task::{CLASSES, Task};
use crate::tasks::most_probable;

/// What all members agreeing adds to the raw confidence of a vote, as a factor, and the bound of the result.
const UNANIMITY: f64 = 1.1;
const MOST: f64 = 0.99;

/// What a forecast votes for: a direction (0 down, 1 up) or a class; `None` for one of no change, and for a volatility.
pub(super) fn side(task: Task, part: ForecastRow<'_>, claim: usize) -> Option<usize> {
    match task {
        Task::Price { .. } => {
            let mean = part.means[claim];
            (mean != 0.0).then(|| usize::from(mean > 0.0))
        }
        Task::Direction { .. } => Some(most_probable(part.means)),
        Task::Volatility { .. } => None,
    }
}

/// Votes of the members on one claim. Those without a direction do not vote, and are not counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Tally {
    /// Members by the side that they are on.
    counts: [usize; CLASSES],
    /// What their votes weigh, by side.
    weights: [f64; CLASSES],
    /// What the vote of each member weighs, `[member]`; 0 of those that do not vote.
    ballots: Vec<f64>,
    /// Sum of the confidences of those that vote.
    confidence: f64,
}

impl Tally {
    /// Of the sides that members are on, `None` for those on none, with their confidences.
    pub(super) fn of(votes: Votes, members: impl Iterator<Item = (Option<usize>, f64)>) -> Self {
        let mut tally = Self::default();
        for (side, confidence) in members {
            let Some(side) = side else {
                tally.ballots.push(0.0);
                continue;
            };
            let ballot = match votes {
                Votes::Equal => 1.0,
                Votes::Confidence => confidence,
            };
            tally.counts[side] += 1;
            tally.weights[side] += ballot;
            tally.ballots.push(ballot);
            tally.confidence += confidence;
        }
        tally
    }

    /// Of what members say of claim `claim`; `told` by their calibration, `[member][claim]`, without which all are as sure
    /// as chance.
    pub(super) fn of_claim(
        votes: Votes,
        task: Task,
        parts: &[ForecastRow<'_>],
        told: Option<&[Vec<MemberClaim>]>,
        claim: usize,
    ) -> Self {
        let confidence = |m: usize| told.and_then(|told| told[m][claim].confidence).unwrap_or(task.kind().chance());
        Self::of(votes, parts.iter().enumerate().map(|(m, &part)| (side(task, part, claim), confidence(m))))
    }

    /// Members that vote.
    fn voters(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The side that most votes are for, by their weight; `None` where nobody votes and where two sides have as many.
    pub(super) fn majority(&self) -> Option<usize> {
        let best = (1..CLASSES).fold(0, |best, side| if self.weights[side] > self.weights[best] { side } else { best });
        let n_best = self.weights.iter().filter(|&&weight| weight == self.weights[best]).count();
        (self.voters() > 0 && n_best == 1).then_some(best)
    }

    /// The share that each member has in the votes, `[member]`; all 0 where nobody votes.
    pub(super) fn shares(&self) -> Vec<f64> {
        let all: f64 = self.weights.iter().sum();
        self.ballots.iter().map(|ballot| if all > 0.0 { ballot / all } else { 0.0 }).collect()
    }

    /// Members on the side that most of them are on, over those that vote; 0 where nobody does.
    pub(super) fn consensus(&self) -> f64 {
        let most = self.counts.iter().copied().max().unwrap_or(0);
        if self.voters() == 0 { 0.0 } else { most as f64 / self.voters() as f64 }
    }

    /// The mean confidence of those that vote times the consensus; of votes (`is_voting`) a tenth more, at most 0.99,
    /// where several vote and all agree. `chance` where nobody votes.
    pub(super) fn raw_confidence(&self, is_voting: bool, chance: f64) -> f64 {
        let voters = self.voters();
        if voters == 0 {
            return chance;
        }
        let raw = self.confidence / voters as f64 * self.consensus();
        let agree = voters > 1 && self.counts.contains(&voters);
        if is_voting && agree { (UNANIMITY * raw).min(MOST) } else { raw }
    }
}

/// `1 - standard deviation of the members' means / mean half-width of their intervals`, within 0 and 1; `None` where
/// intervals have no width.
pub(super) fn agreement(claims: &[MemberClaim]) -> Option<f64> {
    let n = claims.len() as f64;
    let mean = claims.iter().map(|claim| claim.mean).sum::<f64>() / n;
    let variance = claims.iter().map(|claim| (claim.mean - mean).powi(2)).sum::<f64>() / n;
    let half_width = claims.iter().map(|claim| claim.half_width).sum::<f64>() / n;
    (half_width > 0.0 && half_width.is_finite()).then(|| (1.0 - variance.sqrt() / half_width).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(votes: Votes, members: &[(Option<usize>, f64)]) -> Tally {
        Tally::of(votes, members.iter().copied())
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn consensus_is_the_greatest_count_over_those_that_vote() {
        // Two up at 0.6 and 0.5, one down at 0.55, one of no change.
        let members = [(Some(1), 0.6), (Some(0), 0.55), (None, 0.5), (Some(1), 0.5)];
        let tally = of(Votes::Equal, &members);
        close(tally.consensus(), 2.0 / 3.0);
        // (0.6 + 0.55 + 0.5) / 3 * 2 / 3
        close(tally.raw_confidence(false, 0.5), 0.55 * 2.0 / 3.0);
        close(tally.raw_confidence(true, 0.5), 0.55 * 2.0 / 3.0);
        assert_eq!((tally.majority(), tally.shares()[2]), (Some(1), 0.0));
        close(tally.shares()[0], 1.0 / 3.0);
    }

    #[test]
    fn votes_may_weigh_what_their_confidence_is() {
        let members = [(Some(0), 0.95), (Some(1), 0.51), (Some(1), 0.4)];
        assert_eq!(of(Votes::Equal, &members).majority(), Some(1));
        let tally = of(Votes::Confidence, &members);
        assert_eq!(tally.majority(), Some(0));
        close(tally.consensus(), 2.0 / 3.0);
        close(tally.shares()[1], 0.51 / 1.86);
    }

    #[test]
    fn all_agreeing_adds_a_tenth_to_a_vote_up_to_its_bound() {
        let sure = [(Some(2), 0.6), (Some(2), 0.5)];
        close(of(Votes::Equal, &sure).raw_confidence(true, 1.0 / 3.0), 0.605);
        close(of(Votes::Equal, &sure).raw_confidence(false, 1.0 / 3.0), 0.55);
        let surer = [(Some(1), 0.97), (Some(1), 0.93)];
        close(of(Votes::Equal, &surer).raw_confidence(true, 0.5), 0.99);
        let alone = [(Some(1), 0.6), (None, 0.5)];
        close(of(Votes::Equal, &alone).raw_confidence(true, 0.5), 0.6);
    }

    #[test]
    fn a_tie_has_no_majority_and_nobody_voting_is_chance() {
        let tie = of(Votes::Equal, &[(Some(0), 0.9), (Some(1), 0.6)]);
        assert_eq!((tie.majority(), tie.consensus()), (None, 0.5));
        let nobody = of(Votes::Equal, &[(None, 0.5), (None, 0.5)]);
        assert_eq!((nobody.majority(), nobody.consensus(), nobody.raw_confidence(true, 0.5)), (None, 0.0, 0.5));
        assert_eq!(nobody.shares(), [0.0, 0.0]);
    }

    #[test]
    fn sides_are_directions_and_classes() {
        let row = |means: &'static [f64]| ForecastRow { means, scales: &[], borders: None, confidences: &[] };
        let price = Task::Price { horizon: 3 };
        assert_eq!([0, 1, 2].map(|k| side(price, row(&[0.1, -0.1, 0.0]), k)), [Some(1), Some(0), None]);
        let direction = Task::Direction { horizon: 3, labels: crate::Labels::Fixed { threshold: 0.01 } };
        assert_eq!(side(direction, row(&[0.2, 0.3, 0.5]), 0), Some(2));
        assert_eq!(side(Task::Volatility { horizon: 3 }, row(&[-8.0]), 0), None);
    }

    #[test]
    fn members_agree_where_they_lie_close_beside_their_intervals() {
        let claim = |mean, half_width| MemberClaim { mean, half_width, confidence: None };
        // Standard deviation 0.01 beside a half-width of 0.04.
        close(agreement(&[claim(0.01, 0.03), claim(-0.01, 0.05)]).unwrap(), 0.75);
        assert_eq!(agreement(&[claim(0.01, 0.02), claim(0.01, 0.02)]), Some(1.0));
        assert_eq!(agreement(&[claim(1.0, 0.02), claim(-1.0, 0.02)]), Some(0.0));
        assert_eq!(agreement(&[claim(1.0, 0.0), claim(-1.0, 0.0)]), None);
    }
}

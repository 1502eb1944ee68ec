//! `stratified`: a class drawn at random by the shares of the training part, anew at every origin.

use candlecast_core::Seed;
use candlecast_core::catalog::Entry;
use serde_json::json;

use super::{class_shares, closes_only, read_shares, state_of};
use crate::{
    Asked, CLASSES, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction,
    RestoreError, Samples, Stop, Task,
};

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "stratified",
    aliases: &[],
    summary: "a class drawn at random by the shares of the training part",
    params: &[],
    build: |_| Ok(Box::new(Stratified)),
};

/// How much more probable than one of an equal share a drawn class is made.
const TIE: f64 = 1e-9;

#[derive(Debug)]
struct Stratified;

/// Names each class as often as it came true in the training part, but at random: what balanced accuracy and macro F1
/// are to be compared with, since always naming the most frequent class is at its worst there.
///
/// Its probabilities are the training shares with those of the drawn and of the most frequent class exchanged. So the
/// drawn class is the most probable one, and the log loss stays finite where a one-hot forecast would make it infinite.
/// The draw depends on the seed of the fit and on the time of the origin only: a forecast is the same alone and among
/// others, in a comparison and live.
#[derive(Debug)]
struct FittedStratified {
    seed: Seed,
    shares: [f64; CLASSES],
}

impl Learner for Stratified {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Direction { .. })
    }
    fn lookback(&self) -> usize {
        1
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        closes_only()
    }
    fn uses_validation(&self, _: &Task) -> bool {
        false
    }
    fn min_samples(&self) -> usize {
        1
    }
    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        let model = Box::new(FittedStratified { seed: cx.seed, shares: class_shares(train)? });
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 0, curve: Curve::default() })
    }
    fn restore(&self, state: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedStratified { seed: state.fact("seed")?, shares: read_shares(state)? }))
    }
}

impl Fitted for FittedStratified {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), CLASSES);
        for i in 0..x.len() {
            let uniform = self.seed.derive("stratified", x.origin_time(i).ms() as u64).stream().uniform();
            out.row_mut(i).copy_from_slice(&led_by(self.shares, drawn(self.shares, uniform)));
        }
    }
    fn state(&self) -> ModelState {
        ModelState { facts: json!({ "seed": self.seed }), ..state_of(self.shares) }
    }
}

/// The class that a number uniform in 0..1 falls into.
fn drawn(shares: [f64; CLASSES], uniform: f64) -> usize {
    let mut below = 0.0;
    for (class, share) in shares.into_iter().enumerate() {
        below += share;
        if uniform < below {
            return class;
        }
    }
    // The sum of the shares may be rounded to just below 1.
    (0..CLASSES).rev().find(|&class| shares[class] > 0.0).unwrap_or(CLASSES - 1)
}

/// The shares, those of `class` and of the most frequent class exchanged.
fn led_by(shares: [f64; CLASSES], class: usize) -> [f64; CLASSES] {
    let most = (1..CLASSES).fold(0, |best, c| if shares[c] > shares[best] { c } else { best });
    let mut row = shares;
    row.swap(class, most);
    if let Some(equal) = (0..CLASSES).find(|&c| c != class && row[c] == row[class]) {
        row[class] += TIE;
        row[equal] -= TIE;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extent;
    use crate::made::{closes_of, market_of, origins};
    use crate::{Labels, Silent};

    fn most_probable(row: &[f64]) -> usize {
        (1..CLASSES).fold(0, |best, c| if row[c] > row[best] { c } else { best })
    }

    #[test]
    fn the_drawn_class_is_the_most_probable_one() {
        for shares in [[0.25, 0.5, 0.25], [0.5, 0.5, 0.0], [1.0 / 3.0; 3], [0.0, 0.0, 1.0], [0.4, 0.2, 0.4]] {
            for class in (0..CLASSES).filter(|&c| shares[c] > 0.0) {
                let row = led_by(shares, class);
                assert_eq!(most_probable(&row), class, "{shares:?} {row:?}");
                assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{row:?}");
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{row:?}");
            }
        }
        assert_eq!(led_by([0.25, 0.5, 0.25], 0), [0.5, 0.25, 0.25]);
    }

    #[test]
    fn numbers_fall_into_classes_by_their_shares() {
        let shares = [0.25, 0.5, 0.25];
        let classes = [0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999].map(|u| drawn(shares, u));
        assert_eq!(classes, [0, 0, 1, 1, 2, 2]);
        assert_eq!(drawn([0.5, 0.4999, 0.0], 0.99999), 1);
        assert_eq!(drawn([0.0, 1.0, 0.0], 0.0), 1);
    }

    #[test]
    fn classes_are_drawn_as_often_as_they_were_seen_and_alike_alone_and_after_saving() {
        let mut rng = Seed(5).stream();
        let returns: Vec<f64> = (0..4000).map(|_| 0.01 * rng.normal()).collect();
        let (data, ids) = (closes_of(market_of(&returns)), origins(40..3990));
        let labels = Labels::Adaptive { low: 0.2, high: 0.7 };
        let task = Task::Direction { horizon: 1, labels };
        let plain = Samples::new(&data, &ids, 1, task, None);
        let samples = Samples::new(&data, &ids, 1, task, plain.fit_thresholds());
        let fit = |seed: u64| {
            let observer = &mut Silent;
            let mut cx = FitContext {
                seed: Seed(seed),
                valid: None,
                threads: 1,
                warm: None,
                resume: None,
                extent: Extent::default(),
                observer,
            };
            Stratified.fit(&samples, &mut cx).unwrap().model
        };
        let predict = |model: &dyn Fitted, samples: &Samples<'_>| {
            let mut out = Prediction::default();
            model.predict_into(samples, &mut out);
            out
        };
        let fitted = fit(1);
        let out = predict(&*fitted, &samples);
        let mut counts = [0.0; CLASSES];
        (0..samples.len()).for_each(|i| counts[most_probable(out.row(i))] += 1.0 / samples.len() as f64);
        // Four standard deviations of a share of 3,950 draws are 0.032.
        let expected = [0.2, 0.5, 0.3];
        assert!(counts.iter().zip(expected).all(|(c, e)| (c - e).abs() < 0.032), "{counts:?}");
        assert_eq!(predict(&*fitted, &samples.slice(70..71)).mean, out.row(70));
        let text = serde_json::to_string(&fitted.state()).unwrap();
        let restored = Stratified.restore(&serde_json::from_str(&text).unwrap(), &task).unwrap();
        assert_eq!(predict(&*restored, &samples), out);
        assert_ne!(predict(&*fit(2), &samples), out, "another seed draws other classes");
    }
}

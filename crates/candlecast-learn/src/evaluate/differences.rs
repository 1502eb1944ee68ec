//! Which of the compared models differ by more than luck explains: the model confidence set, and tests of pairs.

use rayon::prelude::*;

use crate::significance::{MIN_INDEPENDENT, Serial, Test, confidence_set_by_cosines, holm, mean_above_zero};

use super::compare::is_silent;
use super::report::{ConfidenceSet, Difference};
use super::{DRAWS, Question, REPLICATES, Scored};

/// Share of cases in which the confidence set holds the best model.
const CONFIDENCE_SET_LEVEL: f64 = 0.9;

/// The confidence set and the differences of the models. Nothing is tested on too few independent outcomes, nor are
/// models of classes and volatilities that were mostly silent. Pairs of baselines are left out, since nobody asked.
pub(super) fn between(scored: &[Scored], question: &Question<'_>) -> (Option<ConfidenceSet>, Vec<Difference>) {
    let independent = scored[question.reference].report.vs_reference.independent;
    let origins = scored[question.reference].report.forecasts.rows.len();
    let compared: Vec<usize> =
        (0..scored.len()).filter(|&i| !is_silent(question.task, scored[i].report.abstained, origins)).collect();
    if independent < MIN_INDEPENDENT || compared.len() < 2 {
        return (None, vec![]);
    }
    let serial = Serial { horizon: question.task.horizon(), refit: question.refit };
    let claims = question.task.claims();
    let losses: Vec<Vec<f64>> = compared.par_iter().map(|&i| scored[i].losses.by_origin(claims)).collect();
    let of_compared =
        confidence_set_by_cosines(&losses.iter().map(Vec::as_slice).collect::<Vec<_>>(), serial, REPLICATES, DRAWS);
    let set = of_compared.map(|found| {
        let mut p_values = vec![None; scored.len()];
        compared.iter().zip(found).for_each(|(&i, p)| p_values[i] = Some(p));
        ConfidenceSet { level: CONFIDENCE_SET_LEVEL, p_values }
    });
    (set, pairs(scored, &compared, &losses, serial))
}

/// Two-sided tests of all pairs of which one was asked for, corrected over all of them.
fn pairs(scored: &[Scored], compared: &[usize], losses: &[Vec<f64>], serial: Serial) -> Vec<Difference> {
    let asked = |at: usize| !scored[compared[at]].report.baseline;
    let numbers = 0..compared.len();
    let all: Vec<(usize, usize)> = numbers
        .flat_map(|a| (a + 1..compared.len()).map(move |b| (a, b)))
        .filter(|&(a, b)| asked(a) || asked(b))
        .collect();
    let tests: Vec<Option<Test>> = all
        .par_iter()
        .map(|&(a, b)| {
            let saved: Vec<f64> = losses[b].iter().zip(&losses[a]).map(|(b, a)| b - a).collect();
            mean_above_zero(&saved, serial)
        })
        .collect();
    let p_values: Vec<Option<f64>> =
        tests.iter().map(|test| test.map(|test| (2.0 * test.p_value.min(test.other_side())).min(1.0))).collect();
    let corrected = holm(&p_values);
    let found = all.into_iter().zip(tests).zip(p_values.into_iter().zip(corrected));
    found
        .filter_map(|(((a, b), test), (p_value, corrected))| {
            let (test, p_value, corrected) = (test?, p_value?, corrected?);
            // The one with the lower loss comes first.
            let (better, worse) = if test.mean >= 0.0 { (a, b) } else { (b, a) };
            let saved = test.mean.abs();
            Some(Difference { better: compared[better], worse: compared[worse], saved, p_value, corrected })
        })
        .collect()
}
